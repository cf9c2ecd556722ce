"""What `db` promises of transactions and readers, on both databases."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.hotels import HandClock
from tests.things import (
    ADD,
    COUNT,
    GET,
    INSERT,
    LIST,
    SLOW,
    Number,
    Thing,
    a_database,
    count,
    insert,
    number_of,
    values_of,
)
from vacancy.db.connect import connect, sqlite_path
from vacancy.db.database import ATTEMPTS, Repeat, Transaction
from vacancy.db.sqlite.locks import PresenceLock
from vacancy.errors import Conflict, Unavailable, Unsupported, VacancyError

WAIT_S = 30.0


def test_a_unit_is_done_whole_or_not_at_all(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:

            async def good(tx: Transaction) -> str:
                assert await tx.execute_set(INSERT, [values_of(Thing(1, 5))]) == 1
                assert await tx.execute(ADD, id=1, by=2) == 1
                assert await tx.execute(ADD, id=99, by=2) == 0
                assert await tx.fetch_one(GET, id=1) == Thing(1, 7)
                return "the answer"

            assert await db.transact(good) == "the answer"

            async def bad(tx: Transaction) -> None:
                await tx.execute(ADD, id=1, by=100)
                await tx.execute_set(INSERT, [values_of(Thing(n)) for n in range(2, 600)])
                raise KeyError("why")

            with pytest.raises(KeyError, match="why"):
                await db.transact(bad)

            async def half(tx: Transaction) -> None:
                await tx.execute(ADD, id=1, by=100)
                # The last of 600 rows is refused, after two whole chunks on SQLite.
                rows = [values_of(Thing(n)) for n in range(2, 600)]
                await tx.execute_set(INSERT, [*rows, values_of(Thing(1))])

            with pytest.raises(Conflict):
                await db.transact(half)
            assert await db.fetch_all(LIST) == [Thing(1, 7)]

    asyncio.run(story())


def test_a_unit_may_ask_to_be_repeated(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            attempts: list[int] = []

            async def unit(tx: Transaction) -> int:
                attempts.append(len(attempts))
                await tx.execute_set(INSERT, [values_of(Thing(len(attempts)))])
                if len(attempts) == 1:
                    raise Repeat
                return len(attempts)

            assert await db.transact(unit) == 2
            assert [thing.id for thing in await db.fetch_all(LIST)] == [2]

            async def never(tx: Transaction) -> None:
                attempts.append(0)
                raise Repeat

            attempts.clear()
            with pytest.raises(Repeat):
                await db.transact(never, repeatable=False)
            assert len(attempts) == 1
            with pytest.raises(Repeat):
                await db.transact(never)
            assert len(attempts) == 1 + ATTEMPTS

    asyncio.run(story())


def test_a_caller_that_gives_up_does_not_undo_the_unit(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            begun, go_on = asyncio.Event(), asyncio.Event()

            async def unit(tx: Transaction) -> None:
                await tx.execute_set(INSERT, [values_of(Thing(1))])
                begun.set()
                await go_on.wait()
                await tx.execute_set(INSERT, [values_of(Thing(2))])

            caller = asyncio.ensure_future(db.transact(unit))
            await begun.wait()
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
            assert await count(db) == 0
            go_on.set()
            # Closing waits for the unit; then another handle finds both rows.
            await db.close()
            again = await connect(database_url)
            assert await count(again) == 2
            await again.close()

    asyncio.run(story())


def test_writers_take_turns_and_lose_nothing(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            await insert(db, Thing(1, 0))

            async def unit(tx: Transaction) -> None:
                await tx.execute(ADD, id=1, by=1)
                await asyncio.sleep(0)
                await tx.execute(ADD, id=1, by=1)

            await asyncio.gather(*(db.transact(unit) for _ in range(50)))
            assert await number_of(db, 1) == 100

    asyncio.run(story())


def test_now_is_fixed_at_the_start(database_url: str) -> None:
    async def story() -> None:
        clock = HandClock()
        async with a_database(database_url, clock=clock) as db:

            async def unit(tx: Transaction) -> tuple[datetime, datetime]:
                before = tx.now
                clock.move(timedelta(hours=1))
                await tx.fetch_one(COUNT)
                return before, tx.now

            before, after = await db.transact(unit)
            assert before == after == clock.now - timedelta(hours=1)

    asyncio.run(story())


def test_a_reader_beside_a_writer_sees_what_was_committed(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            await insert(db, Thing(1, 5))

            async def unit(tx: Transaction) -> int | None:
                await tx.execute(ADD, id=1, by=1)
                outside = await number_of(db, 1)
                inside = await tx.fetch_one(GET, id=1)
                assert inside is not None
                assert inside.number == 6
                return outside

            assert await db.transact(unit) == 5
            assert await number_of(db, 1) == 6

    asyncio.run(story())


def test_a_heavy_statement_holds_up_no_quick_one(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            heavy = asyncio.ensure_future(db.fetch_one(SLOW))
            await asyncio.sleep(0)
            for number in range(1, 11):
                await insert(db, Thing(number))
                assert await count(db) == number
            assert not heavy.done()
            assert await heavy == Number(2_000_000)

    asyncio.run(story())


def test_two_handles_on_one_database_in_two_threads(database_url: str) -> None:
    """Each thread has its own loop and handle; the threads write the same row."""
    rounds = 40

    async def add(url: str) -> None:
        db = await connect(url)

        async def unit(tx: Transaction) -> None:
            row = await tx.fetch_one(GET, id=1)
            assert row is not None
            await tx.execute(ADD, id=1, by=1)

        for _ in range(rounds):
            await db.transact(unit)
        await db.close()

    async def story() -> None:
        async with a_database(database_url) as db:
            await insert(db, Thing(1, 0))
            threads = [
                threading.Thread(target=asyncio.run, args=(add(database_url),)) for _ in range(2)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.to_thread(thread.join, WAIT_S)
                assert not thread.is_alive()
            assert await number_of(db, 1) == 2 * rounds

    asyncio.run(story())


def test_closed_is_closed(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            await db.close()
            await db.close()
            with pytest.raises(VacancyError) as reading:
                await db.fetch_all(LIST)
            with pytest.raises(VacancyError) as writing:
                await insert(db, Thing(1))
            assert {reading.value.code, writing.value.code} == {"DATABASE_CLOSED"}

    asyncio.run(story())


def test_the_trace_counts_every_statement(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            await insert(db, Thing(1), Thing(2))
            await db.fetch_all(LIST)
            await db.fetch_all(LIST)
            with pytest.raises(VacancyError):
                await insert(db, Thing(1))
            assert db.trace.counts() == {INSERT.name: 1, LIST.name: 2}
            stats = db.trace.statements
            assert (stats[LIST.name].rows, stats[INSERT.name].rows) == (4, 2)
            assert (stats[LIST.name].errors, stats[INSERT.name].errors) == (0, 1)
            assert sum(stats[LIST.name].buckets) == db.trace.statements[LIST.name].calls
            assert stats[LIST.name].total_ns > 0
            db.trace.reset()
            assert db.trace.calls == 0

    asyncio.run(story())


def test_a_file_that_is_being_restored_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"

    async def story() -> None:
        async with a_database(url):
            with pytest.raises(Unavailable, match="in use by another process"):
                PresenceLock(sqlite_path(url), exclusive=True)
        restore = PresenceLock(sqlite_path(url), exclusive=True)
        with pytest.raises(Unavailable, match="being replaced by a restore") as refused:
            await connect(url)
        assert refused.value.code == "DATABASE_IN_USE"
        restore.release()
        db = await connect(url)
        assert await count(db) == 0
        await db.close()

    asyncio.run(story())


def test_a_writer_waits_no_longer_than_it_said(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'busy.db'}"

    async def story() -> None:
        async with a_database(url) as db:
            other = await connect(url)
            begun, go_on = asyncio.Event(), asyncio.Event()

            async def hold(tx: Transaction) -> None:
                await tx.execute_set(INSERT, [values_of(Thing(1))])
                begun.set()
                await go_on.wait()

            async def late(tx: Transaction) -> None:
                await tx.execute_set(INSERT, [values_of(Thing(2))])

            holding = asyncio.ensure_future(db.transact(hold))
            await begun.wait()
            with pytest.raises(Unavailable) as refused:
                await other.transact(late, wait_s=0.05)
            assert refused.value.code == "DATABASE_BUSY"
            go_on.set()
            await holding
            # The turn that came too late was given back: both handles write again.
            await insert(other, Thing(3))
            await insert(db, Thing(4))
            assert [thing.id for thing in await db.fetch_all(LIST)] == [1, 3, 4]
            await other.close()

    asyncio.run(story())


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Ada, this is no database. " * 100)
    before = letter.read_bytes()
    with pytest.raises(Unsupported) as refused:
        asyncio.run(connect(f"sqlite:///{letter}"))
    assert refused.value.code == "NOT_A_DATABASE"
    assert letter.read_bytes() == before
