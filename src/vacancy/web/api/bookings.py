"""Holds and bookings: made, read, confirmed, cancelled."""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import sha256
from typing import Annotated

import msgspec

from vacancy.errors import Forbidden, Invalid, Refusal
from vacancy.hotel import refusals
from vacancy.hotel.admission.requests import CreateBooking, Idempotency, Outcome, RoomsWanted
from vacancy.hotel.booking import MAX_HOLD_S, change_status, check_text, create_booking
from vacancy.hotel.ids import parse_id
from vacancy.hotel.model import Booking, Guest, Verb
from vacancy.hotel.queries import (
    BookingDetails,
    find_booking_property,
    get_booking_details,
    get_bookings_by_ids,
)
from vacancy.hotel.queries.users import get_user
from vacancy.web.auth import ANY_KEY
from vacancy.web.call import Answer, Call, Header, document, json_answer, request_id_of
from vacancy.web.problems import refusal
from vacancy.web.routing import Route

MAX_KEY_CHARACTERS = 255

# What a JSON number holds exactly everywhere. The rules of the hotel, which are narrower, answer
# with their own limits.
Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]

_REPLAYED: Header = (b"idempotent-replayed", b"true")


class RoomsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many rooms of one type."""

    room_type: str
    count: Whole = 1
    adults: Whole = 0
    """In all these rooms together; 0 when it is not said."""


class BookingBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A booking to be made: all the rooms or none."""

    property: str
    check_in: date
    check_out: date
    rooms: tuple[RoomsBody, ...]
    guest: Guest
    user_id: str | None = None
    """For whom; staff may book for another user. Left out, it is the caller."""
    segment: str | None = None
    """Only staff may say it; `direct` when it is left out."""
    channel: str | None = None
    """Only staff may say it; `api` when it is left out."""


