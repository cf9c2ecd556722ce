"""One process of the run: `python -m tests.cache.checker_process JOB`. Ours read through the cache
and write; the foreign one only writes, with drivers of its own."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from tests.cache.board import (
    EPOCH,
    HELD_BY_OWNER,
    LEAVES,
    PAUSED,
    READS,
    STOP,
    UNJUDGED,
    Board,
    leaf_cell,
    leaf_id,
    now_ns,
)
from tests.cache.judge import (
    UNJUDGED as NOT_KNOWN,
)
from tests.cache.judge import (
    Question,
    bounded_questions,
    exact_questions,
    judge_bounded,
    judge_exact,
    owner_of,
)
from tests.cache.owner import Owner, Touched
from tests.cache.tables import BOUND_MS, CACHED, SET_LEAF
from tests.runnable import Statement as OwnStatement
from vacancy.cache.query_cache import Limits, QueryCache
from vacancy.cache.reader import CachedReader
from vacancy.cache.scopes import one_look
from vacancy.db.change_log import AT_ONCE as AT_ONCE_PRUNED
from vacancy.db.change_log import KEEP_ROWS, KEEP_STATEMENTS, NOTE_PRUNING, PRUNE_LOG
from vacancy.db.connect import connect, engine_of, sqlite_path
from vacancy.db.database import Database, Transaction
from vacancy.db.statement import NoRow, Statement
from vacancy.errors import Unavailable, VacancyError

BOUND_NS = BOUND_MS * 1_000_000
AT_ONCE = 200
"""So many reads without a turn for the others."""


IN_A_ROW = 12
"""So many changes of the same rows follow one another at once, now and then."""


class Part(msgspec.Struct, frozen=True):
    """What one process does in the run."""

    url: str
    board: str
    folder: str
    number: int
    """Its place on the board, and the owner whose rows it writes; 0 is the foreign program."""
    seed: int
    changes_per_s: float = 60.0
    entries: int = 1_000


class RolledBack(Exception):
    """Raised in a unit to undo it."""


class Process:
    """One process of ours while it runs."""

    def __init__(self, part: Part, board: Board, db: Database, reader: CachedReader) -> None:
        self.part = part
        self.board = board
        self.db = db
        self.reader = reader
        self.rng = random.Random(part.seed)
        self.owner = Owner(board, part.number, db.engine, self.rng, foreign=False)
        self.exact = exact_questions()
        self.bounded = bounded_questions()
        self.reads = 0
        self._last: dict[int, tuple[bytes, list[Any]]] = {}
        """By question: what was noted and answered when it was last judged to be right."""

    @property
    def going(self) -> bool:
        return not self.board.words[STOP]

    async def accuse(self, question: Question, wrong: str, how: str, epoch: int) -> None:
        """Tells what is wrong, and what the same question is answered at once past the cache and
        through it: whether the store is old or what lies behind it."""
        if epoch % 2 or self.board.words[EPOCH] != epoch:
            return self.tell(wrong, how, epoch)
        past = await self.db.fetch_all(question.statement, **question.params)
        again = await self.reader.fetch_all(question.statement, **question.params)
        stats = self.reader.cache.stats()
        return self.tell(
            f"{wrong}. Past the cache: {past}. Asked again: {again}. Looks: {stats.looks}, failed:"
            f" {stats.looks_failed}, emptied {stats.clears} times, last: {stats.last_clear}",
            how,
            epoch,
        )

    def tell(self, wrong: str, how: str, epoch: int) -> None:
        """Ends the run. While another state is put in the place of the tables nothing is judged."""
        if epoch % 2 or self.board.words[EPOCH] != epoch:
            self.board.words[UNJUDGED + self.part.number] += 1
            self._last.clear()
            return
        tell(self.part, f"{how}: {wrong}")
        self.board.words[STOP] = 1

    def count(self, reads: int) -> None:
        self.board.words[READS + self.part.number] += reads

    # What it reads.

    async def ask(
        self, number: int, question: Question, noted: bytes, epoch: int, how: str
    ) -> None:
        rows = await self.reader.fetch_all(question.statement, **question.params)
        last = self._last.get(number)
        if last is not None and last[0] == noted and last[1] == rows:
            return
        wrong = judge_exact(self.board, question, noted, rows)
        if wrong:
            await self.accuse(question, wrong, how, epoch)
        else:
            self._last[number] = (noted, rows)

    async def read_at_full_speed(self) -> None:
        """Each read by itself: where looks are instant."""
        board, questions, rng = self.board, self.exact, self.rng
        while self.going:
            epoch = board.words[EPOCH]
            for number in rng.choices(range(len(questions)), k=AT_ONCE):
                question = questions[number]
                noted = board.acked_bytes(question.first, question.span)
                await self.ask(number, question, noted, epoch, "exact")
            self.count(AT_ONCE)
            await asyncio.sleep(0)

    async def read_one_by_one(self) -> None:
        """Each read with a look of its own, which it may share."""
        while self.going:
            epoch = self.board.words[EPOCH]
            number = self.rng.randrange(len(self.exact))
            question = self.exact[number]
            noted = self.board.acked_bytes(question.first, question.span)
            await self.ask(number, question, noted, epoch, "strict")
            self.count(1)

    async def read_in_scopes(self) -> None:
        """Many reads after one look, as in a request: all as fresh as the first."""
        while self.going:
            epoch = self.board.words[EPOCH]
            with one_look():
                noted = [self.board.acked_bytes(q.first, q.span) for q in self.exact]
                for number in self.rng.choices(range(len(self.exact)), k=2 * AT_ONCE):
                    await self.ask(number, self.exact[number], noted[number], epoch, "in one look")
            self.count(2 * AT_ONCE)
            await asyncio.sleep(0)

    async def read_within_the_bound(self) -> None:
        while self.going:
            epoch = self.board.words[EPOCH]
            for question in self.rng.choices(self.bounded, k=AT_ONCE // 4):
                await self.ask_bounded(question, epoch)
            self.count(AT_ONCE // 4)
            await asyncio.sleep(self.rng.choice((0, 0, 0.001, 0.15, 0.3)))

    async def ask_bounded(self, question: Question, epoch: int) -> None:
        noted = self.board.acked_bytes(question.first, question.span)
        began_ns = now_ns()
        rows = await self.reader.fetch_all(question.statement, **question.params)
        own = all(owner_of(cell.cell) == self.part.number for cell in question.cells)
        if own or self.reader.cache.instant:
            wrong = judge_exact(self.board, question, noted, rows)
            how = "bounded, own rows" if own else "bounded, where all is exact"
        else:
            wrong = judge_bounded(self.board, question, began_ns, BOUND_NS, rows)
            how = "bounded"
            if wrong == NOT_KNOWN:
                self.board.words[UNJUDGED + self.part.number] += 1
                return
        if wrong:
            await self.accuse(question, wrong, how, epoch)

    async def read_slowly(self) -> None:
        """Queries of one's own that take their time: writes fall into them, others join them."""
        while self.going:
            epoch = self.board.words[EPOCH]
            # Few of them, so that they meet: a row's own, a table's, and the leaves.
            question = self.rng.choice((*self.exact[:5], *self.exact[-LEAVES:]))
            noted = self.board.acked_bytes(question.first, question.span)
            pauses = self.rng.randrange(1, 6)

            async def query(question: Question = question, pauses: int = pauses) -> tuple[Any, ...]:
                found = await self.db.fetch_all(question.statement, **question.params)
                for _ in range(pauses):
                    await asyncio.sleep(0.001)
                return tuple(found)

            tags = next(one.tags for one in CACHED if one.statement is question.statement)
            rows = await self.reader.cache.with_cache(
                ("slow", question.statement.name, tuple(question.params.values())),
                query,
                60,
                tags=tags(question.params, ()),
            )
            wrong = judge_exact(self.board, question, noted, list(rows))
            if wrong:
                await self.accuse(question, wrong, "a query of one's own", epoch)
            self.count(1)
            await asyncio.sleep(0)

    # What it writes.

    async def write(self) -> None:
        while self.going:
            await hold_where_told(self.board, self.part.number)
            chance = self.rng.random()
            if chance < 0.02:
                await self.db.transact(prune_a_little)
            elif chance < 0.15:
                await self.write_and_undo()
            else:
                epoch = self.board.words[EPOCH]
                touched = await self.db.transact(self.owner.change)
                self.owner.acknowledge(touched)
                for question in self.rng.sample(self.bounded, 3):
                    await self.ask_bounded(question, epoch)
            await asyncio.sleep(self.rng.expovariate(self.part.changes_per_s))

    async def write_nothing(self) -> None:
        while self.going:
            await hold_where_told(self.board, self.part.number)
            await asyncio.sleep(0.005)

    async def write_and_undo(self) -> None:
        async def unit(tx: Transaction) -> None:
            await self.owner.spoil(tx)
            question = self.exact[2 + self.rng.randrange(len(self.exact) - 2)]
            await self.reader.fetch_all(question.statement, **question.params)
            raise RolledBack

        try:
            await self.db.transact(unit, repeatable=False)
        except RolledBack:
            return

    async def again(self, doing: Callable[[], Awaitable[None]]) -> None:
        """Does it until the run ends. That the database is away for a while is no fault of the
        cache; anything else is."""
        while self.going:
            epoch = self.board.words[EPOCH]
            try:
                await doing()
            except VacancyError as error:
                if not isinstance(error, Unavailable) and self.board.words[EPOCH] == epoch:
                    note(self.part, f"{error.code}: {error}")
                await asyncio.sleep(0.01)
            except Exception:  # noqa: BLE001 - whatever comes is told
                self.tell(traceback.format_exc(), "an error that nobody expects", epoch)


