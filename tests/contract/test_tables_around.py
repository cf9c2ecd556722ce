"""What the tables of money, waitlist and notifications refuse by themselves, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import apsw
import asyncpg
import pytest

from vacancy.db.connect import sqlite_path
from vacancy.hotel.migrating import migrate_database

AT = "'2027-01-01T10:00:00.000000Z'"
GOOD = {
    "properties": f"VALUES (1, 'alpine', 'n', 'EUR', 'UTC', 90, {AT})",
    "room_types": f"VALUES (1, 1, 'double', 'n', 1, 2, {AT})",
    "users": f"VALUES (1, 'n', 'e', 'regular', {AT})",
    "bookings": (
        f"VALUES (1, 1, 1, 'confirmed', '2027-02-01', '2027-02-03', 'n', 'e', 9000, 'd', 'a', '',"
        f" 31, {AT}, {AT}, NULL)"
    ),
    "payments": (
        f"VALUES (1, 1, 1, 1, 'succeeded', 'card', 9000, 0, 'EUR', 'acme', 'pay_1', {AT}, {AT})"
    ),
    "refunds": f"VALUES (1, 1, 1, 'pending', 4000, '', 're_1', {AT}, {AT})",
    "invoices": f"VALUES (1, 1, 1, 1, 'n', '[]', 9000, 0, 'EUR', {AT})",
    "credit_notes": f"VALUES (1, 1, 1, 1, '[]', 4000, '', {AT})",
    "waitlist": (
        f"VALUES (1, 1, 1, 1, 'offered', '2027-02-01', '2027-02-03', 1, 2, 'n', 'e', 1, {AT}, {AT})"
    ),
    "notifications": (
        f"VALUES (1, 1, 1, 'booking.confirmed', 1, 'email', 'e', '{{}}', 'queued', 0, {AT}, {AT},"
        f" {AT})"
    ),
}
"""One row of each table, in the order in which they may be written."""

ALLOWED = (
    "UPDATE payments SET refunded_minor = 4000, status = 'partially_refunded'",
    "UPDATE payments SET refunded_minor = 9000, status = 'refunded'",
    "UPDATE payments SET status = 'failed', provider = '', provider_ref = ''",
    "UPDATE refunds SET status = 'failed', provider_ref = ''",
    "UPDATE invoices SET credited_minor = 9000",
    "UPDATE waitlist SET status = 'expired'",
    "UPDATE waitlist SET status = 'active', booking_id = NULL",
    "UPDATE notifications SET status = 'failed', attempts = 1",
)
REFUSED = (
    # More back than was paid, or a status that says otherwise than the sums.
    "UPDATE payments SET refunded_minor = 9001, status = 'refunded'",
    "UPDATE payments SET refunded_minor = -1",
    "UPDATE payments SET refunded_minor = 4000",
    "UPDATE payments SET refunded_minor = 4000, status = 'refunded'",
    "UPDATE payments SET refunded_minor = 9000, status = 'partially_refunded'",
    "UPDATE payments SET status = 'refunded'",
    "UPDATE payments SET amount_minor = 0",
    "UPDATE payments SET currency = 'EURO'",
    "UPDATE payments SET status = 'paid'",
    "UPDATE payments SET method = 'shells'",
    "UPDATE payments SET provider = ''",
    "UPDATE payments SET booking_id = 2",
    "UPDATE payments SET user_id = 2",
    "UPDATE payments SET property_id = 2",
    "INSERT INTO payments"
    f" VALUES (2, 1, 1, 1, 'succeeded', 'card', 1, 0, 'EUR', 'acme', 'pay_1', {AT}, {AT})",
    "UPDATE refunds SET amount_minor = 0",
    "UPDATE refunds SET payment_id = 2",
    "UPDATE refunds SET status = 'refunded'",
    f"INSERT INTO refunds VALUES (2, 1, 1, 'pending', 1, '', 're_1', {AT}, {AT})",
    "DELETE FROM payments",
    "UPDATE invoices SET credited_minor = 9001",
    "UPDATE invoices SET number = 0",
    "UPDATE invoices SET booking_id = 2",
    f"INSERT INTO invoices VALUES (2, 1, 1, 1, 'n', '[]', 1, 0, 'EUR', {AT})",
    "UPDATE credit_notes SET total_minor = 0",
    f"INSERT INTO credit_notes VALUES (2, 1, 1, 1, '[]', 1, '', {AT})",
    "DELETE FROM invoices",
    "UPDATE waitlist SET booking_id = NULL",
    "UPDATE waitlist SET status = 'converted', booking_id = NULL",
    "UPDATE waitlist SET check_out = check_in",
    "UPDATE waitlist SET rooms = 0",
    "UPDATE waitlist SET status = 'waiting'",
    "UPDATE waitlist SET room_type_id = 2",
    "INSERT INTO waitlist VALUES"
    f" (2, 1, 1, 1, 'offered', '2027-02-01', '2027-02-03', 1, 2, 'n', 'e', 1, {AT}, {AT})",
    "UPDATE notifications SET status = 'done'",
    "UPDATE notifications SET channel = 'pigeon'",
    "UPDATE notifications SET kind = ''",
    "UPDATE notifications SET attempts = -1",
    "UPDATE notifications SET user_id = 2",
    "DELETE FROM bookings",
    "DELETE FROM users",
)


def test_what_cannot_be_true_is_refused(database_url: str) -> None:
    async def story() -> tuple[list[str], list[str]]:
        await migrate_database(database_url)
        if database_url.startswith("sqlite"):
            return _judged_by_sqlite(database_url)
        return await _judged_by_postgresql(database_url)

    taken, refused = asyncio.run(story())
    assert taken == list(ALLOWED)
    assert refused == list(REFUSED)


@pytest.mark.parametrize("table", [name for name in GOOD if name not in ("users", "properties")])
def test_nothing_is_empty_that_a_constraint_leans_on(postgres_url: str, table: str) -> None:
    """A check passes where its answer is unknown: its columns must not be empty. That an offer has
    its booking is asked with IS NOT NULL, whose answer is known."""

    async def story() -> list[str]:
        await migrate_database(postgres_url)
        connection = await asyncpg.connect(postgres_url)
        try:
            rows = await connection.fetch(
                """
                SELECT DISTINCT c.conname
                FROM pg_constraint AS c
                JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
                WHERE c.conrelid = to_regclass($1)
                    AND c.contype IN ('c', 'u')
                    AND NOT a.attnotnull
                    AND pg_get_constraintdef(c.oid) NOT LIKE '%IS NOT NULL%'
                """,
                table,
            )
            return [row[0] for row in rows]
        finally:
            await connection.close()

    assert asyncio.run(story()) == []


def _judged_by_sqlite(url: str) -> tuple[list[str], list[str]]:
    connection = apsw.Connection(str(sqlite_path(url)))
    connection.execute("PRAGMA foreign_keys = ON")
    for table, row in GOOD.items():
        connection.execute(f"INSERT INTO {table} {row}")

    def passes(sql: str) -> bool:
        connection.execute("BEGIN")
        try:
            connection.execute(sql)
        except apsw.ConstraintError:
            return False
        finally:
            connection.execute("ROLLBACK")
        return True

    judged = _judged(passes)
    connection.close()
    return judged


def _judged(passes: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    return [sql for sql in ALLOWED if passes(sql)], [sql for sql in REFUSED if not passes(sql)]


async def _judged_by_postgresql(url: str) -> tuple[list[str], list[str]]:
    connection = await asyncpg.connect(url)
    outcomes: dict[str, bool] = {}
    try:
        for table, row in GOOD.items():
            await connection.execute(f"INSERT INTO {table} {row}")
        for sql in (*ALLOWED, *REFUSED):
            unit = connection.transaction()
            await unit.start()
            try:
                await connection.execute(sql)
                outcomes[sql] = True
            except asyncpg.IntegrityConstraintViolationError:
                outcomes[sql] = False
            finally:
                await unit.rollback()
    finally:
        await connection.close()
    return _judged(outcomes.__getitem__)
