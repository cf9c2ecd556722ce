"""How commands reach workers: sockets, the places of the dead, and those that say nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.hotels import a_hotel
from vacancy.bootstrap import House
from vacancy.cache.report import CacheRecord
from vacancy.errors import Misconfigured, Missing
from vacancy.web import worker_questions, worker_socket
from vacancy.web.ask_workers import Answered, Silent, ask_workers
from vacancy.web.run_folder import (
    is_alive,
    living_pids,
    make_run_folder,
    run_folder,
    short_address,
    socket_of,
    take_place,
)
from vacancy.web.worker_socket import listening

OURS = os.getpid()


@asynccontextmanager
async def a_worker(data_dir: Path, url: str | None = None) -> AsyncIterator[House]:
    """A house whose worker listens, in this process."""
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    database = url or f"sqlite:///{data_dir.parent / 'hotel.db'}"
    async with a_hotel(database) as hotel:
        house = hotel.house
        settings = msgspec.structs.replace(house.settings, data_dir=str(data_dir))
        house = msgspec.structs.replace(house, settings=settings)
        async with listening(house):
            yield house


async def say(data_dir: Path, line: bytes) -> bytes:
    """Says a line to our worker and hears what it says until it hangs up."""
    with short_address(socket_of(run_folder(str(data_dir)), OURS)) as address:
        reader, writer = await asyncio.open_unix_connection(address)
    writer.write(line)
    heard = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return heard


def story(work: Callable[[Path], Awaitable[None]], data_dir: Path) -> None:
    """Runs a story that needs a worker from begin to end."""

    async def told() -> None:
        async with a_worker(data_dir):
            await work(data_dir)

    asyncio.run(told())


_STAYS = (
    "import sys; from pathlib import Path; import os, socket;"
    " from vacancy.web.run_folder import take_place, make_run_folder;"
    " place = take_place(make_run_folder(sys.argv[1]), os.getpid());"
    " s = socket.socket(socket.AF_UNIX); s.bind(str(place.socket)); s.listen();"
    " print(flush=True); kept = s.accept(); print(flush=True); sys.stdin.read()"
)


@contextmanager
def another_worker(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a place and a socket, which writes a line when it is asked and never
    answers."""
    process = subprocess.Popen(
        [sys.executable, "-c", _STAYS, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_worker_answers_what_its_cache_has_done(database_url: str, tmp_path: Path) -> None:
    async def told() -> None:
        async with a_worker(tmp_path / "data", database_url) as house:
            assert house.cache is not None

            async def query() -> tuple[int, ...]:
                return (1,)

            for _ in range(4):
                await house.cache.with_cache("key", query, 60.0, tags=("t/1",), name="mine")
            (answered,) = await ask_workers(str(tmp_path / "data"), "cache-stats", CacheRecord)
            assert isinstance(answered, Answered)
            assert answered.pid == OURS
            assert 0 <= answered.uptime_s < 60
            assert answered.answer.cache is not None
            assert answered.answer.names["mine"].hits == 3
            assert answered.answer.cache.hits == house.cache.stats().hits

    asyncio.run(told())


def test_one_line_is_asked_and_one_is_answered(tmp_path: Path) -> None:
    async def work(data_dir: Path) -> None:
        heard = await say(data_dir, b'{"ask": "cache-stats"}\n')
        assert heard.count(b"\n") == 1
        told = json.loads(heard)
        assert set(told) == {"pid", "uptime_s", "answer"}
        assert set(told["answer"]) == {"cache", "names"}

    story(work, tmp_path / "data")


@pytest.mark.parametrize("line", [b'{"ask": "secrets"}\n', b"hello\n", b"[]\n", b'{"ask": 3}\n'])
def test_what_is_no_question_is_refused(line: bytes, tmp_path: Path) -> None:
    async def work(data_dir: Path) -> None:
        told = json.loads(await say(data_dir, line))
        assert told["refusal"]["code"] == "QUESTION_UNKNOWN"
        assert "answer" not in told
        # It goes on answering others.
        assert b'"answer"' in await say(data_dir, b'{"ask": "cache-stats"}\n')

    story(work, tmp_path / "data")


def test_who_says_too_much_or_nothing_gets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_socket, "TALK_S", 0.05)

    async def work(data_dir: Path) -> None:
        assert await say(data_dir, b"x" * 100_000) == b""
        assert await say(data_dir, b"") == b""

    story(work, tmp_path / "data")


def test_a_question_that_fails_is_told_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(house: House) -> object:
        raise ZeroDivisionError

    async def work(data_dir: Path) -> None:
        (silent,) = await ask_workers(str(data_dir), "fails", CacheRecord)
        assert isinstance(silent, Silent)
        assert silent.why == "A fault of ours: ZeroDivisionError."

    monkeypatch.setattr(worker_questions, "QUESTIONS", {"fails": fails})
    monkeypatch.setattr(worker_socket, "QUESTIONS", {"fails": fails})
    story(work, tmp_path / "data")
    assert "a question of a command failed" in caplog.text


def test_an_answer_of_another_shape_is_named(tmp_path: Path) -> None:
    async def work(data_dir: Path) -> None:
        (silent,) = await ask_workers(str(data_dir), "cache-stats", list[int])
        assert isinstance(silent, Silent)
        assert "of another version" in silent.why
        (unknown,) = await ask_workers(str(data_dir), "what-is-new", CacheRecord)
        assert isinstance(unknown, Silent)
        assert "'what-is-new'" in unknown.why

    story(work, tmp_path / "data")


def test_only_the_owner_may_ask(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o755)
    wide = data_dir / "run"
    wide.mkdir(mode=0o755)

    async def work(data_dir: Path) -> None:
        assert stat.S_IMODE(wide.stat().st_mode) == 0o700
        for path in wide.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert stat.S_ISSOCK((wide / f"{OURS}.sock").stat().st_mode)

    before = os.umask(0)
    try:
        story(work, data_dir)
    finally:
        os.umask(before)


def test_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    async def work(data_dir: Path) -> None:
        found = sorted(path.name for path in (data_dir / "run").iterdir())
        assert found == [f"{OURS}.lock", f"{OURS}.sock"]

    story(work, tmp_path / "data")
    assert list((tmp_path / "data" / "run").iterdir()) == []


def test_a_path_that_is_too_long_for_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path.joinpath(*(f"{number:040}" for number in range(5)))
    assert len(str(data_dir)) > 200

    async def work(data_dir: Path) -> None:
        (answered,) = await ask_workers(str(data_dir), "cache-stats", CacheRecord)
        assert isinstance(answered, Answered)
        assert (data_dir / "run" / f"{OURS}.sock").is_socket()

    links = tmp_path / "links"
    links.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(links))
    story(work, data_dir)
    assert list(links.iterdir()) == []
    assert list((data_dir / "run").iterdir()) == []


