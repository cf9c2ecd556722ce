"""`vacancy perf cache-stats` against real servers: all workers, one that is stopped, none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import httpx
import psutil
import pytest

from tests.cli.commands import vacancy
from tests.cli.watched import WAIT_S, assert_draws_in_place_until_ctrl_c, watching
from tests.web.desk import Server, a_server
from vacancy.cache import stats as cache_stats
from vacancy.cache.verdict import ENOUGH
from vacancy.cli import cache_stats as command
from vacancy.cli import screen

LOOKING = ("cache-stats", "--watch", "--interval", "0.1")
ASKED = "/v1/properties/alpine/availability"


def asking(folder: Path, *arguments: str) -> Any:
    """The document of the command, whatever the exit code."""
    said = vacancy("perf", "cache-stats", "--json", "--data-dir", str(folder / "data"), *arguments)
    return json.loads(said.stdout) if said.stdout else said.refusal


@contextmanager
def serving(url: str, folder: Path, workers: int = 1, **settings: str) -> Iterator[Server]:
    settings |= {"VACANCY_DATA_DIR": str(folder / "data"), "VACANCY_WORKERS": str(workers)}
    with a_server(url, folder, capacity=5, **settings) as server:
        # The first worker answers over HTTP while the last one still starts.
        _until(lambda: len(asking(folder).get("workers", ())) == workers)
        yield server


def _until(holds: Any) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _ask_the_api(server: Server, times: int, *, otherwise: bool = False) -> None:
    """The same question again and again, each on a connection of its own, so that any worker may
    take it. Put otherwise, it is the same to the database and not to what keeps encoded answers."""
    query = {"check_in": server.check_in.isoformat(), "check_out": _later(server)}
    if otherwise:
        query = dict(reversed(query.items()))
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=server.address, limits=limits) as client:
        for _ in range(times):
            answer = client.get(ASKED, params=query)
            assert answer.status_code == 200, answer.text


def _later(server: Server) -> str:
    return str(server.booking()["check_out"])


@pytest.mark.parametrize("workers", [1, 2])
def test_all_workers_are_asked_and_added_up(
    database_url: str, tmp_path: Path, workers: int
) -> None:
    with serving(database_url, tmp_path, workers) as server:
        before = asking(tmp_path)
        _ask_the_api(server, ENOUGH)
        after = asking(tmp_path)
        pids = [worker["pid"] for worker in after["workers"]]
        family = psutil.Process(server.process.pid)
        assert set(pids) <= {family.pid, *(child.pid for child in family.children(recursive=True))}
        assert len(pids) == workers
        caches = [worker["cache"] for worker in after["workers"]]
        assert list(after["total"]) == list(cache_stats.CacheStats.__struct_fields__)
        assert all(list(cache) == list(after["total"]) for cache in caches)
        for key in ("hits", "misses", "fills", "entries", "looks", "size_bytes"):
            assert after["total"][key] == sum(cache[key] for cache in caches)
        # Each worker asks the database once, and answers the rest from what it keeps.
        assert after["total"]["hits"] - before["total"]["hits"] >= ENOUGH - workers
        names = {statement["name"]: statement for statement in after["statements"]}
        for statement in names.values():
            assert statement["name"] in statement["sentence"]
        assert sum(one["hits"] for one in names.values()) == after["total"]["hits"]
        shown = vacancy("perf", "cache-stats", "--data-dir", str(tmp_path / "data"))
        assert shown.code == 0, shown.stderr
        for pid in pids:
            assert any(line.split()[:1] == [str(pid)] for line in shown.stdout.splitlines())
        for name in names:
            assert name in shown.stdout
        assert server.stop() == 0
    assert list((tmp_path / "data" / "run").iterdir()) == []
    assert asking(tmp_path)["code"] == "SERVER_NOT_RUNNING"


def test_a_stopped_worker_is_named_and_the_others_count(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path, 2):
        first, second = (worker["pid"] for worker in asking(tmp_path)["workers"])
        os.kill(first, signal.SIGSTOP)
        try:
            document = asking(tmp_path)
            assert document["workers"][0] == {
                "pid": first,
                "answered": False,
                "why": "no answer within 2 s",
            }
            assert document["workers"][1]["pid"] == second
            assert document["total"] == document["workers"][1]["cache"]
            shown = vacancy("perf", "cache-stats", "--data-dir", str(tmp_path / "data"))
            assert shown.code == 0
            assert f"worker {first} is not in these figures: no answer within 2 s" in shown.stdout
        finally:
            os.kill(first, signal.SIGCONT)
        assert all(worker["answered"] for worker in asking(tmp_path)["workers"])


def test_a_killed_worker_is_replaced_and_leaves_nothing(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path, 2):
        killed, other = (worker["pid"] for worker in asking(tmp_path)["workers"])
        os.kill(killed, signal.SIGKILL)

        def is_replaced() -> bool:
            pids = {worker["pid"] for worker in asking(tmp_path)["workers"]}
            return killed not in pids and len(pids) == 2 and other in pids

        _until(is_replaced)
        assert not list((tmp_path / "data" / "run").glob(f"{killed}.*"))


def test_a_server_whose_only_worker_is_stopped_is_not_a_server_that_is_not_there(
    tmp_path: Path,
) -> None:
    with serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path) as server:
        server.process.send_signal(signal.SIGSTOP)
        try:
            said = vacancy("perf", "cache-stats", "--json", "--data-dir", str(tmp_path / "data"))
            assert (said.code, said.refusal["code"]) == (75, "WORKERS_SILENT")
            assert f"{server.process.pid}: no answer within 2 s" in said.refusal["detail"]
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert asking(tmp_path)["workers"][0]["answered"] is True


def test_a_server_that_was_killed_is_gone(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path) as server:
        server.process.kill()
        server.process.wait()
        assert len(list((tmp_path / "data" / "run").iterdir())) == 2
        assert asking(tmp_path)["code"] == "SERVER_NOT_RUNNING"
        assert list((tmp_path / "data" / "run").iterdir()) == []


def test_without_a_server_it_says_so(empty_folder: Path) -> None:
    for arguments in ((), ("--watch",)):
        said = vacancy("perf", "cache-stats", *arguments)
        assert (said.code, said.stdout) == (4, "")
        assert "SERVER_NOT_RUNNING" in said.stderr
        assert str(empty_folder / "vacancy-data") in said.stderr
        assert "`vacancy serve`" in said.stderr
    assert list(empty_folder.iterdir()) == []


def test_a_server_without_a_cache_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'vacancy.db'}"
    with serving(url, tmp_path, VACANCY_CACHE="false"):
        document = asking(tmp_path)
        assert (document["total"], document["statements"]) == (None, [])
        assert document["workers"][0]["cache"] is None
        said = vacancy("perf", "cache-stats", "--data-dir", str(tmp_path / "data"))
        assert said.code == 0
        assert "The server keeps no cache: its setting `cache` is off." in said.stdout


def test_a_data_directory_of_no_use_does_not_stop_the_server(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    url = f"sqlite:///{tmp_path / 'vacancy.db'}"
    with a_server(url, tmp_path, VACANCY_DATA_DIR=str(tmp_path / "data")) as server:
        _ask_the_api(server, 1)
        warnings = [line for line in server.log.read_text().splitlines() if '"warning"' in line]
        assert any("commands cannot ask this worker" in line for line in warnings)
        assert asking(tmp_path)["code"] == "DATA_DIR_UNUSABLE"


def test_a_mismatch_ends_with_1(tmp_path: Path) -> None:
    """Rows are changed behind the back of the change log: its triggers are taken away first."""
    path = tmp_path / "vacancy.db"
    with serving(f"sqlite:///{path}", tmp_path, VACANCY_CACHE_SHADOW_EVERY="1") as server:
        _ask_the_api(server, 2)
        assert vacancy("perf", "cache-stats", "--data-dir", str(tmp_path / "data")).code == 0
        database = apsw.Connection(str(path))
        database.set_busy_timeout(10_000)
        watching = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?"
        for (name,) in database.execute(watching, ("room_inventory",)).fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        # A dropped trigger is a change of the schema: the cache is filled anew from here on.
        _ask_the_api(server, 1)
        database.execute("UPDATE room_inventory SET out_of_order = out_of_order + 1")
        database.close()
        _ask_the_api(server, 1, otherwise=True)
        _until(lambda: asking(tmp_path)["total"]["shadow_mismatches"])
        said = vacancy("perf", "cache-stats", "--data-dir", str(tmp_path / "data"))
        assert said.code == 1
        assert "differed from the database's answer" in said.stdout


# -- watching


def test_watching_in_a_pipe_prints_plain_blocks_until_ctrl_c(tmp_path: Path) -> None:
    with (
        serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path) as server,
        watching(tmp_path, subprocess.PIPE, *LOOKING) as process,
    ):
        assert process.stdout is not None
        seen: list[bytes] = []
        while sum(line.startswith(b"worker ") for line in seen) < 3:
            seen.append(process.stdout.readline())
        assert b"\x1b" not in b"".join(seen)
        assert b"".join(seen).count(b"\n\nhits ") == 2
        assert any(line.split()[:1] == [str(server.process.pid).encode()] for line in seen)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=WAIT_S)
        assert (process.returncode, stderr) == (0, b"")


def test_watching_as_json_is_a_line_a_round_and_ends_with_the_server(tmp_path: Path) -> None:
    with (
        serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path) as server,
        watching(tmp_path, subprocess.PIPE, *LOOKING, "--json") as process,
    ):
        assert process.stdout is not None
        rounds = [json.loads(process.stdout.readline()) for _ in range(2)]
        _ask_the_api(server, 3)
        hits = rounds[-1]["total"]["hits"]
        while rounds[-1]["total"]["hits"] == hits:
            rounds.append(json.loads(process.stdout.readline()))
        assert rounds[0]["workers"][0]["pid"] == server.process.pid
        assert rounds[0]["workers"][0]["uptime_s"] < rounds[1]["workers"][0]["uptime_s"]
        server.stop()
        _, stderr = process.communicate(timeout=WAIT_S)
        assert process.returncode == 4
        assert json.loads(stderr)["code"] == "SERVER_NOT_RUNNING"


def test_watching_goes_on_while_the_workers_say_nothing(tmp_path: Path) -> None:
    with (
        serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path) as server,
        watching(tmp_path, subprocess.PIPE, *LOOKING, "--json") as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        server.process.send_signal(signal.SIGSTOP)
        try:
            assert json.loads(process.stderr.readline())["code"] == "WORKERS_SILENT"
        finally:
            server.process.send_signal(signal.SIGCONT)
        # Whatever was written before it was stopped is less than a second's worth of rounds.
        rounds = [json.loads(process.stdout.readline()) for _ in range(20)]
        assert rounds[-1]["workers"][0]["answered"] is True
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WAIT_S)
        assert process.returncode == 0


def test_watching_on_a_terminal_refreshes_in_place(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path):
        assert_draws_in_place_until_ctrl_c(tmp_path, *LOOKING)


def test_what_does_not_fit_the_window_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("LINES", "8")
    command._draw(["record " * 9, "workers", "a sentence that is long"], first=False)
    drawn = capsys.readouterr().out
    assert drawn.startswith(screen.HOME)
    assert drawn.endswith(screen.CLEAR_BELOW)
    lines = drawn.removeprefix(screen.HOME).split("\n")[:-1]
    assert len(lines) == 7
    assert lines[0] == f"workers{screen.CLEAR_LINE}"
    assert lines[2] == f"a sentence{screen.CLEAR_LINE}"
    assert lines[-1].startswith("…")
