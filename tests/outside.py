"""Another program at a database: raw SQL that none of our code knows of.

On SQLite it is a process with Python's own `sqlite3`: a second copy of the library in one process
would break the locks of the first. It has that library's defaults, `recursive_triggers` off among
them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import asyncpg

from vacancy.db.connect import engine_of, sqlite_path

_PROGRAM = """
import json, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in sys.stdin:
    try:
        answer = [list(row) for row in connection.execute(json.loads(line)).fetchall()]
    except sqlite3.Error as error:
        answer = repr(error)
    print(json.dumps(answer), flush=True)
"""


class Outside(Protocol):
    """One session. Each statement commits by itself, unless a `BEGIN` came before."""

    async def run(self, *statements: str) -> None: ...


@asynccontextmanager
async def an_outsider(url: str) -> AsyncIterator[Outside]:
    """A session of another program."""
    if engine_of(url) == "sqlite":
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _PROGRAM, str(sqlite_path(url))),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield _OtherProcess(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
        return
    connection = await asyncpg.connect(url)
    try:
        yield _OtherConnection(connection)
    finally:
        connection.terminate()


class _OtherProcess:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    async def run(self, *statements: str) -> None:
        for statement in statements:
            self._stdin.write(json.dumps(statement).encode() + b"\n")
            answer = json.loads(await self._stdout.readline())
            assert isinstance(answer, list), f"{statement}: {answer}"


class _OtherConnection:
    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def run(self, *statements: str) -> None:
        for statement in statements:
            await self._connection.execute(statement)
