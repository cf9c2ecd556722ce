"""A user's bookings, page by page, and what they have paid."""

from __future__ import annotations

import msgspec

from vacancy.hotel import refusals
from vacancy.hotel.ids import parse_id
from vacancy.hotel.model import Status
from vacancy.hotel.queries import (
    BookingPage,
    PaymentSummary,
    get_user_bookings_with_room_type,
    get_user_payment_summary,
)
from vacancy.hotel.queries.users import get_user
from vacancy.web.auth import ANY_KEY
from vacancy.web.call import Answer, Call, json_answer
from vacancy.web.routing import Route


class BookingsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of the bookings, newest first."""

    status: Status | None = None
    include_payments: bool = False
    limit: int = 20
    cursor: str | None = None
    """The `next` of the page before."""


async def bookings(call: Call, asked: BookingsQuery) -> Answer:
    user_id = _user_id(call)
    page = await get_user_bookings_with_room_type(
        call.house.reads,
        user_id,
        status=asked.status,
        limit=asked.limit,
        cursor=asked.cursor,
        property_id=call.caller.property_id,
        include_payments=asked.include_payments,
    )
    if not page.items:
        await _require_user(call, user_id)
    return json_answer(page)


async def payments(call: Call, asked: None) -> Answer:
    user_id = _user_id(call)
    summary = await get_user_payment_summary(
        call.house.db, user_id, property_id=call.caller.property_id
    )
    if not summary.items:
        await _require_user(call, user_id)
    return json_answer(summary)


def _user_id(call: Call) -> int:
    """The user in the path; to a guest there is nobody but themselves."""
    given, actor = call.path_value("user_id"), call.caller
    if given == "me":
        return actor.user_id
    user_id = parse_id(given)
    if user_id == actor.user_id:
        return actor.user_id
    if user_id is None or actor.role == "guest":
        raise refusals.unknown_user(repr(given[:40]) if user_id is None else user_id)
    return user_id


async def _require_user(call: Call, user_id: int) -> None:
    """Who has nothing may not exist at all: asked only then."""
    if user_id != call.caller.user_id:
        await get_user(call.house.db, user_id)


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
        conditional=True,
        tag="Bookings",
    ),
    Route(
        method="GET",
        path="/v1/users/{user_id:str}/payments",
        handler=payments,
        access=ANY_KEY,
        summary="A user's payments in sums by status and currency; `me` is the caller.",
        answer=PaymentSummary,
        codes=("USER_UNKNOWN",),
        tag="Payments",
    ),
)
