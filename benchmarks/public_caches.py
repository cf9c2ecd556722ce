"""Holds two public caches and ours to the same promise: nothing older than the last commit that was
acknowledged before the read began.

python -m benchmarks.public_caches [--seconds 20]

`cashews` and `aiocache` are used as their documentation says: a decorator with a time to live, in
memory, and the key deleted after the commit. They are not among our dependencies: install them
somewhere and name the folder in PYTHONPATH. What is not there is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from benchmarks.stats import text_table
from tests.cache.board import (
    CELLS,
    READS,
    SHELVES,
    STOP,
    UNJUDGED,
    Board,
    shelf_cell,
    shelf_id,
)
from tests.cache.judge import Question, exact_questions, stale_ms
from tests.cache.owner import Owner, Touched, first_rows
from tests.cache.tables import BOOKS, CACHED, SET_SHELF, SHELF, Found, make_tables
from tests.servers import postgres_server
from vacancy.cache.query_cache import QueryCache
from vacancy.cache.reader import CachedReader
from vacancy.db.connect import connect
from vacancy.db.database import Database, Transaction

TTL_S = 10
CHANGES_PER_S = 50.0
READERS = 8
PROJECT = Path(__file__).parents[1]
STALE = UNJUDGED
"""The board counts there what is stale, here; the oldest, in microseconds, stands behind."""
OLDEST_US = UNJUDGED + 8
ASKED: dict[str, Any] = {SHELF.name: SHELF, BOOKS.name: BOOKS}

Ask = Callable[[str, int], Awaitable[list[Found]]]
Forget = Callable[[str, int], Awaitable[None]]


class Part(msgspec.Struct, frozen=True):
    """What one process does."""

    cache: str
    url: str
    board: str
    number: int


def with_cashews(db: Database) -> tuple[Ask, Forget]:
    """https://github.com/Krukov/cashews: `@cache(ttl=…, key=…)`, `cache.delete`."""
    cache = importlib.import_module("cashews").Cache()
    cache.setup("mem://")

    async def ask(name: str, shelf: int) -> list[Found]:
        return await db.fetch_all(ASKED[name], shelf=shelf)

    async def forget(name: str, shelf: int) -> None:
        await cache.delete(f"{name}:{shelf}")

    return cache(ttl=f"{TTL_S}s", key="{name}:{shelf}")(ask), forget


def with_aiocache(db: Database) -> tuple[Ask, Forget]:
    """https://github.com/aio-libs/aiocache: `@cached(ttl=…)`, `cache.delete`."""

    cached = importlib.import_module("aiocache").cached(
        ttl=TTL_S, key_builder=lambda _, name, shelf: f"{name}:{shelf}"
    )

    async def ask(name: str, shelf: int) -> list[Found]:
        return await db.fetch_all(ASKED[name], shelf=shelf)

    kept = cached(ask)

    async def forget(name: str, shelf: int) -> None:
        await kept.cache.delete(f"{name}:{shelf}")

    return kept, forget


def with_ours(db: Database) -> tuple[Ask, Forget]:
    cache = QueryCache(db.open_feed())
    db.after_commit = cache.settle
    reader = CachedReader(db, cache, CACHED)

    async def ask(name: str, shelf: int) -> list[Found]:
        return await reader.fetch_all(ASKED[name], shelf=shelf)

    async def forget(_: str, __: int) -> None:
        """Nothing is to be said: the database tells."""

    return ask, forget


CACHES = {"cashews": with_cashews, "aiocache": with_aiocache, "vacancy": with_ours}


async def run_part(part: Part) -> None:
    db = await connect(part.url)
    ask, forget = CACHES[part.cache](db)
    with Board(Path(part.board)) as board:
        rng = random.Random(part.number)
        questions = [q for q in exact_questions() if q.statement.name in ASKED]
        readers = [_read(part, board, ask, questions, random.Random(i)) for i in range(READERS)]
        await asyncio.gather(*readers, _write(part, board, db, forget, rng))
    await db.close()


async def _read(
    part: Part, board: Board, ask: Ask, questions: list[Question], rng: random.Random
) -> None:
    words = board.words
    while not words[STOP]:
        question = rng.choice(questions)
        noted = board.acked_bytes(question.first, question.span)
        rows = await ask(question.statement.name, question.params["shelf"])
        words[READS + part.number] += 1
        age_ms = stale_ms(board, question, noted, rows)
        if age_ms:
            words[STALE + part.number] += 1
            oldest_us = words[OLDEST_US + part.number]
            words[OLDEST_US + part.number] = max(oldest_us, round(age_ms * 1000))
        if rng.random() < 0.3:
            await asyncio.sleep(0)


