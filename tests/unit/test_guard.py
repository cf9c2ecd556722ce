"""The guard counts the statements of a request, says where they were asked for, and lets nothing
run that is not registered."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from tests.things import COUNT, GET, LIST, SLOW, Thing, a_database, count, insert
from vacancy.contracts.guard import watched
from vacancy.db.gate import register, registered_statements
from vacancy.db.statement import NoRow, Statement
from vacancy.errors import Internal


def test_within_the_budget_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with a_database(f"sqlite:///{tmp_path / 'v.db'}") as db:
            with watched("GET /things", 2, "raise") as tally:
                await db.fetch_all(LIST)
                await db.fetch_one(COUNT)
            assert tally.counts == {"test.list_things": 1, "test.count": 1}

    asyncio.run(story())
    assert caplog.records == []


def test_one_too_many_is_named_with_its_place(tmp_path: Path) -> None:
    async def story() -> None:
        async with a_database(f"sqlite:///{tmp_path / 'v.db'}") as db:
            with watched("GET /things", 1, "raise"):
                await db.fetch_all(LIST)
                await db.fetch_one(COUNT)

    with pytest.raises(Internal) as raised:
        asyncio.run(story())
    assert raised.value.code == "STATEMENT_BUDGET_EXCEEDED"
    assert "test.count" in raised.value.detail
    assert "unit/test_guard.py:" in raised.value.detail
    assert "in story" in raised.value.detail


def test_a_loop_is_named_n_plus_one_and_ended(database_url: str) -> None:
    async def look_one_by_one() -> None:
        async with a_database(database_url) as db:
            await insert(db, *(Thing(id=number) for number in range(10)))
            with watched("GET /things", 20, "raise"):
                for number in range(10):
                    await db.fetch_one(GET, id=number)

    with pytest.raises(Internal) as raised:
        asyncio.run(look_one_by_one())
    assert raised.value.code == "STATEMENT_REPEATED"
    assert "N+1" in raised.value.detail
    assert "in look_one_by_one" in raised.value.detail


def test_in_production_it_is_logged_once_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with a_database(f"sqlite:///{tmp_path / 'v.db'}") as db:
            await insert(db, *(Thing(id=number) for number in range(10)))
            with watched("GET /things", 20, "log") as tally:
                for number in range(10):
                    assert await db.fetch_one(GET, id=number) is not None
            assert tally.total == 10

    with caplog.at_level(logging.WARNING, "vacancy.contracts"):
        asyncio.run(story())
    (record,) = caplog.records
    assert record.__dict__["code"] == "STATEMENT_REPEATED"
    assert record.__dict__["statement"] == "test.get_thing"
    assert "unit/test_guard.py:" in record.__dict__["place"]


def test_it_counts_in_transactions_and_on_the_heavy_thread(database_url: str) -> None:
    async def story() -> dict[str, int]:
        async with a_database(database_url) as db:
            with watched("a page", 9, "raise") as tally:
                await insert(db, Thing(id=1))
                await db.fetch_one(SLOW)
            return tally.counts

    assert asyncio.run(story()) == {"test.insert_things": 1, "test.slow": 1}


def test_requests_side_by_side_do_not_count_each_other(database_url: str) -> None:
    async def one(db: object, times: int) -> int:
        with watched("a page", 2, "raise") as tally:
            for _ in range(times):
                await asyncio.sleep(0)
                await db.fetch_one(COUNT)  # type: ignore[attr-defined]
        return tally.total

    async def story() -> list[int]:
        async with a_database(database_url) as db:
            return list(await asyncio.gather(*(one(db, 2) for _ in range(20))))

    assert asyncio.run(story()) == [2] * 20


def test_an_unregistered_statement_does_not_run(database_url: str) -> None:
    rogue: Statement[NoRow] = Statement(
        "test.rogue", "DELETE FROM things", row=NoRow, writes=("things",)
    )

    async def story() -> int:
        async with a_database(database_url) as db:
            await insert(db, Thing(id=1))
            with pytest.raises(Internal, match="STATEMENT_UNREGISTERED"):
                await db.fetch_all(rogue)
            with pytest.raises(Internal, match="STATEMENT_UNREGISTERED"):
                await db.transact(lambda tx: tx.execute(rogue))
            return await count(db)

    assert asyncio.run(story()) == 1


def test_two_statements_cannot_share_a_name() -> None:
    taken = registered_statements()[0]
    with pytest.raises(Internal, match="STATEMENT_TWICE"):
        register([Statement(taken.name, "SELECT 1", row=NoRow)])
    assert registered_statements()[0] is taken
