"""The helpers of bookings and payments run one statement, and fetch no more rows than they promise,
however much they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import apsw
import asyncpg
import pytest

from tests.booked import Line, Paid, Stay, insert
from tests.hotels import HandClock
from tests.nights import DAYS, NOW, PLACES
from vacancy.contracts.contract import contract_of
from vacancy.contracts.measure import Call, judge_costs, measure
from vacancy.db.connect import connect, sqlite_path
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.model import Actor
from vacancy.hotel.queries import (
    find_booking_property,
    get_booking_details,
    get_bookings_by_ids,
    get_bookings_for_date_range,
    get_user_bookings_with_room_type,
    get_user_payment_summary,
)
from vacancy.hotel.queries.bookings import MAX_IDS, MAX_PAGE

SIZES = (1, 10, 100, 1000)
STAFF = Actor(7, "staff")
Ask = Callable[..., Awaitable[Any]]
FIRST, LAST = DAYS[0], DAYS[0] + timedelta(days=300)


def stays_of(size: int) -> list[Stay]:
    """The bookings of one user, of two lines each, with two payments, a bill and three steps."""
    return [
        Stay(
            number=size * 10_000 + number,
            code="summit",
            user_id=1_000 + size,
            status="confirmed",
            check_in=DAYS[0] + timedelta(days=size % 7 + number % 30),
            nights=2,
            lines=(Line("double", 1, 2, 100), Line("suite", 1, 0, 0)),
            paid=(Paid("succeeded", 200, 0, "USD", ()), Paid("pending", 100, 0, "EUR", ())),
            steps=(("booking.created", 7, {"status": "confirmed"}),) * 3,
        )
        for number in range(size)
    ]


async def furnish(url: str, size: int) -> None:
    """A database with one property and so many bookings in it."""
    await migrate_database(url)
    at, place = "'2026-01-01T00:00:00.000000Z'", PLACES["summit"]
    texts = [
        "INSERT INTO properties (id, code, name, currency, time_zone, max_stay_nights, created_at)"
        f" VALUES ({place.id}, 'summit', 'Summit', 'USD', 'UTC', 400, {at})",
        *(
            "INSERT INTO room_types (id, property_id, code, name, price_minor, max_adults,"
            f" created_at) VALUES ({place.kind_id(kind)}, {place.id}, '{kind}', 'Kind', 1, 2, {at})"
            for kind in place.prices
        ),
        "INSERT INTO users (id, name, email, created_at)"
        f" VALUES ({1_000 + size}, 'Ada', 'ada@example.org', {at})",
        *insert(stays_of(size)),
    ]
    if url.startswith("sqlite"):
        connection = apsw.Connection(str(sqlite_path(url)))
        connection.execute(";\n".join(("BEGIN", *texts, "COMMIT")))
        connection.close()
    else:
        other = await asyncpg.connect(url)
        await other.execute(";\n".join(texts))
        await other.close()


def questions(size: int) -> list[tuple[str, int, Ask, Call]]:
    """The statement that may run, the rows that it fetches, the helper, and its call."""
    user_id, stays = 1_000 + size, stays_of(size)
    page = min(size, MAX_PAGE + 1)
    desk: list[tuple[str, dict[str, Any]]] = [
        ("", {}),
        ("_of_status", {"status": "confirmed"}),
        ("_of_room_type", {"room_type": "suite"}),
        ("_of_room_type_and_status", {"room_type": "suite", "status": "confirmed"}),
    ]
    return [
        *(
            (
                f"bookings.get_user_bookings_{name}",
                page,
                get_user_bookings_with_room_type,
                lambda ask, db, said=said: ask(db, user_id, limit=MAX_PAGE, **said),
            )
            for name, said in (
                ("with_room_type", {}),
                ("with_room_type", {"include_payments": True}),
                ("of_status", {"status": "confirmed", "include_payments": True}),
            )
        ),
        *(
            (
                f"bookings.get_bookings_for_date_range{name}",
                page,
                get_bookings_for_date_range,
                lambda ask, db, said=said: ask(
                    db, "summit", FIRST, LAST, limit=MAX_PAGE, include_user=True, **said
                ),
            )
            for name, said in desk
        ),
        (
            "bookings.get_bookings_for_date_range",
            1,
            get_bookings_for_date_range,
            lambda ask, db: ask(db, "summit", LAST, LAST + timedelta(days=1)),  # nobody is there
        ),
        (
            "bookings.get_bookings_by_ids",
            min(size, MAX_IDS),
            get_bookings_by_ids,
            lambda ask, db: ask(db, [stay.id for stay in stays][:MAX_IDS], STAFF),
        ),
        (
            "bookings.get_booking_details",
            1,
            get_booking_details,
            lambda ask, db: ask(db, stays[0].id, STAFF),
        ),
        (
            "bookings.find_booking_property",
            1,
            find_booking_property,
            lambda ask, db: ask(db, stays[0].id),
        ),
        (
            "payments.get_user_payment_summary",
            2,
            get_user_payment_summary,
            lambda ask, db: ask(db, user_id),
        ),
    ]


@pytest.mark.parametrize("size", SIZES)
def test_one_statement_and_no_row_too_many(database_url: str, size: int) -> None:
    async def story() -> None:
        await furnish(database_url, size)
        db = await connect(database_url, clock=HandClock(NOW))
        try:
            for name, rows, helper, call in questions(size):
                contract = contract_of(helper)
                cost = await measure(db, contract, size, call)
                assert (cost.statements, cost.rows) == ({name: 1}, rows), name
                assert judge_costs(contract, db.engine, [cost]) == []
        finally:
            await db.close()

    asyncio.run(story())
