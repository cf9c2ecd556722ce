"""A worker listens on a socket of its own, so that a command can ask every worker of a server.

One JSON line is asked, `{"ask": "cache-stats"}`, and one is answered: see `Told`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from vacancy.bootstrap import House
from vacancy.errors import Internal, Invalid, Refusal, VacancyError
from vacancy.perf.alerts import AlertRecord
from vacancy.web.figures import Worker
from vacancy.web.route_record import RouteRecords
from vacancy.web.run_folder import Place, living_pids, make_run_folder, short_address, take_place
from vacancy.web.worker_questions import QUESTIONS

TALK_S = 2.0
"""How long one who asks may take, the answer included."""
_MAX_QUESTION_BYTES = 4_096
_TRIES = 100
_TRY_EVERY_S = 0.01
"""A place of our number that somebody is just clearing away is free after a moment."""

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Asked(msgspec.Struct, frozen=True):
    """The line that is asked. More fields may come with questions that need them."""

    ask: str


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The line that is answered: an answer, or why there is none."""

    pid: int
    uptime_s: float
    """Since the worker began to listen."""
    answer: object = None
    refusal: Refusal | None = None


@asynccontextmanager
async def listening(
    house: House,
    requests: RouteRecords | None = None,
    alerts: AlertRecord | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[None]:
    """While this is open, the worker answers commands at `run/<pid>.sock` in the data directory.

    Where that cannot be, a warning says so, and the worker works on without it.
    """
    folder = Path(house.settings.data_dir)
    worker = Worker(
        house=house, requests=requests or RouteRecords(), alerts=alerts or AlertRecord()
    )
    talk = _Talk(worker, clock)
    try:
        folder = make_run_folder(house.settings.data_dir)
        living_pids(folder)  # clears away the dead, one of our own number as well
        place = await _take_own_place(folder)
    except OSError as error:
        _warn(folder, error)
        yield
        return
    try:
        server = await _listen(place, talk)
        try:
            yield
        finally:
            if server is not None:
                server.close()
                await talk.end()
    finally:
        place.leave()


async def _take_own_place(folder: Path) -> Place:
    pid = os.getpid()
    for _ in range(_TRIES):
        place = take_place(folder, pid)
        if place is not None:
            return place
        await asyncio.sleep(_TRY_EVERY_S)
    raise BlockingIOError(f"another process is there as number {pid}")


async def _listen(place: Place, talk: _Talk) -> asyncio.Server | None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_address(place.socket) as address:
            listener.bind(address)
        place.socket.chmod(0o600)
        return await asyncio.start_unix_server(talk.begin, sock=listener, limit=_MAX_QUESTION_BYTES)
    except OSError as error:
        listener.close()
        _warn(place.folder, error)
        return None


def _warn(folder: Path, error: OSError) -> None:
    _log.warning("commands cannot ask this worker, %s is of no use: %s", folder, error)


class _Talk:
    """The conversations of a worker."""

    def __init__(self, worker: Worker, clock: Callable[[], float]) -> None:
        self._worker = worker
        self._clock = clock
        self._began = clock()
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._hold(reader, writer))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def end(self) -> None:
        """Breaks off what is under way."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(TALK_S):
                line = await reader.readline()
                if line:
                    writer.write(await self._told(line) + b"\n")
                    await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass  # who asks too much, too slowly, or goes away gets no answer
        finally:
            writer.close()

    async def _told(self, line: bytes) -> bytes:
        uptime_s = round(self._clock() - self._began, 3)
        try:
            answer = await _answer(self._worker, line)
            return _encode(Told(pid=os.getpid(), uptime_s=uptime_s, answer=answer))
        except VacancyError as error:
            refusal = error.to_refusal()
        except Exception as error:  # noqa: BLE001 - whoever asked must learn that nothing comes
            _log.exception("a question of a command failed")
            refusal = Internal("INTERNAL", f"A fault of ours: {type(error).__name__}.").to_refusal()
        return _encode(Told(pid=os.getpid(), uptime_s=uptime_s, refusal=refusal))


async def _answer(worker: Worker, line: bytes) -> object:
    try:
        asked = msgspec.json.decode(line, type=Asked)
    except msgspec.DecodeError:
        raise Invalid(
            "QUESTION_UNKNOWN", 'A question is one line of JSON: {"ask": "cache-stats"}.'
        ) from None
    question = QUESTIONS.get(asked.ask)
    if question is None:
        raise Invalid(
            "QUESTION_UNKNOWN",
            f"The worker knows no question {asked.ask!r}; it knows {', '.join(QUESTIONS)}.",
            hint="The server may be of another version than the command; start it anew.",
        )
    return await question(worker)