async def _write(
    part: Part, board: Board, db: Database, forget: Forget, rng: random.Random
) -> None:
    owner = Owner(board, part.number, "postgresql", rng, foreign=False)
    while not board.words[STOP]:
        touched: Touched = await db.transact(owner.change)
        for name, shelf in _keys_of(touched, part.number):
            await forget(name, shelf)
        owner.acknowledge(touched)
        await asyncio.sleep(rng.expovariate(CHANGES_PER_S))


def _keys_of(touched: Touched, owner: int) -> set[tuple[str, int]]:
    """What a change may have touched. A book may have stood on any shelf of its owner."""
    keys: set[tuple[str, int]] = set()
    for cell in touched:
        number = cell - shelf_cell(owner, 0)
        if number < SHELVES:
            keys.add((SHELF.name, shelf_id(owner, number)))
        else:
            keys.update((BOOKS.name, shelf_id(owner, shelf)) for shelf in range(SHELVES))
    return keys


def measure(cache: str, url: str, folder: Path, processes: int, seconds: float) -> list[str]:
    """A line of the table."""
    asyncio.run(make_tables(url, first_rows()))
    path = folder / f"board-{cache}-{processes}"
    with Board(path, create=True) as board:
        parts = [Part(cache, url, str(path), number) for number in range(1, processes + 1)]
        running = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "benchmarks.public_caches", "--part"),
                    msgspec.json.encode(part).decode(),
                ],
                cwd=PROJECT,
            )
            for part in parts
        ]
        time.sleep(seconds)
        board.words[STOP] = 1
        for process in running:
            assert process.wait() == 0
        words = board.words
        reads = sum(words[READS : READS + 8])
        stale = sum(words[STALE : STALE + 8])
        oldest_ms = max(words[OLDEST_US : OLDEST_US + 8]) / 1000
        versions = sum(board.save()[1]) - CELLS
    age = f"{oldest_ms:,.1f} ms" if stale else ""
    share = f"{100 * stale / reads:.3f} %"
    return [cache, str(processes), f"{versions:,}", f"{reads:,}", f"{stale:,}", share, age]


class _HeldDatabase:
    """A database whose next answer comes late."""

    def __init__(self, db: Database) -> None:
        self.go = asyncio.Event()
        self.asked = asyncio.Event()
        self._db = db

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def fetch_all(self, statement: Any, **params: Any) -> list[Any]:
        rows: list[Any] = await self._db.fetch_all(statement, **params)
        self.asked.set()
        await self.go.wait()
        return rows


async def fill_over_a_write(cache: str, url: str) -> str:
    """The common hole, step by step: a fill begins, a write is committed and its key deleted, the
    fill ends. What is answered from then on?"""
    await make_tables(url, first_rows())
    db = await connect(url)
    held = _HeldDatabase(db)
    with tempfile.TemporaryDirectory() as folder, Board(Path(folder) / "b", create=True) as board:
        ask, forget = CACHES[cache](cast(Database, held))
        owner = Owner(board, 1, "postgresql", random.Random(1), foreign=False)
        shelf = shelf_id(1, 0)
        filling = asyncio.ensure_future(ask(SHELF.name, shelf))
        await held.asked.wait()

        async def unit(tx: Transaction) -> None:
            await tx.execute(SET_SHELF, id=shelf, version=owner.board.attempt(shelf_cell(1, 0)))

        await db.transact(unit)
        await forget(SHELF.name, shelf)
        held.go.set()
        await filling
        (row,) = await ask(SHELF.name, shelf)
    await db.close()
    return "the new version" if row.version == 2 else f"the old version, for up to {TTL_S} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--part", type=lambda text: msgspec.json.decode(text, type=Part))
    given = parser.parse_args()
    if given.part is not None:
        asyncio.run(run_part(given.part))
        return
    lines: list[list[str]] = []
    holes: list[tuple[str, str]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres_server(Path(folder) / "postgres") as server,
    ):
        for cache in CACHES:
            if importlib.util.find_spec(cache) is None:
                print(f"{cache} is not installed and left out")
                continue
            server.create_database(f"{cache}_hole")
            hole = asyncio.run(fill_over_a_write(cache, server.url(f"{cache}_hole")))
            holes.append((cache, hole))
            for processes in (1, 2):
                name = f"{cache}_{processes}"
                server.create_database(name)
                url = server.url(name)
                lines.append(measure(cache, url, Path(folder), processes, given.seconds))
    headers = ("Cache", "Processes", "Versions", "Reads", "Stale", "Share", "Oldest")
    print(text_table(headers, lines))
    print()
    print(text_table(("Cache", "After a fill that began before a write"), holes))


if __name__ == "__main__":
    main()
