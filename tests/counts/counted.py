"""What an answer costs, in counts that are the same on a busy machine as on an idle one."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import apsw
import msgspec

import vacancy
from vacancy.db.database import Database
from vacancy.db.sqlite.database import SqliteDatabase

Ask = Callable[[], Awaitable[Any]]

TRIES = 5
"""Another thread, or a wait that falls elsewhere, can only add: the least of so many counts."""
_OURS = (str(Path(vacancy.__file__).parent), str(Path(__file__).with_name("faults.py")))
_STEPS = "SQLITE_STMTSTATUS_VM_STEP"


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """One answer."""

    statements: int
    rows: int
    calls: int
    """Functions that our code was entered by or called, those of libraries and C included."""
    peak_bytes: int
    """The most memory that was held at once, beyond what was held before."""
    steps: int = 0
    """Of SQLite's machine: what was read, compared and sorted. 0 on PostgreSQL."""


async def count(db: Database, ask: Ask) -> Counted:
    """The cost of one answer when everything is warm."""
    for _ in range(2):
        await ask()
    tries = [await _count_once(db, ask) for _ in range(TRIES)]
    gc.collect()
    peaks = [await _peak_bytes(ask) for _ in range(TRIES)]
    return Counted(
        statements=min(one.statements for one in tries),
        rows=min(one.rows for one in tries),
        calls=min(one.calls for one in tries),
        steps=min(one.steps for one in tries),
        peak_bytes=min(peaks),
    )


async def _count_once(db: Database, ask: Ask) -> Counted:
    db.trace.reset()
    with _counting_calls() as calls, _counting_steps(db) as steps:
        await ask()
    stats = db.trace.statements.values()
    return Counted(
        statements=sum(one.calls for one in stats),
        rows=sum(one.rows for one in stats),
        calls=calls[0],
        peak_bytes=0,
        steps=steps[0],
    )


async def _peak_bytes(ask: Ask) -> int:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        await ask()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@contextmanager
def _counting_calls() -> Iterator[list[int]]:
    calls = [0]

    def see(frame: FrameType, event: str, _: object) -> None:
        # A library's own way from version to version is not ours to count.
        if event in ("call", "c_call") and frame.f_code.co_filename.startswith(_OURS):
            calls[0] += 1

    sys.setprofile(see)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@contextmanager
def _counting_steps(db: Database) -> Iterator[list[int]]:
    steps = [0]

    def see(event: dict[str, Any]) -> None:
        steps[0] += event["stmt_status"][_STEPS]

    connections = _connections(db)
    for connection in connections:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, see, id=see)
    try:
        yield steps
    finally:
        for connection in connections:
            connection.trace_v2(0, None, id=see)


def _connections(db: Database) -> list[apsw.Connection]:
    """Those that a request's statements run on."""
    if not isinstance(db, SqliteDatabase):
        return []
    return [db._reader.connection, db._writer.connection]
