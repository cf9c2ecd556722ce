"""A call for every helper, on whatever a database holds: how `vacancy perf contracts` runs them on
a live one. They only read."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec

from vacancy.contracts.measure import Call
from vacancy.db.database import Database
from vacancy.hotel.model import Actor
from vacancy.hotel.queries import StayCheck

_LOOKS_ON = Actor(0, "superadmin")
_NIGHTS = 7


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Names of things that are there."""

    property: str
    max_stay_nights: int
    room_type: str
    night: date
    booking_id: int
    user_id: int


async def sample_calls(db: Database) -> dict[str, Call]:
    """A call by helper's name; none where there is nothing to ask for."""
    sample = await find_sample(db)
    return {} if sample is None else calls_of(sample)


async def find_sample(db: Database) -> Sample | None:
    bookings = await db.adhoc(
        """
        SELECT b.id, b.user_id, b.check_in, p.code, p.max_stay_nights, t.code
        FROM (SELECT * FROM bookings ORDER BY id DESC LIMIT 1) AS b
        JOIN properties AS p ON p.id = b.property_id
        JOIN room_stays AS s ON s.booking_id = b.id
        JOIN room_types AS t ON t.id = s.room_type_id
        ORDER BY s.line
        """,
        limit=1,
    )
    if not bookings:
        return None
    booking_id, user_id, night, place, max_stay_nights, room_type = bookings[0]
    if isinstance(night, str):  # as SQLite keeps it
        night = date.fromisoformat(night)
    return Sample(
        property=place,
        max_stay_nights=max_stay_nights,
        room_type=room_type,
        night=night,
        booking_id=booking_id,
        user_id=user_id,
    )


def calls_of(sample: Sample) -> dict[str, Call]:
    """A call for each helper about this sample."""
    place, kind, first = sample.property, sample.room_type, sample.night
    after = first + timedelta(days=min(_NIGHTS, sample.max_stay_nights))
    year = first + timedelta(days=365)
    checks = [StayCheck(place, kind, first, after, rooms) for rooms in range(1, 101)]
    asked: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "get_room_types_with_inventory": ((place, first), {}),
        "get_room_type_with_inventory": ((place, kind, first, after), {}),
        "get_user_bookings_with_room_type": ((sample.user_id,), {"include_payments": True}),
        "get_bookings_for_date_range": ((place, first, after), {"include_user": True}),
        "get_booking_details": ((sample.booking_id, _LOOKS_ON), {}),
        "check_room_availability": ((place, kind, first, after), {}),
        "get_all_room_availability": ((place, first, after), {}),
        "batch_check_availability": ((checks,), {}),
        "get_booking_statistics": ((place, first, year, kind), {}),
        "get_occupancy_rate": ((place, first, year), {}),
        "get_user_payment_summary": ((sample.user_id,), {}),
        "get_bookings_by_ids": (([sample.booking_id], _LOOKS_ON), {}),
        "list_properties": ((), {}),
        "find_property": ((place,), {}),
        "get_property": ((place,), {}),
        "list_room_types": ((place,), {}),
        "find_booking_property": ((sample.booking_id,), {}),
        "get_kpi_report": ((place, first, year), {"by": "month"}),
        "get_user": ((sample.user_id,), {}),
    }
    return {name: _call(db_free, options) for name, (db_free, options) in asked.items()}


def _call(arguments: tuple[Any, ...], options: dict[str, Any]) -> Call:
    return lambda helper, db: helper(db, *arguments, **options)
