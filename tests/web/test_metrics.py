"""`/metrics`: one worker answers for all, counts are exact, and no sum goes backward."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.commands import vacancy
from tests.web.desk import Server, a_desk, a_server, new_key
from vacancy import __version__
from vacancy.config import Settings
from vacancy.web import figures_seen, metrics, metrics_text
from vacancy.web.ask_workers import Answered, Silent
from vacancy.web.figures import Collected, Figures, Worker, figures_of
from vacancy.web.figures_seen import Memory
from vacancy.web.metrics import SHARED_S, Shared, collected_of
from vacancy.web.run_folder import make_run_folder, take_place

WAIT_S = 30.0
OTHER = 999_999_001
"""The number of a worker that is no process."""
DOCUMENT = (Path(__file__).parents[2] / "docs" / "live-figures.md").read_text()
ASKED = "/v1/properties/alpine/availability"
ROUTE = "/v1/properties/{code}/availability"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    """Every sample of the document, by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0.0)


@contextmanager
def serving(url: str, folder: Path, workers: int = 2, **settings: str) -> Iterator[Server]:
    settings = {
        "VACANCY_DATA_DIR": str(folder / "data"),
        "VACANCY_WORKERS": str(workers),
        "VACANCY_METRICS": "open",
        **settings,
    }
    with a_server(url, folder, capacity=50, **settings) as server:
        until(lambda: len(pids(folder)) == workers)
        yield server


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pids(folder: Path) -> list[int]:
    """The workers that listen."""
    said = vacancy("perf", "cache-stats", "--json", "--data-dir", str(folder / "data"))
    workers: list[dict[str, Any]] = json.loads(said.stdout or "{}").get("workers", [])
    return [worker["pid"] for worker in workers if worker["answered"]]


def scrape(server: Server) -> Samples:
    """What any worker says, on a connection of its own."""
    answer = httpx.get(f"{server.address}/metrics", timeout=10.0)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples(answer.text)