def test_a_data_directory_of_no_use_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file")

    async def told() -> None:
        async with a_worker(tmp_path / "data") as house:
            assert await house.db.transact(lambda tx: asyncio.sleep(0, "works")) == "works"

    with caplog.at_level(logging.WARNING):
        asyncio.run(told())
    assert "commands cannot ask this worker" in caplog.text
    with pytest.raises(Misconfigured, match="DATA_DIR_UNUSABLE"):
        asyncio.run(ask_workers(str(tmp_path / "data"), "cache-stats", CacheRecord))


def test_no_server(tmp_path: Path) -> None:
    for data_dir in (tmp_path / "none", tmp_path):
        with pytest.raises(Missing, match="SERVER_NOT_RUNNING"):
            asyncio.run(ask_workers(str(data_dir), "cache-stats", CacheRecord))
        make_run_folder(str(tmp_path))
    assert not (tmp_path / "none").exists()


def dead_places(data_dir: Path) -> Path:
    """What a killed worker leaves, a socket alone, and the place of a dead worker whose number a
    living process has by now: ours."""
    folder = make_run_folder(str(data_dir))
    with another_worker(data_dir) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(list(folder.iterdir())) == 2
    for pid in (2**22 + 7, os.getppid()):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(socket_of(folder, pid)))
    (folder / f"{os.getppid()}.lock").touch()
    return folder


def test_who_asks_removes_the_places_of_the_dead(tmp_path: Path) -> None:
    folder = dead_places(tmp_path)
    with pytest.raises(Missing, match="SERVER_NOT_RUNNING"):
        asyncio.run(ask_workers(str(tmp_path), "cache-stats", CacheRecord))
    assert list(folder.iterdir()) == []


def test_a_worker_that_starts_removes_them_too(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    folder = dead_places(data_dir)
    # One of a dead worker that had our number: we take it over.
    (folder / f"{OURS}.lock").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_of(folder, OURS)))
    (folder / "a note.txt").touch()

    async def work(data_dir: Path) -> None:
        found = sorted(path.name for path in folder.iterdir())
        assert found == [f"{OURS}.lock", f"{OURS}.sock", "a note.txt"]
        (answered,) = await ask_workers(str(data_dir), "cache-stats", CacheRecord)
        assert isinstance(answered, Answered)

    story(work, data_dir)


def test_a_place_is_one_workers_at_a_time(tmp_path: Path) -> None:
    folder = make_run_folder(str(tmp_path))
    place = take_place(folder, 7)
    assert place is not None
    assert take_place(folder, 7) is None
    assert living_pids(folder) == [7]
    place.leave()
    assert not is_alive(folder, 7)
    assert list(folder.iterdir()) == []


def test_a_number_that_another_process_holds_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two containers on one data directory may have the same number."""
    monkeypatch.setattr(worker_socket, "_TRIES", 3)
    place = take_place(make_run_folder(str(tmp_path / "data")), OURS)
    assert place is not None

    async def work(data_dir: Path) -> None:
        assert not socket_of(run_folder(str(data_dir)), OURS).exists()

    story(work, tmp_path / "data")
    assert f"another process is there as number {OURS}" in caplog.text
    assert is_alive(run_folder(str(tmp_path / "data")), OURS)
    place.leave()


def test_one_that_does_not_answer_holds_up_nobody(tmp_path: Path) -> None:
    async def work(data_dir: Path) -> None:
        with another_worker(data_dir) as first, another_worker(data_dir) as second:
            first.send_signal(signal.SIGSTOP)
            started = time.monotonic()
            found = await ask_workers(str(data_dir), "cache-stats", CacheRecord, wait_s=0.5)
            assert time.monotonic() - started < 0.5 + 1.0
            by_pid: dict[int, Any] = {worker.pid: worker for worker in found}
            assert sorted(by_pid) == [worker.pid for worker in found]
            assert isinstance(by_pid[OURS], Answered)
            for process in (first, second):
                silent = by_pid[process.pid]
                assert isinstance(silent, Silent)
                assert silent.why == "no answer within 0.5 s"

    story(work, tmp_path / "data")


def test_one_that_dies_while_it_is_asked_is_no_worker_any_more(tmp_path: Path) -> None:
    async def work(data_dir: Path) -> None:
        with another_worker(data_dir) as process:
            asked = asyncio.create_task(
                ask_workers(str(data_dir), "cache-stats", CacheRecord, wait_s=20.0)
            )
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            process.kill()
            process.wait()
            assert [worker.pid for worker in await asked] == [OURS]

    story(work, tmp_path / "data")
