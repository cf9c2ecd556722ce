"""A foreign program that holds a lock: `python -m tests.fault.holder URL`, until its input ends.

It knows nothing of our locks beside the file: it opens a transaction and stays in it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import asyncpg


@contextmanager
def holding(url: str) -> Iterator[None]:
    """While this lasts another process holds what a booking must write."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fault.holder", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline() == b"held\n"
        yield
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def hold_file(path: str) -> None:
    with closing(apsw.Connection(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        print("held", flush=True)  # noqa: T201
        sys.stdin.read()
        connection.execute("ROLLBACK")


async def hold_nights(url: str) -> None:
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SELECT 1 FROM room_inventory FOR UPDATE")
    print("held", flush=True)  # noqa: T201
    sys.stdin.read()
    await transaction.rollback()
    await connection.close()


if __name__ == "__main__":
    given = sys.argv[1]
    if given.startswith("sqlite:///"):
        hold_file(given.removeprefix("sqlite:///"))
    else:
        asyncio.run(hold_nights(given))
