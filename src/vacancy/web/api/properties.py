"""Properties, what they sell, and what is left of it. Public."""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.hotel import refusals
from vacancy.hotel.queries import (
    Availability,
    CheckedStay,
    StayCheck,
    batch_check_availability,
    check_room_availability,
    get_all_room_availability,
    get_property,
    list_properties,
    list_room_types,
)
from vacancy.web.auth import PUBLIC
from vacancy.web.call import Answer, Call, json_answer
from vacancy.web.routing import Route

MAX_CODE = 64


class PropertyItem(msgspec.Struct, frozen=True):
    """One hotel."""

    code: str
    name: str
    currency: str
    time_zone: str
    max_stay_nights: int


class PropertyPage(msgspec.Struct, frozen=True):
    """All properties by code."""

    items: list[PropertyItem]
    next: str | None = None


class RoomTypeItem(msgspec.Struct, frozen=True):
    """What is sold."""

    code: str
    name: str
    price_minor: int
    """One room, one night."""
    currency: str
    max_adults: int
    """In one room."""


class RoomTypePage(msgspec.Struct, frozen=True):
    """A property's room types by code."""

    items: list[RoomTypeItem]
    next: str | None = None


class AvailabilityQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stay `[check_in, check_out)`; the check-out date is not a night."""

    check_in: date
    check_out: date
    rooms: int = 1
    room_type: str | None = None


class AvailabilityAnswer(msgspec.Struct, frozen=True):
    """What is left over a stay, by room type."""

    property: str
    check_in: date
    check_out: date
    items: list[Availability]


class ChecksBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Many stays to be checked at once."""

    checks: list[StayCheck]


class ChecksAnswer(msgspec.Struct, frozen=True):
    """One item for each check, in the same order."""

    items: list[CheckedStay]


def property_code(call: Call) -> str:
    """The code in the path. What can be no code is of no property."""
    code = call.path_value("code")
    if len(code) > MAX_CODE or not code.isprintable():
        raise refusals.unknown_property(code[:MAX_CODE])
    return code


async def properties(call: Call, asked: None) -> Answer:
    found = await list_properties(call.house.reads)
    return json_answer(
        PropertyPage(
            [
                PropertyItem(
                    place.code, place.name, place.currency, place.time_zone, place.max_stay_nights
                )
                for place in found
            ]
        )
    )


async def room_types(call: Call, asked: None) -> Answer:
    db = call.house.reads
    place = await get_property(db, property_code(call))
    found = await list_room_types(db, place.code)
    return json_answer(
        RoomTypePage(
            [
                RoomTypeItem(
                    kind.code, kind.name, kind.price_minor, place.currency, kind.max_adults
                )
                for kind in found
            ]
        )
    )


async def availability(call: Call, asked: AvailabilityQuery) -> Answer:
    db, code = call.house.reads, property_code(call)
    check_in, check_out, rooms = asked.check_in, asked.check_out, asked.rooms
    if asked.room_type is None:
        items = await get_all_room_availability(db, code, check_in, check_out, rooms)
    else:
        kind = asked.room_type[:MAX_CODE]
        items = [await check_room_availability(db, code, kind, check_in, check_out, rooms)]
    return json_answer(AvailabilityAnswer(code, check_in, check_out, items))


async def checks(call: Call, asked: ChecksBody) -> Answer:
    return json_answer(ChecksAnswer(await batch_check_availability(call.house.reads, asked.checks)))


ROUTES = (
    Route(
        method="GET",
        path="/v1/properties",
        handler=properties,
        access=PUBLIC,
        summary="All properties.",
        answer=PropertyPage,
        conditional=True,
        tag="Properties",
    ),
    Route(
        method="GET",
        path="/v1/properties/{code:str}/room-types",
        handler=room_types,
        access=PUBLIC,
        summary="What a property sells.",
        answer=RoomTypePage,
        codes=("PROPERTY_UNKNOWN",),
        conditional=True,
        tag="Properties",
    ),
    Route(
        method="GET",
        path="/v1/properties/{code:str}/availability",
        handler=availability,
        access=PUBLIC,
        summary="Rooms left on every night of a stay, and what they cost.",
        query=AvailabilityQuery,
        answer=AvailabilityAnswer,
        codes=(
            "PROPERTY_UNKNOWN",
            "ROOM_TYPE_UNKNOWN",
            "QUERY_INVALID",
            "STAY_INVALID",
            "STAY_TOO_LONG",
            "VALUE_OUT_OF_RANGE",
        ),
        conditional=True,
        tag="Properties",
    ),
    Route(
        method="POST",
        path="/v1/availability",
        handler=checks,
        access=PUBLIC,
        summary="Rooms left and what they cost, for up to 500 stays at once. It changes nothing.",
        body=ChecksBody,
        answer=ChecksAnswer,
        codes=("BODY_INVALID", "TOO_MANY_CHECKS"),
        tag="Properties",
    ),
)