async def prune_a_little(tx: Transaction) -> None:
    """The product's own pruning, with far smaller numbers."""
    if await tx.execute(NOTE_A_LITTLE):
        await tx.execute(PRUNE_LOG)


def _smaller(text: str) -> str:
    for number, smaller in ((KEEP_ROWS, 15), (KEEP_STATEMENTS, 15), (AT_ONCE_PRUNED, 10)):
        text = text.replace(str(number), str(smaller))
    return text


NOTE_A_LITTLE = OwnStatement(
    "checker.note_pruning",
    _smaller(NOTE_PRUNING.sqlite),
    postgresql=_smaller(NOTE_PRUNING.postgresql),
    row=NoRow,
)


def tell(part: Part, wrong: str) -> None:
    (Path(part.folder) / f"violation-{part.number}").write_text(wrong)


def note(part: Part, what: str) -> None:
    with (Path(part.folder) / f"notes-{part.number}").open("a") as file:
        file.write(what + "\n")


async def hold_where_told(board: Board, owner: int) -> bool:
    """While the whole run is held nobody writes; answers whether it was."""
    if not board.words[PAUSED]:
        return False
    board.words[HELD_BY_OWNER + owner] = 1
    while board.words[PAUSED] and not board.words[STOP]:  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(0.002)
    board.words[HELD_BY_OWNER + owner] = 0
    return True


