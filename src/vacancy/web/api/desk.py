"""The front desk: the bookings of a property by date."""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.hotel.model import Status
from vacancy.hotel.queries import BookingPage, get_bookings_for_date_range
from vacancy.hotel.queries.bookings_desk import By
from vacancy.web.api.properties import MAX_CODE, property_code
from vacancy.web.auth import STAFF
from vacancy.web.call import Answer, Call, json_answer
from vacancy.web.routing import Route


class DeskQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which bookings touch the days `[from, to)`, by check_in."""

    from_date: date = msgspec.field(name="from")
    to_date: date = msgspec.field(name="to")
    by: By = "stay"
    """What must lie in these days: a part of the stay, the arrival, or the departure."""
    room_type: str | None = None
    status: Status | None = None
    include_user: bool = False
    """Shows who booked beside who stays."""
    limit: int = 50
    cursor: str | None = None
    """The `next` of the page before."""


async def bookings(call: Call, asked: DeskQuery) -> Answer:
    page = await get_bookings_for_date_range(
        call.house.db,
        property_code(call),
        asked.from_date,
        asked.to_date,
        room_type=None if asked.room_type is None else asked.room_type[:MAX_CODE],
        status=asked.status,
        include_user=asked.include_user,
        by=asked.by,
        limit=asked.limit,
        cursor=asked.cursor,
        actor=call.caller,
    )
    return json_answer(page)


ROUTES = (
    Route(
        method="GET",
        path="/v1/properties/{code:str}/bookings",
        handler=bookings,
        access=STAFF,
        summary="The bookings of a property that stay, arrive or depart in a range of days.",
        query=DeskQuery,
        answer=BookingPage,
        codes=(
            "PROPERTY_UNKNOWN",
            "PROPERTY_NOT_YOURS",
            "ROOM_TYPE_UNKNOWN",
            "CURSOR_INVALID",
            "PERIOD_INVALID",
            "PERIOD_TOO_LONG",
            "QUERY_INVALID",
            "VALUE_OUT_OF_RANGE",
        ),
        tag="Bookings",
    ),
)
