"""The front desk's view of a property: who stays, who comes, who leaves."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Literal

from msgspec import UNSET

from vacancy.contracts.contract import contract
from vacancy.db.database import Reader
from vacancy.hotel import refusals
from vacancy.hotel.ids import parse_id
from vacancy.hotel.model import Actor, Status
from vacancy.hotel.queries.bookings import BookingPage, ListedBooking, booking_of, check_limit
from vacancy.hotel.queries.catalogue import get_property
from vacancy.hotel.queries.figures import check_period
from vacancy.hotel.statements import bookings_desk as sql
from vacancy.hotel.statements.bookings_desk import DeskRow

By = Literal["stay", "arrival", "departure"]

MAX_DAYS = 366
"""The longest range."""


@contract(
    sql.GET_BOOKINGS_FOR_DATE_RANGE,
    sql.GET_BOOKINGS_FOR_DATE_RANGE_OF_STATUS,
    sql.GET_BOOKINGS_FOR_DATE_RANGE_OF_ROOM_TYPE,
    sql.GET_BOOKINGS_FOR_DATE_RANGE_OF_ROOM_TYPE_AND_STATUS,
    statements=1,
    rows=lambda page: len(page.items) + 1,
    rows_in_words="one for each booking, and one to know whether more follow",
)
async def get_bookings_for_date_range(
    db: Reader,
    property_code: str,
    from_date: date,
    to_date: date,
    *,
    room_type: str | None = None,
    status: Status | None = None,
    include_user: bool = False,
    by: By = "stay",
    limit: int = 50,
    cursor: str | None = None,
    actor: Actor | None = None,
) -> BookingPage:
    """The bookings of a property in `[from_date, to_date)`, of every status unless one is named, by
    check_in and id, with a cursor on both: stable while others are made.

    `by` says what must lie in the range: a part of the stay (day use: its day), the arrival or the
    departure. `room_type` keeps the bookings with at least one such room. Without an actor it is
    the house itself that asks.

    Raises `Missing` PROPERTY_UNKNOWN, ROOM_TYPE_UNKNOWN; `Forbidden` PROPERTY_NOT_YOURS; `Invalid`
    PERIOD_INVALID, PERIOD_TOO_LONG, VALUE_OUT_OF_RANGE for the limit, CURSOR_INVALID.
    """
    check_period(from_date, to_date, MAX_DAYS)
    check_limit(limit)
    after_date, after_id = (date.min, 0) if cursor is None else _after(cursor)
    asked: dict[str, Any] = {
        "property": property_code,
        "from_date": from_date,
        "to_date": to_date,
        "lookback": 0 if by == "arrival" else 1,
        "leaves_from": from_date,
        "leaves_by": to_date - timedelta(days=1) if by == "departure" else date.max,
        # A stay that ends on the first day is over by then; day use on it is not.
        "present_from": from_date if by == "stay" else date.min,
        "after_date": after_date,
        "after_id": after_id,
        "include_user": int(include_user),
        "limit": limit + 1,
    }
    rows = await _fetch(db, room_type, status, asked)
    if not rows:
        await get_property(db, property_code)
        raise refusals.unknown_room_type(property_code, room_type or "")
    if actor is not None and not actor.may_manage(rows[0].property_id):
        raise refusals.not_this_property(property_code)
    found = [row.booking for row in rows if row.booking is not None]
    items = [
        booking_of(ListedBooking, one, user=UNSET if one.user is None else one.user)
        for one in found[:limit]
    ]
    return BookingPage(items, _cursor(items[-1]) if len(found) > limit else None)


async def _fetch(
    db: Reader, room_type: str | None, status: Status | None, asked: dict[str, Any]
) -> list[DeskRow]:
    """By a text of its own for each pair of conditions: one for all would lose their indexes."""
    match room_type, status:
        case None, None:
            return await db.fetch_all(sql.GET_BOOKINGS_FOR_DATE_RANGE, **asked)
        case None, _:
            return await db.fetch_all(
                sql.GET_BOOKINGS_FOR_DATE_RANGE_OF_STATUS, status=status, **asked
            )
        case _, None:
            return await db.fetch_all(
                sql.GET_BOOKINGS_FOR_DATE_RANGE_OF_ROOM_TYPE, room_type=room_type, **asked
            )
        case _:
            return await db.fetch_all(
                sql.GET_BOOKINGS_FOR_DATE_RANGE_OF_ROOM_TYPE_AND_STATUS,
                room_type=room_type,
                status=status,
                **asked,
            )


def _cursor(last: ListedBooking) -> str:
    return f"{last.check_in}.{last.id}"


def _after(cursor: str) -> tuple[date, int]:
    day, _, number = cursor.partition(".")
    after_id = parse_id(number)
    try:
        after_date = date.fromisoformat(day)
    except ValueError:
        after_id = None
    if after_id is None:
        raise refusals.cursor_invalid(cursor)
    return after_date, after_id