async def _connect_when_it_is_there(part: Part, board: Board, options: dict[str, Any]) -> Database:
    while True:
        try:
            return await connect(part.url, connections=8, **options)
        except Unavailable:
            if board.words[STOP]:
                raise
            await asyncio.sleep(0.05)


async def run_ours(part: Part, board: Board) -> None:
    options: dict[str, Any] = {}
    if engine_of(part.url) == "sqlite":
        options["synchronous"] = "OFF"
    db = await _connect_when_it_is_there(part, board, options)
    policy = "s3fifo" if part.number % 2 else "lru"
    cache = QueryCache(db.open_feed(), limits=Limits(max_entries=part.entries, policy=policy))
    db.after_commit = cache.settle
    process = Process(part, board, db, CachedReader(db, cache, CACHED))
    readers: list[Callable[[], Awaitable[None]]] = (
        [process.read_at_full_speed, process.read_within_the_bound]
        if cache.instant
        else [
            *([process.read_one_by_one] * 4),
            *([process.read_in_scopes] * 2),
            *([process.read_within_the_bound] * 2),
        ]
    )
    doing = [*readers, *([process.read_slowly] * 3), process.write]
    if not cache.instant and part.seed % 2:
        # Strict reads and commits look all the time; only without them does a bound matter.
        doing = [*([process.read_within_the_bound] * 2), process.write_nothing]
    try:
        await asyncio.gather(*(process.again(one) for one in doing))
    finally:
        db.after_commit = None
        await cache.close()
        await db.close()


class SqliteShell:
    """A transaction of Python's own `sqlite3`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        return self._connection.execute(statement.sqlite, params).rowcount

    async def fetch_all(self, statement: Statement[Any], **params: Any) -> list[Any]:
        found = self._connection.execute(statement.sqlite, params)
        return [statement.row(*row) for row in found.fetchall()]


class PostgresShell:
    """A transaction of a bare connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        values = [params[name] for name in statement.order]
        status = await self._connection.execute(statement.postgresql, *values)
        last = status.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def fetch_all(self, statement: Statement[Any], **params: Any) -> list[Any]:
        values = [params[name] for name in statement.order]
        found = await self._connection.fetch(statement.postgresql, *values)
        return [statement.row(*row) for row in found]


