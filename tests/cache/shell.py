"""A foreign program beside the server: `python -m tests.cache.shell URL` runs SQL as it is told.

It knows nothing of ours. On SQLite it is Python's own `sqlite3` with its defaults, as the shell is;
it must be a process of its own, for two copies of SQLite in one process break each other's locks.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROJECT = Path(__file__).parents[2]


class Shell:
    """Tells such a program what to do; each call returns when it is done."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cache.shell", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in = self._process.stdin
        self._out = self._process.stdout

    def run(self, *statements: str) -> list[list[Any]]:
        """The rows of each. Raises AssertionError with what the database says."""
        self._in.write(json.dumps(statements).encode() + b"\n")
        self._in.flush()
        answer = json.loads(self._out.readline())
        assert isinstance(answer, list), answer
        return answer

    async def do(self, *statements: str) -> list[list[Any]]:
        """The same while the loop goes on."""
        return await asyncio.to_thread(self.run, *statements)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._in.close()
        self._process.kill()
        self._process.wait()
        self._out.close()


def _answer(result: Any) -> None:
    print(json.dumps(result, default=str), flush=True)  # noqa: T201


def serve_file(path: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = OFF")
    for line in sys.stdin:
        try:
            _answer([connection.execute(sql).fetchall() for sql in json.loads(line)])
        except sqlite3.Error as error:
            _answer(str(error))


async def serve_server(url: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(url, server_settings={"lock_timeout": "10s"})
    for line in sys.stdin:
        try:
            _answer(
                [[list(row) for row in await connection.fetch(sql)] for sql in json.loads(line)]
            )
        except asyncpg.PostgresError as error:
            _answer(str(error))


if __name__ == "__main__":
    given = sys.argv[1]
    if given.startswith("sqlite:///"):
        serve_file(given.removeprefix("sqlite:///"))
    else:
        asyncio.run(serve_server(given))
