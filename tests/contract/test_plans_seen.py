"""However a text names its tables, the way to each of them is seen and judged."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.shape import open_shape
from tests.things import FIND, Thing, a_database, insert
from vacancy.contracts.access import check_statement
from vacancy.contracts.finding import Kind
from vacancy.db.statement import Access, Statement


class Count(msgspec.Struct, frozen=True):
    count: int


def judged(url: str, sql: str, **served_by: str) -> set[Kind]:
    statement = Statement(
        "test.count",
        f"SELECT COUNT(*) {sql}",
        row=Count,
        reads=tuple(served_by),
        access=Access(served_by=served_by),
    )
    statement.registered = True

    async def story() -> set[Kind]:
        async with open_shape(url) as shape:
            found = await check_statement(await shape.look(), statement)
            return {finding.kind for finding in found}

    return asyncio.run(story())


@pytest.mark.parametrize(
    "table",
    [
        "payments AS y",
        "payments y",
        '"payments" AS y',
        "payments /* all of them */ AS y",
        "-- all of them\n payments AS y",
    ],
)
def test_a_scan_is_seen_whatever_the_table_is_called(database_url: str, table: str) -> None:
    found = judged(
        database_url,
        f"FROM {table} WHERE y.user_id + 0 = :user_id",
        payments="ix_payments_user (user_id)",
    )
    assert found == {"TABLE_SCANNED"}


def test_a_join_by_comma_is_seen(database_url: str) -> None:
    found = judged(
        database_url,
        "FROM bookings AS b, payments AS y WHERE b.id = :booking_id",
        bookings="pk_bookings (id)",
        payments="ix_payments_booking (booking_id)",
    )
    assert found == {"TABLE_SCANNED"}


def test_exists_is_no_scan(database_url: str) -> None:
    found = judged(
        database_url,
        "FROM bookings AS b WHERE b.user_id = :user_id AND EXISTS"
        " (SELECT 1 FROM payments AS y WHERE y.booking_id = b.id)",
        bookings="ix_bookings_user (user_id)",
        payments="ix_payments_booking (booking_id)",
    )
    assert found == set()


def test_a_set_statement_counts_the_rows_that_it_fetches(database_url: str) -> None:
    async def story() -> list[int]:
        async with a_database(database_url) as db:
            await insert(db, *(Thing(id=number) for number in range(3)))
            await db.fetch_set(FIND, [(0,), (1,), (7,), (8,), (9,)])
            stats = db.trace.statements
            return [stats[FIND.name].rows, stats["test.insert_things"].rows]

    assert asyncio.run(story()) == [2, 3]
