"""A user's bookings, page by page."""

from __future__ import annotations

import msgspec

from vacancy.hotel import refusals
from vacancy.hotel.ids import parse_id
from vacancy.hotel.model import Status
from vacancy.hotel.queries import BookingPage, get_user_bookings_with_room_type
from vacancy.hotel.queries.users import get_user
from vacancy.web.auth import ANY_KEY
from vacancy.web.call import Answer, Call, json_answer
from vacancy.web.routing import Route


class BookingsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of the bookings, newest first."""

    status: Status | None = None
    limit: int = 20
    cursor: str | None = None
    """The `next` of the page before."""


async def bookings(call: Call, asked: BookingsQuery) -> Answer:
    actor = call.caller
    page = await get_user_bookings_with_room_type(
        call.house.db,
        await _user_id(call),
        status=asked.status,
        limit=asked.limit,
        cursor=asked.cursor,
        property_id=actor.property_id,
    )
    return json_answer(page)


async def _user_id(call: Call) -> int:
    """The user in the path; to a guest there is nobody but themselves."""
    given, actor = call.path_value("user_id"), call.caller
    if given == "me":
        return actor.user_id
    user_id = parse_id(given)
    if user_id == actor.user_id:
        return actor.user_id
    if user_id is None or actor.role == "guest":
        raise refusals.unknown_user(repr(given[:40]) if user_id is None else user_id)
    return (await get_user(call.house.db, user_id)).id


ROUTES = (
    Route(
        method="GET",
        path="/v1/users/{user_id:str}/bookings",
        handler=bookings,
        access=ANY_KEY,
        summary="A user's bookings, newest first; `me` is the caller.",
        query=BookingsQuery,
        answer=BookingPage,
        codes=("USER_UNKNOWN", "CURSOR_INVALID", "QUERY_INVALID", "VALUE_OUT_OF_RANGE"),
        tag="Bookings",
    ),
)