def ask(server: Server, path: str, times: int, **query: str) -> list[int]:
    """Asks again and again, each time on a new connection, so that any worker may take it."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=server.address, limits=limits, timeout=10.0) as client:
        return [client.get(path, params=query).status_code for _ in range(times)]


def stay(server: Server) -> dict[str, str]:
    wanted = server.booking()
    return {"check_in": wanted["check_in"], "check_out": wanted["check_out"]}


def test_counts_of_two_workers_are_what_was_asked(database_url: str, tmp_path: Path) -> None:
    with serving(database_url, tmp_path) as server:
        before = scrape(server)
        assert ask(server, ASKED, 40, **stay(server)) == [200] * 40
        assert ask(server, "/v1/properties/none/availability", 7, **stay(server)) == [404] * 7
        assert ask(server, "/nowhere", 5) == [404] * 5
        assert ask(server, "/v1/bookings", 3) == [401] * 3
        booked = [
            httpx.post(
                f"{server.address}/v1/bookings",
                json=server.booking(),
                headers=server.headers(f"k{number}"),
            ).status_code
            for number in range(6)
        ]
        assert booked == [201] * 6
        after = scrape(server)

        def counted(name: str, **labels: str) -> float:
            return value(after, name, **labels) - value(before, name, **labels)

        requests = "vacancy_http_requests_total"
        assert counted(requests, route=ROUTE, method="GET", status="200") == 40
        assert counted(requests, route=ROUTE, method="GET", status="404") == 7
        assert counted(requests, route="other", method="", status="404") == 5
        assert counted(requests, route="/v1/bookings", method="GET", status="401") == 3
        assert counted(requests, route="/v1/bookings", method="POST", status="201") == 6
        assert counted("vacancy_http_request_seconds_count", route=ROUTE, method="GET") == 47
        assert counted("vacancy_refusals_total", code="ROUTE_UNKNOWN") == 5
        assert counted("vacancy_refusals_total", code="KEY_MISSING") == 3
        assert counted("vacancy_refusals_total", code="PROPERTY_UNKNOWN") == 7
        assert counted("vacancy_admission_batch_size_sum") == 6
        assert counted("vacancy_admission_wait_seconds_count") == 6
        assert counted("vacancy_admission_batch_seconds_count") <= 6
        hits = sum(
            counted(
                f"vacancy_cache_{kind}_total", statement=f"GET {ROUTE.replace('code', 'code:str')}"
            )
            for kind in ("hits", "misses")
        )
        assert hits == 47
        assert value(after, "vacancy_workers") == 2
        assert value(after, "vacancy_workers_silent") == 0
        engine = "sqlite" if database_url.startswith("sqlite") else "postgresql"
        assert value(after, "vacancy_build_info", version=__version__, engine=engine) == 1
        statements = [labels for (name, labels) in after if name == "vacancy_statement_rows_total"]
        assert len(statements) > 10


def test_every_histogram_is_one(database_url: str, tmp_path: Path) -> None:
    async def story() -> str:
        async with a_desk(database_url, metrics="open", data_dir=str(tmp_path / "data")) as desk:
            await asyncio.gather(*(desk.book(key=f"k{number}") for number in range(8)))
            return (await desk.client.get("/metrics")).text

    text = asyncio.run(story())
    seen = 0
    for family in text_string_to_metric_families(text):
        if family.type != "histogram":
            continue
        series: dict[tuple[tuple[str, str], ...], list[float]] = {}
        counts: dict[tuple[tuple[str, str], ...], float] = {}
        for sample in family.samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            if sample.name.endswith("_bucket"):
                series.setdefault(labels, []).append(sample.value)
            elif sample.name.endswith("_count"):
                counts[labels] = sample.value
        for labels, values in series.items():
            assert values == sorted(values)
            assert values[-1] == counts[labels]
            seen += 1
    assert seen > 20


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [("key", [401, 403, 403, 200]), ("open", [200] * 4), ("off", [404] * 4)],
)
def test_who_may_read_it_is_a_setting(
    database_url: str, tmp_path: Path, metrics: str, expected: list[int]
) -> None:
    """Nobody, a guest, a key of one property, staff."""

    async def story() -> tuple[list[int], dict[str, Any]]:
        data = str(tmp_path / "data")
        async with a_desk(database_url, metrics=metrics, data_dir=data) as desk:
            bound = await new_key(desk.hotel.house, "one@example.org", "staff", "alpine")
            headers: tuple[dict[str, str], ...] = (
                {},
                desk.as_("ada"),
                {"Authorization": f"Bearer {bound}"},
                desk.as_("desk"),
            )
            told = [await desk.client.get("/metrics", headers=one) for one in headers]
            document = (await desk.client.get("/openapi.json")).json()
            return [one.status_code for one in told], document["paths"]

    statuses, paths = asyncio.run(story())
    assert statuses == expected
    assert ("/metrics" in paths) == (metrics != "off")
    if metrics != "off":
        operation = paths["/metrics"]["get"]
        assert list(operation["responses"]["200"]["content"]) == ["text/plain"]
        assert ("security" in operation) == (metrics == "key")


def test_a_worker_that_dies_takes_no_count_with_it(tmp_path: Path) -> None:
    """What was seen of it stays in the sums, and the worker in its place is added."""
    with serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path) as server:
        ask(server, ASKED, 30, **stay(server))
        before = scrape(server)
        killed = pids(tmp_path)[0]
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in pids(tmp_path) and len(pids(tmp_path)) == 2)
        ask(server, ASKED, 10, **stay(server))
        after = scrape(server)
        asked = ("vacancy_http_requests_total", {"route": ROUTE, "method": "GET", "status": "200"})
        assert value(before, asked[0], **asked[1]) == 30
        assert value(after, asked[0], **asked[1]) == 40
        counts = [key for key in before if key[0].endswith(("_total", "_count", "_bucket"))]
        assert len(counts) > 100
        assert [key for key in counts if after.get(key, 0.0) < before[key]] == []


def test_a_worker_that_says_nothing_is_told_and_its_counts_stay(tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path) as server:
        ask(server, ASKED, 20, **stay(server))
        before = scrape(server)
        stopped = pids(tmp_path)[0]
        psutil.Process(stopped).suspend()
        try:
            # The kernel may give a connection to the one that sleeps: that one is never answered.
            answers = _first_answer(server)
        finally:
            os.kill(stopped, signal.SIGCONT)
        after = samples(answers)
        assert value(after, "vacancy_workers_silent") == 1
        assert value(after, "vacancy_workers") == 2
        labels = {"route": ROUTE, "method": "GET", "status": "200"}
        requests = "vacancy_http_requests_total"
        assert value(after, requests, **labels) == value(before, requests, **labels) == 20


def _first_answer(server: Server) -> str:
    async def story() -> str:
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=server.address, limits=limits, timeout=20) as client:
            asked = [asyncio.create_task(client.get("/metrics")) for _ in range(12)]
            done, rest = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            return done.pop().result().text

    return asyncio.run(story())


def test_those_who_scrape_at_the_same_time_share_one_answer() -> None:
    async def story() -> None:
        now, made, go = [0.0], [0], asyncio.Event()

        async def make() -> bytes:
            made[0] += 1
            mine = made[0]
            await go.wait()
            if mine == 3:
                raise OSError("no luck")
            return b"%d" % mine

        async def ask() -> asyncio.Task[bytes]:
            task = asyncio.create_task(shared.get(make))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return task

        shared = Shared(lambda: now[0])
        first, second = await ask(), await ask()
        now[0] = SHARED_S + 0.1
        late = await ask()  # what was begun so long ago is not for this one
        first.cancel()  # and takes the answer from nobody else
        go.set()
        assert (await second, await late) == (b"1", b"2")
        go.clear()
        # What was ready before asking is of the past: whoever asked for it may have booked since.
        failing = [await ask(), await ask()]
        go.set()
        failed = await asyncio.gather(*failing, return_exceptions=True)
        assert [type(one) for one in failed] == [OSError, OSError]
        assert await shared.get(make) == b"4"

    asyncio.run(story())


def test_a_scrape_does_not_stop_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Summing and writing the text are in a thread, once for all who scrape at the same time."""
    threads: list[str] = []

    def noting(name: str, module: Any) -> None:
        real = getattr(module, name)

        def noted(*given: Any) -> Any:
            threads.append(f"{name} {threading.current_thread() is threading.main_thread()}")
            return real(*given)

        monkeypatch.setattr(module, name, noted)

    noting("total_of", metrics)
    noting("metrics_text", metrics_text)

    async def story() -> None:
        data = str(tmp_path / "data")
        async with a_desk(f"sqlite:///{tmp_path / 'v.db'}", metrics="open", data_dir=data) as desk:
            answers = await asyncio.gather(*(desk.client.get("/metrics") for _ in range(5)))
            assert [answer.status_code for answer in answers] == [200] * 5
            assert len({answer.text for answer in answers}) == 1

    asyncio.run(story())
    assert threads == ["total_of False"] * 2 + ["metrics_text False"]


