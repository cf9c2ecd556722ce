"""The nights of a property, for its staff."""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.hotel import refusals
from vacancy.hotel.queries import (
    RoomTypeInventory,
    RoomTypeNights,
    get_room_type_with_inventory,
    get_room_types_with_inventory,
)
from vacancy.web.api.properties import MAX_CODE, property_code
from vacancy.web.auth import STAFF
from vacancy.web.call import Answer, Call, json_answer
from vacancy.web.routing import Route


class NightQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which night."""

    night: date


class PropertyInventory(msgspec.Struct, frozen=True):
    """All room types of a property on one night, by code."""

    property: str
    night: date
    items: list[RoomTypeInventory]


class NightsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nights `[from, to)`."""

    from_date: date = msgspec.field(name="from")
    to_date: date = msgspec.field(name="to")


async def inventory(call: Call, asked: NightQuery) -> Answer:
    code = property_code(call)
    items = await get_room_types_with_inventory(call.house.db, code, asked.night, actor=call.caller)
    return json_answer(PropertyInventory(code, asked.night, items))


async def room_type_inventory(call: Call, asked: NightsQuery) -> Answer:
    code, room_type = property_code(call), call.path_value("room_type")
    if len(room_type) > MAX_CODE or not room_type.isprintable():
        raise refusals.unknown_room_type(code, room_type[:MAX_CODE])
    return json_answer(
        await get_room_type_with_inventory(
            call.house.db, code, room_type, asked.from_date, asked.to_date, actor=call.caller
        )
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/properties/{code:str}/inventory",
        handler=inventory,
        access=STAFF,
        summary="All room types of a property on one night: what there is, taken and left.",
        query=NightQuery,
        answer=PropertyInventory,
        codes=("PROPERTY_UNKNOWN", "PROPERTY_NOT_YOURS", "QUERY_INVALID"),
        tag="Inventory",
    ),
    Route(
        method="GET",
        path="/v1/properties/{code:str}/room-types/{room_type:str}/inventory",
        handler=room_type_inventory,
        access=STAFF,
        summary="The nights of one room type, up to a year of them.",
        query=NightsQuery,
        answer=RoomTypeNights,
        codes=(
            "PROPERTY_UNKNOWN",
            "PROPERTY_NOT_YOURS",
            "ROOM_TYPE_UNKNOWN",
            "PERIOD_INVALID",
            "PERIOD_TOO_LONG",
            "QUERY_INVALID",
        ),
        tag="Inventory",
    ),
)