class HoldBody(BookingBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A booking that ends by itself unless it is confirmed in time."""

    expires_in_s: Annotated[int, msgspec.Meta(ge=1, le=MAX_HOLD_S)] | None = None
    """Left out, it is the setting `default_hold_s`."""


class IdsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which bookings."""

    ids: str
    """Ids with commas between them."""


class BookingList(msgspec.Struct, frozen=True):
    """Bookings in the order in which they were asked for."""

    items: list[Booking]
    next: str | None = None


class NoBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say: an empty body or `{}`."""


async def create(call: Call, asked: BookingBody) -> Answer:
    return await _create(call, asked, None)


async def hold(call: Call, asked: HoldBody) -> Answer:
    seconds = asked.expires_in_s or call.house.settings.default_hold_s
    return await _create(call, asked, timedelta(seconds=seconds))


async def _create(call: Call, asked: BookingBody, hold_for: timedelta | None) -> Answer:
    idempotency = _idempotency(call)
    if idempotency is None:
        raise Invalid(
            "IDEMPOTENCY_KEY_MISSING",
            "A booking needs an Idempotency-Key header.",
            hint=f"Send any new text of 1 to {MAX_KEY_CHARACTERS} characters with each new"
            " booking, and the same one only to repeat it.",
            errors=({"field": "Idempotency-Key"},),
        )
    actor = call.caller
    user_id = actor.user_id
    if asked.user_id is not None:
        user_id = await _booked_for(call, asked.user_id)
    segment, channel = _origin(call, asked)
    check_text("property", asked.property)
    for number, rooms in enumerate(asked.rooms):
        check_text(f"rooms[{number}].room_type", rooms.room_type)
    outcome = await create_booking(
        call.house.admission,
        CreateBooking(
            property=asked.property,
            check_in=asked.check_in,
            check_out=asked.check_out,
            rooms=tuple(
                [RoomsWanted(rooms.room_type, rooms.count, rooms.adults) for rooms in asked.rooms]
            ),
            guest=asked.guest,
            user_id=user_id,
            actor=actor,
            hold_for=hold_for,
            segment=segment,
            channel=channel,
            idempotency=idempotency,
        ),
    )
    return _answer(call, outcome, 201)


async def _booked_for(call: Call, given: str) -> int:
    """The user that staff book for; admission asks whether they may, in that property."""
    user_id = parse_id(given)
    actor = call.caller
    if user_id == actor.user_id:
        return actor.user_id
    if actor.role == "guest":
        raise refusals.not_for_others()
    if user_id is None:
        raise refusals.unknown_user(given[:40])
    return (await get_user(call.house.db, user_id)).id


def _origin(call: Call, asked: BookingBody) -> tuple[str, str]:
    for field, value in (("segment", asked.segment), ("channel", asked.channel)):
        if value is not None:
            if call.caller.role == "guest":
                raise Forbidden(
                    "FIELD_NOT_ALLOWED",
                    f"Only staff may say the {field} of a booking.",
                    hint=f"Leave {field} out.",
                    errors=({"field": field},),
                )
            check_text(field, value)
    return asked.segment or "direct", asked.channel or "api"


async def details(call: Call, asked: None) -> Answer:
    return json_answer(await get_booking_details(call.house.db, _booking_id(call), call.caller))


async def by_ids(call: Call, asked: IdsQuery) -> Answer:
    ids = [_listed_id(given) for given in asked.ids.split(",")]
    return json_answer(BookingList(await get_bookings_by_ids(call.house.db, ids, call.caller)))


def _listed_id(given: str) -> int:
    booking_id = parse_id(given)
    if booking_id is None:
        raise Invalid(
            "QUERY_INVALID",
            f"{given[:40]!r} is no id of a booking.",
            hint="Write ids=ID,ID,… without spaces.",
            errors=({"field": "ids", "value": given[:40]},),
        )
    return booking_id


async def confirm(call: Call, asked: NoBody) -> Answer:
    return await _change(call, "confirm")


async def cancel(call: Call, asked: NoBody) -> Answer:
    return await _change(call, "cancel")


async def _change(call: Call, verb: Verb) -> Answer:
    booking_id = _booking_id(call)
    idempotency = _idempotency(call)
    place = await find_booking_property(call.house.db, booking_id)
    outcome = await change_status(
        call.house.admission, verb, booking_id, place, call.caller, idempotency
    )
    return _answer(call, outcome, 200)


def _booking_id(call: Call) -> int:
    given = call.path_value("booking_id")
    booking_id = parse_id(given)
    if booking_id is None:
        raise refusals.unknown_booking(repr(given[:40]))
    return booking_id


def _idempotency(call: Call) -> Idempotency | None:
    key = call.header(b"idempotency-key")
    if key is None:
        return None
    if not (0 < len(key) <= MAX_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise Invalid(
            "IDEMPOTENCY_KEY_INVALID",
            f"The Idempotency-Key has {len(key)} characters, or some that are not printable ASCII.",
            hint=f"Send 1 to {MAX_KEY_CHARACTERS} printable ASCII characters.",
            errors=({"field": "Idempotency-Key", "limit": MAX_KEY_CHARACTERS},),
        )
    request = sha256(f"{call.scope['method']} {call.scope['path']}\n".encode())
    request.update(call.body)
    return Idempotency(key, request.hexdigest())


def _answer(call: Call, outcome: Outcome, status: int) -> Answer:
    replayed = (_REPLAYED,) if outcome.replayed else ()
    if isinstance(outcome.answer, Refusal):
        refused = refusal(outcome.answer, request_id_of(call.scope))
        refused.headers = (*refused.headers, *replayed)
        return refused
    if status == 201:
        location = f"/v1/bookings/{outcome.answer.id}".encode()
        return document(outcome.document, status, ((b"location", location), *replayed))
    return document(outcome.document, status, replayed)


_CREATE_CODES = (
    "BODY_INVALID",
    "FIELD_NOT_ALLOWED",
    "IDEMPOTENCY_KEY_INVALID",
    "IDEMPOTENCY_KEY_MISSING",
    "IDEMPOTENCY_KEY_REUSED",
    "INSUFFICIENT_INVENTORY",
    "NOT_FOR_OTHERS",
    "PROPERTY_NOT_YOURS",
    "PROPERTY_UNKNOWN",
    "QUEUE_FULL",
    "ROOM_TYPE_UNKNOWN",
    "STAY_IN_THE_PAST",
    "STAY_INVALID",
    "STAY_TOO_LONG",
    "TEXT_INVALID",
    "TOO_MANY_ADULTS",
    "USER_UNKNOWN",
    "VALUE_OUT_OF_RANGE",
)
_CHANGE_CODES = ("BOOKING_UNKNOWN", "HOLD_EXPIRED", "TRANSITION_NOT_ALLOWED", "QUEUE_FULL")

ROUTES = (
    Route(
        method="POST",
        path="/v1/bookings",
        handler=create,
        access=ANY_KEY,
        summary="Books rooms: all of them or none.",
        body=BookingBody,
        idempotency="required",
        answer=Booking,
        status=201,
        codes=_CREATE_CODES,
        tag="Bookings",
    ),
    Route(
        method="POST",
        path="/v1/holds",
        handler=hold,
        access=ANY_KEY,
        summary="Holds rooms for a while; they are free again unless the hold is confirmed.",
        body=HoldBody,
        idempotency="required",
        answer=Booking,
        status=201,
        codes=_CREATE_CODES,
        tag="Bookings",
    ),
    Route(
        method="GET",
        path="/v1/bookings",
        handler=by_ids,
        access=ANY_KEY,
        summary="Many bookings by their ids; what the caller may not see is left out.",
        query=IdsQuery,
        answer=BookingList,
        codes=("QUERY_INVALID", "VALUE_OUT_OF_RANGE"),
        tag="Bookings",
    ),
    Route(
        method="GET",
        path="/v1/bookings/{booking_id:str}",
        handler=details,
        access=ANY_KEY,
        summary="One booking with its user, payments and invoices, for staff with its history;"
        " guests see their own, staff those of their property.",
        answer=BookingDetails,
        codes=("BOOKING_UNKNOWN",),
        tag="Bookings",
    ),
    Route(
        method="POST",
        path="/v1/bookings/{booking_id:str}/confirm",
        handler=confirm,
        access=ANY_KEY,
        summary="Confirms a booking or a hold.",
        body=NoBody,
        body_optional=True,
        idempotency="optional",
        answer=Booking,
        codes=_CHANGE_CODES,
        tag="Bookings",
    ),
    Route(
        method="POST",
        path="/v1/bookings/{booking_id:str}/cancel",
        handler=cancel,
        access=ANY_KEY,
        summary="Cancels a booking or a hold; its rooms are free again.",
        body=NoBody,
        body_optional=True,
        idempotency="optional",
        answer=Booking,
        codes=_CHANGE_CODES,
        tag="Bookings",
    ),
)