def test_the_sums_stay_where_nothing_can_be_written_and_nobody_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And the server does not seem to have begun when the oldest worker says nothing for once."""
    settings = Settings(env="test", data_dir=str(tmp_path), workers=2)
    folder = make_run_folder(str(tmp_path))
    place = take_place(folder, OTHER)
    assert place is not None
    memory = Memory()

    async def story() -> Figures:
        async with a_desk(f"sqlite:///{tmp_path / 'v.db'}") as desk:
            await desk.client.get("/health/live")
            return figures_of(
                Worker(
                    house=desk.hotel.house, requests=desk.front.requests, alerts=desk.front.alerts
                )
            )

    ours = asyncio.run(story())
    other = msgspec.structs.replace(ours, pid=OTHER, began_ms=ours.began_ms - 5_000)

    def collected(*others: Answered[Figures] | Silent) -> Collected:
        return collected_of(msgspec.json.encode(ours), others, settings, memory)

    def calls(found: Collected) -> int:
        return sum(route.calls for route in found.counts.routes)

    both = collected(Answered(pid=OTHER, uptime_s=1.0, answer=other))
    assert (both.workers, both.workers_silent, both.began_ms) == (2, 0, other.began_ms)
    silent = collected(Silent(pid=OTHER, why="no answer within 2 s"))
    assert (silent.workers, silent.workers_silent) == (1, 1)
    assert calls(silent) == calls(both) == 2 * sum(route.calls for route in ours.routes) > 0
    assert silent.began_ms == other.began_ms
    assert silent.sizes.began_ms == ours.began_ms
    began = "vacancy_start_time_seconds"
    shown = samples(metrics_text.metrics_text(silent).decode())
    assert value(shown, began) == other.began_ms / 1_000

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(figures_seen, "_write", full)
    (folder / figures_seen.FILE).write_bytes(b"")
    for _ in range(2):
        found = collected()
        assert (calls(found), found.began_ms) == (calls(both), other.began_ms)
    assert "cannot be remembered" in caplog.text
    assert "cannot be asked" not in caplog.text
    place.leave()
    found = collected()
    assert (calls(found), found.began_ms) == (calls(both), ours.began_ms)


def test_the_page_lists_every_metric_and_no_other(tmp_path: Path) -> None:
    async def story() -> str:
        async with a_desk(f"sqlite:///{tmp_path / 'v.db'}", metrics="open") as desk:
            return (await desk.client.get("/metrics")).text

    shown = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            family.documentation,
        )
        for family in text_string_to_metric_families(asyncio.run(story()))
    }
    row = r"^\| `(vacancy_\w+)` \| (\w+) \| [^|]+ \| (.+) \|$"
    rows = re.findall(row, DOCUMENT, re.MULTILINE)
    assert {name: (kind, meaning) for name, kind, meaning in rows} == shown
