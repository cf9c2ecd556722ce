"""Hotels of 1, 10, 100 and 1,000 of everything, and a call of every helper for each: what one
answer costs must not hang on how much there is."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from tests.runnable import SetStatement
from vacancy.bootstrap import House
from vacancy.db.database import Database, Transaction
from vacancy.db.statement import NoRow
from vacancy.hotel.accounts import ensure_users
from vacancy.hotel.admission.state import Line
from vacancy.hotel.bulk import PastBooking, write_past_bookings
from vacancy.hotel.model import Actor
from vacancy.hotel.queries import StayCheck
from vacancy.hotel.setup import NewProperty, NewRoomType, create_inventory, create_property

SIZES = (1, 10, 100, 1_000)
FIRST_NIGHT = date(2027, 1, 1)
MADE = datetime(2026, 11, 1, 12, tzinfo=UTC)
_PAGE = 200
_CHECKS = 500
"""The most that one call takes."""
_NIGHTS = 3

_INSERT_PAYMENTS = SetStatement(
    "test.insert_payments",
    """
    INSERT INTO payments (
        id, property_id, booking_id, user_id, status, method, amount_minor, currency, created_at,
        changed_at
    )
    {rows}
    """,
    columns={
        "id": "integer",
        "property_id": "integer",
        "booking_id": "integer",
        "user_id": "integer",
        "status": "text",
        "method": "text",
        "amount_minor": "integer",
        "currency": "text",
        "created_at": "instant",
        "changed_at": "instant",
    },
    row=NoRow,
    writes=("payments",),
)


class Scaled(msgspec.Struct, frozen=True):
    """One hotel of a size."""

    size: int
    property: str
    user_id: int
    booking_ids: list[int]


async def make_scaled(house: House, sizes: Sequence[int] = SIZES) -> list[Scaled]:
    """One hotel for each size: so many room types, bookings of one user, payments of one booking;
    its first room type has so many nights."""
    return [await house.db.transact(partial(_make, house, size)) for size in sizes]


async def _make(house: House, size: int, tx: Transaction) -> Scaled:
    code = f"of-{size}"
    kinds = tuple(
        NewRoomType(code=f"type-{n:04}", name="Room", price_minor=5000, max_adults=2, capacity=size)
        for n in range(size)
    )
    wanted = NewProperty(
        code=code,
        name=code,
        currency="EUR",
        time_zone="UTC",
        first_night=FIRST_NIGHT,
        nights=_NIGHTS,
        room_types=kinds,
    )
    place, types = await create_property(tx, wanted, house.ids.next)
    first = types["type-0000"]
    more = (FIRST_NIGHT + timedelta(days=n) for n in range(_NIGHTS, max(size, _NIGHTS)))
    await create_inventory(tx, first, ((night, size) for night in more))
    user = (await ensure_users(tx, {f"{code}@example.org": code}, house.ids.next))[
        f"{code}@example.org"
    ]
    booking_ids = [house.ids.next() for _ in range(size)]
    await write_past_bookings(
        tx,
        [
            PastBooking(
                id=booking_id,
                property_id=place.id,
                user_id=user.id,
                check_in=FIRST_NIGHT,
                check_out=FIRST_NIGHT + timedelta(days=2),
                lines=(Line(first.id, 1, 2, (5000, 5000)),),
                steps=(("confirmed", MADE),),
                guest_name="Ada",
                guest_email="ada@example.org",
                segment="direct",
                channel="web",
                lead_days=61,
            )
            for booking_id in booking_ids
        ],
        house.ids.next,
        action="test.scaled",
    )
    numbers = itertools.count(size * 10_000)
    what = (place.id, booking_ids[0], user.id, "succeeded", "card", 1, "EUR", MADE, MADE)
    payments = [(next(numbers), *what) for _ in range(size)]
    await tx.execute_set(_INSERT_PAYMENTS, payments)
    return Scaled(size, code, user.id, booking_ids)


def calls_at(scaled: Scaled) -> dict[str, Asked]:
    """A call by helper's name, about as much as the size says or one call takes."""
    place, n = scaled.property, scaled.size
    first, after = FIRST_NIGHT, FIRST_NIGHT + timedelta(days=2)
    staff = Actor(0, "superadmin")
    page = {"limit": min(n, _PAGE)}
    checks = [StayCheck(place, f"type-{i:04}", first, after, 1) for i in range(min(n, _CHECKS))]
    ids = scaled.booking_ids[:_CHECKS]
    asked: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {
        "get_room_types_with_inventory": [((place, first), {})],
        "get_room_type_with_inventory": [
            ((place, "type-0000", first, first + timedelta(days=min(n, 366))), {})
        ],
        "get_user_bookings_with_room_type": [
            ((scaled.user_id,), {**page, "include_payments": True}),
            ((scaled.user_id,), {**page, "status": "confirmed", "include_payments": True}),
            ((scaled.user_id,), {**page, "cursor": str(scaled.booking_ids[-1] + 1)}),
        ],
        "get_bookings_for_date_range": [
            ((place, first, after), {**page, **options})
            for options in (
                {"include_user": True},
                {"status": "confirmed"},
                {"room_type": "type-0000"},
                {"room_type": "type-0000", "status": "confirmed"},
                {"by": "arrival"},
                {"by": "departure", "actor": staff},
            )
        ],
        "get_booking_details": [((scaled.booking_ids[0], staff), {})],
        "check_room_availability": [((place, "type-0000", first, after), {})],
        "get_all_room_availability": [((place, first, after), {})],
        "batch_check_availability": [((checks,), {})],
        "get_booking_statistics": [
            ((place, first, after), {}),
            ((place, first, after, "type-0000"), {}),
        ],
        "get_occupancy_rate": [
            ((place, first, after), {}),
            ((place, first, after, "type-0000"), {}),
            ((place, first, after), {"actor": staff, "basis": "physical"}),
        ],
        "get_user_payment_summary": [((scaled.user_id,), {})],
        "get_bookings_by_ids": [((ids, staff), {})],
        "list_properties": [((), {})],
        "find_property": [((place,), {})],
        "get_property": [((place,), {})],
        "list_room_types": [((place,), {})],
        "find_booking_property": [((scaled.booking_ids[0],), {})],
        "get_kpi_report": [
            ((place, first, after), {"by": "month"}),
            ((place, first, after), {"basis": "physical", "actor": staff}),
        ],
        "get_user": [((scaled.user_id,), {})],
    }
    return {
        f"{name}/{number}": Asked(arguments, options)
        for name, variants in asked.items()
        for number, (arguments, options) in enumerate(variants)
    }


class Asked(msgspec.Struct, frozen=True):
    """A helper's arguments, but for the database."""

    arguments: tuple[Any, ...]
    options: dict[str, Any]

    async def __call__(self, helper: Callable[..., Awaitable[Any]], db: Database) -> Any:
        return await helper(db, *self.arguments, **self.options)

    def fits(self, helper: Callable[..., Awaitable[Any]]) -> bool:
        """Whether it takes them: a faulty one need not take all that the real one does."""
        try:
            inspect.signature(helper).bind(None, *self.arguments, **self.options)
        except TypeError:
            return False
        return True
