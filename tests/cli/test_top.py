"""`vacancy perf top` against real servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.commands import vacancy
from tests.cli.test_cache_stats import _ask_the_api, serving
from tests.cli.watched import WAIT_S, assert_draws_in_place_until_ctrl_c, watching
from vacancy.cli.top import Report, shown

ROUTE = "GET /v1/properties/{code}/availability"

LOOKING = ("top", "--interval", "0.2")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_asked_between_two_looks_is_shown(
    database_url: str, tmp_path: Path, workers: int
) -> None:
    with (
        serving(database_url, tmp_path, workers) as server,
        watching(tmp_path, subprocess.PIPE, *LOOKING, "--json") as process,
    ):
        assert process.stdout is not None
        json.loads(process.stdout.readline())  # from here on every request falls into a round
        _ask_the_api(server, 30)
        booked = httpx.post(
            f"{server.address}/v1/bookings", json=server.booking(), headers=server.headers("k1")
        )
        assert booked.status_code == 201
        assert httpx.get(f"{server.address}/nowhere").status_code == 404
        rounds: list[dict[str, Any]] = []
        while not any("ROUTE_UNKNOWN" in one["refusals"] for one in rounds):
            rounds.append(json.loads(process.stdout.readline()))
        asked = [row for one in rounds for row in one["routes"] if row["route"] == ROUTE]
        assert sum(row["requests"] for row in asked) == 30
        assert sum(row["2xx"] for row in asked) == 30
        assert all(row["p50_ms"] <= row["p95_ms"] for row in asked)
        assert sum(one["admission"]["batches"] for one in rounds) == 1
        assert sum(one["cache"]["hits"] + one["cache"]["misses"] for one in rounds) >= 30
        names = {row["statement"] for one in rounds for row in one["statements"]}
        assert "admission.insert_bookings" in names or len(names) > 5
        assert len(rounds[-1]["workers"]) == workers
        engine = "sqlite" if database_url.startswith("sqlite") else "postgresql"
        assert rounds[-1]["pool"]["engine"] == engine
        assert list(rounds[-1]) == list(Report.__struct_fields__)


def test_once_ends_by_itself(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path):
        arguments = ("--once", "--interval", "0.1", "--data-dir", str(tmp_path / "data"))
        document = vacancy("perf", "top", "--json", *arguments).document
        assert document["interval_s"] >= 0.1
        assert document["workers"][0]["answered"] is True
        text = vacancy("perf", "top", *arguments)
        assert text.code == 0
        assert "1 of 1 workers" in text.stdout
        for key in ("pool", "admission", "cache", "refusals"):
            assert f"\n{key} " in text.stdout


def test_a_worker_that_says_nothing_is_named(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path, 2):
        arguments = ("--once", "--interval", "0.1", "--data-dir", str(tmp_path / "data"))
        first = vacancy("perf", "top", "--json", *arguments).document["workers"][0]["pid"]
        os.kill(first, signal.SIGSTOP)
        try:
            said = vacancy("perf", "top", *arguments)
            assert f"worker {first} is not in these figures: no answer within 2 s" in said.stdout
        finally:
            os.kill(first, signal.SIGCONT)


def test_without_a_server_it_says_so(empty_folder: Path) -> None:
    said = vacancy("perf", "top")
    assert (said.code, said.stdout) == (4, "")
    assert "SERVER_NOT_RUNNING" in said.stderr
    assert list(empty_folder.iterdir()) == []


def test_on_a_terminal_it_draws_in_place_until_ctrl_c(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path):
        assert_draws_in_place_until_ctrl_c(tmp_path, *LOOKING)


def test_it_ends_with_the_server(tmp_path: Path) -> None:
    with (
        serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path) as server,
        watching(tmp_path, subprocess.PIPE, *LOOKING, "--json") as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        server.stop()
        _, stderr = process.communicate(timeout=WAIT_S)
        assert process.returncode == 4
        assert json.loads(stderr)["code"] == "SERVER_NOT_RUNNING"


def test_what_is_shown_has_the_keys_of_the_document() -> None:
    row = {"route": "GET /x", "per_s": 1.5, "p50_ms": 0.1, "p95_ms": None, "statements": 1.0}
    row |= {"2xx": 3, "3xx": 0, "4xx": 0, "5xx": 0, "over": 0}
    report = Report(
        interval_s=2.0,
        workers=[{"pid": 7, "answered": True, "uptime_s": 3.0}],
        requests_per_s=1.5,
        routes=[row],
        statements=[],
        pool={"engine": "sqlite", "size": 1},
        admission={"waiting": 0, "refusals": {"INSUFFICIENT_INVENTORY": 2}},
        cache={"hit_rate": None, "hits": 0},
        refusals={},
    )
    text = shown(report)
    assert text.splitlines()[0] == "1.5 requests a second over 2 s, 1 of 1 workers"
    assert "route   per_s  p50_ms" in text
    assert "No statement ran." in text
    assert "INSUFFICIENT_INVENTORY 2" in text
    assert "hit_rate" not in text