async def run_foreign_file(part: Part, board: Board) -> None:
    rng = random.Random(part.seed)
    owner = Owner(board, 0, "sqlite", rng, foreign=True)

    def open_file() -> sqlite3.Connection:
        connection = sqlite3.connect(sqlite_path(part.url), isolation_level=None, timeout=10)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    connection = open_file()
    in_a_row = 0
    while not board.words[STOP]:
        if board.words[PAUSED]:
            connection.close()
            await hold_where_told(board, 0)
            connection = open_file()
        tx = SqliteShell(connection)
        connection.execute("BEGIN IMMEDIATE")
        chance = rng.random()
        if chance < 0.1:
            await owner.spoil(tx)
            connection.execute("ROLLBACK")
        else:
            in_a_row = in_a_row - 1 if in_a_row else IN_A_ROW * (chance > 0.9)
            touched = await (owner.change_leaves(tx) if in_a_row else owner.change(tx))
            if chance < 0.3:
                connection.execute("SAVEPOINT here")
                await owner.spoil(tx)
                connection.execute("ROLLBACK TO here")
            connection.execute("COMMIT")
            owner.acknowledge(touched)
        await asyncio.sleep(rng.expovariate(1000 if in_a_row else part.changes_per_s))


async def run_foreign_server(part: Part, board: Board) -> None:
    import asyncpg

    rng = random.Random(part.seed)
    owner = Owner(board, 0, "postgresql", rng, foreign=True)
    settings = {"lock_timeout": "5s"}
    first = await asyncpg.connect(part.url, server_settings=settings)
    second = await asyncpg.connect(part.url, server_settings=settings)
    calm = Owner(board, 0, "postgresql", rng, foreign=False)
    in_a_row = 0
    while not board.words[STOP]:
        await hold_where_told(board, 0)
        chance = 1.0 if in_a_row else rng.random()
        await first.execute("BEGIN")
        try:
            tx = PostgresShell(first)
            if chance < 0.1:
                await owner.spoil(tx)
                await first.execute("ROLLBACK")
                continue
            touched: Touched = {}
            if chance < 0.2:
                await first.execute("SET LOCAL session_replication_role = replica")
                await calm._set_shelf(tx, touched)
            elif chance < 0.5:
                touched = await calm.change(tx)
                await _overtake(board, second, rng)
                await asyncio.sleep(rng.uniform(0, 0.1))
            else:
                in_a_row = in_a_row - 1 if in_a_row else IN_A_ROW * (chance > 0.9)
                touched = await (owner.change_leaves(tx) if in_a_row else owner.change(tx))
                if chance < 0.6:
                    await first.execute("SAVEPOINT here")
                    await owner.spoil(tx)
                    await first.execute("ROLLBACK TO here")
            await first.execute("COMMIT")
            owner.acknowledge(touched)
        except asyncpg.PostgresError as error:
            note(part, str(error))
            await first.execute("ROLLBACK")
        await asyncio.sleep(rng.expovariate(1000 if in_a_row else part.changes_per_s))


async def _overtake(board: Board, connection: Any, rng: random.Random) -> None:
    """A transaction that began later and is committed first."""
    leaf = rng.randrange(LEAVES)
    version = board.attempt(leaf_cell(leaf))
    await PostgresShell(connection).execute(SET_LEAF, id=leaf_id(leaf), version=version)
    board.acknowledge(leaf_cell(leaf), version, 1)


def _disturb_the_wall_clock(rng: random.Random) -> None:
    """Somebody sets it all the time. Nothing here may depend on it."""
    real = time.time
    time.time = lambda: real() + rng.uniform(-1e5, 1e5)


def main(part: Part) -> None:
    _disturb_the_wall_clock(random.Random(part.seed))
    with Board(Path(part.board)) as board:
        if part.number:
            asyncio.run(run_ours(part, board))
        elif engine_of(part.url) == "sqlite":
            asyncio.run(run_foreign_file(part, board))
        else:
            asyncio.run(run_foreign_server(part, board))


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Part))
