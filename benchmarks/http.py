"""The whole way over HTTP, one worker, 64 connections, SQLite; and what a server costs to start."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from time import monotonic, perf_counter, sleep
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from benchmarks.figure import Figure
from benchmarks.hotels import EMAIL, PROPERTIES, ROOM_TYPES, first_night, fresh_hotels, open_hotels
from benchmarks.load import LoadResult, run_apart
from benchmarks.stats import median_summary
from vacancy.hotel.accounts import create_key

COMMAND = "make bench ARGS=http"
CONNECTIONS = 64
SECONDS = 4
SERVE = (str(Path(sys.executable).with_name("vacancy")), "serve")


async def measure(urls: dict[str, str], rounds: int) -> list[Figure]:
    if "sqlite" not in urls:
        return []
    url = urls["sqlite"]
    await fresh_hotels(url)
    async with open_hotels(url) as (house, _):
        made = await create_key(
            house.db,
            house.ids.next,
            secret=os.urandom(32).hex(),
            role="staff",
            email=EMAIL,
            name="Bench",
        )
    with serving(url, cache=False) as server:
        gets = [_get(server.port) for _ in range(rounds)]
        posts = [_post(server.port, made.key, number) for number in range(rounds)]
    starts = []
    for _ in range(rounds):
        with serving(url) as server:
            starts.append((server.first_answer_s, server.memory_mb))
    return [
        _rate("GET availability, uncached", gets, 8_000, 12),
        _rate("POST /v1/bookings", posts, 4_000, 40),
        _start(sorted(starts)[len(starts) // 2]),
    ]


class Server:
    """A running `vacancy serve`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, first_answer_s: float) -> None:
        self.port = port
        self.first_answer_s = first_answer_s
        self._process = process

    @property
    def memory_mb(self) -> float:
        """Resident, all its processes together; pages that they share are counted once."""
        parent = psutil.Process(self._process.pid)
        whole = [parent, *parent.children(recursive=True)]
        return float(sum(process.memory_full_info().pss for process in whole)) / 2**20

    @property
    def cpu_s(self) -> float:
        """What the process has computed since it began."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)


@contextlib.contextmanager
def serving(url: str, *, cache: bool = True, command: Sequence[str] = SERVE) -> Iterator[Server]:
    """Starts a server with one worker, waits for its first answer, stops it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "VACANCY_DATABASE_URL": url,
        "VACANCY_ENV": "test",
        "VACANCY_PORT": str(port),
        "VACANCY_CACHE": str(cache).lower(),
    }
    started = perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = monotonic() + 20
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/v1/properties", timeout=1):
                    break
            except (URLError, ConnectionError):
                assert monotonic() < deadline, "the server did not answer within 20 s"
                sleep(0.005)
        yield Server(process, port, perf_counter() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _get(port: int) -> LoadResult:
    urls = []
    for number in range(32):
        check_in = first_night() + timedelta(days=number * 10)
        check_out = check_in + timedelta(days=7)
        place = f"hotel{number % PROPERTIES}"
        urls += [
            "--url",
            f"http://127.0.0.1:{port}/v1/properties/{place}/availability?check_in={check_in}"
            f"&check_out={check_out}&rooms=1&room_type=type{number % ROOM_TYPES}",
        ]
    return _load(urls)


def _post(port: int, key: str, run: int) -> LoadResult:
    arguments = ["--url", f"http://127.0.0.1:{port}/v1/bookings", "--method", "POST"]
    arguments += ["--header", f"Authorization: Bearer {key}"]
    arguments += ["--header", "Content-Type: application/json"]
    arguments += ["--header", "Idempotency-Key: {run}-{n}", "--run", f"bench{os.getpid()}-{run}"]
    for number in range(32):
        check_in = first_night() + timedelta(days=number * 10)
        check_out = check_in + timedelta(days=3)
        body = (
            f'{{"property": "hotel{number % PROPERTIES}", "check_in": "{check_in}",'
            f' "check_out": "{check_out}", "rooms": [{{"room_type": "type{number % ROOM_TYPES}",'
            ' "count": 1, "adults": 2}], "guest": {"name": "Ada Lovelace",'
            ' "email": "ada@example.org"}}'
        )
        arguments += ["--body-template", body]
    return _load(arguments)


def _load(arguments: list[str]) -> LoadResult:
    result = run_apart([*arguments, "--connections", str(CONNECTIONS), "--seconds", str(SECONDS)])
    assert set(result.statuses) <= {200, 201}, result.statuses
    return result


def _rate(what: str, results: list[LoadResult], goal_per_s: int, goal_ms: int) -> Figure:
    run = median_summary([result.summary for result in results])
    return Figure(
        what=f"over HTTP, one worker, {CONNECTIONS} connections: {what}",
        engine="sqlite",
        measured=f"{run.per_s:,.0f}/s, p99 {run.p99_us / 1000:.1f} ms",
        goal=f"{goal_per_s:,}/s, p99 under {goal_ms} ms",
        reached=run.per_s >= goal_per_s and run.p99_us < goal_ms * 1000,
        command=COMMAND,
    )


def _start(start: tuple[float, float]) -> Figure:
    first_answer_s, memory_mb = start
    return Figure(
        what="server start to first answer; resident memory of all its processes",
        engine="sqlite",
        measured=f"{first_answer_s:.2f} s; {memory_mb:.0f} MB",
        goal="under 1 s; under 120 MB",
        reached=first_answer_s < 1 and memory_mb < 120,
        command=COMMAND,
    )
