"""The nights of room types as they stand, for those who run the house."""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.contracts.contract import contract
from vacancy.db.database import Reader
from vacancy.errors import VacancyError
from vacancy.hotel import refusals
from vacancy.hotel.model import Actor
from vacancy.hotel.queries.catalogue import get_property
from vacancy.hotel.queries.figures import check_period
from vacancy.hotel.statements import inventory as sql
from vacancy.hotel.statements.inventory import RoomTypeInventory

MAX_DAYS = 366
"""The longest period whose nights are read at once: a year."""


class NightInventory(msgspec.Struct, frozen=True):
    """One night of a room type."""

    night: date
    capacity: int
    """Rooms there are."""
    out_of_order: int
    """Of them, out of use."""
    sell_limit: int
    """Rooms that may be sold beyond what there is."""
    reserved: int
    """Rooms taken by bookings."""
    held: int
    """Rooms taken by holds, which may end."""
    available: int
    """capacity - out_of_order + sell_limit - reserved - held."""
    rooms_sold: int
    """Of the reserved ones, those that are paid for."""
    room_revenue_minor: int


class RoomTypeNights(msgspec.Struct, frozen=True, rename={"from_date": "from", "to_date": "to"}):
    """A room type and its nights that have inventory; the others are not for sale."""

    property: str
    room_type: str
    name: str
    price_minor: int
    """One room, one night."""
    currency: str
    max_adults: int
    """In one room."""
    from_date: date
    to_date: date
    """Exclusive."""
    nights: list[NightInventory]


@contract(
    sql.GET_ROOM_TYPES_WITH_INVENTORY,
    statements=1,
    rows=lambda found: max(1, len(found)),
    rows_in_words="one for each room type",
)
async def get_room_types_with_inventory(
    db: Reader, property_code: str, night: date, *, actor: Actor | None = None
) -> list[RoomTypeInventory]:
    """All room types of a property by code, each with that night's inventory: all 0, and so not
    available, where it has none.

    An actor who is bound to a property sees no other. Raises `Missing` PROPERTY_UNKNOWN,
    `Forbidden` PROPERTY_NOT_YOURS.
    """
    found = await db.fetch_all(
        sql.GET_ROOM_TYPES_WITH_INVENTORY,
        property=property_code,
        night=night,
        of_property=only_property(actor),
    )
    if not found:
        raise await not_to_be_seen(db, property_code)
    return found if found[0].room_type else []


@contract(
    sql.GET_ROOM_TYPE_WITH_INVENTORY,
    statements=1,
    rows=lambda found: max(1, len(found.nights)),
    rows_in_words="one for each night",
)
async def get_room_type_with_inventory(
    db: Reader,
    property_code: str,
    room_type: str,
    from_date: date,
    to_date: date,
    *,
    actor: Actor | None = None,
) -> RoomTypeNights:
    """One room type, and those nights of `[from_date, to_date)` that have inventory.

    Raises as `get_room_types_with_inventory`, and `Missing` ROOM_TYPE_UNKNOWN, `Invalid`
    PERIOD_INVALID, PERIOD_TOO_LONG.
    """
    check_period(from_date, to_date, MAX_DAYS)
    found = await db.fetch_all(
        sql.GET_ROOM_TYPE_WITH_INVENTORY,
        property=property_code,
        room_type=room_type,
        from_date=from_date,
        to_date=to_date,
        of_property=only_property(actor),
    )
    if not found:
        raise await not_to_be_seen(db, property_code)
    first = found[0]
    if not first.room_type:
        raise refusals.unknown_room_type(property_code, room_type)
    return RoomTypeNights(
        property_code,
        first.room_type,
        first.name,
        first.price_minor,
        first.currency,
        first.max_adults,
        from_date,
        to_date,
        [
            NightInventory(
                row.night,
                row.capacity,
                row.out_of_order,
                row.sell_limit,
                row.reserved,
                row.held,
                row.available,
                row.rooms_sold,
                row.room_revenue_minor,
            )
            for row in found
            if row.night is not None
        ],
    )


def only_property(actor: Actor | None) -> int:
    """The property that an actor is bound to, as statements take it: 0 for all."""
    return 0 if actor is None or actor.property_id is None else actor.property_id


async def not_to_be_seen(db: Reader, property_code: str) -> VacancyError:
    """Why a statement that was kept to `only_property` gave no row."""
    place = await get_property(db, property_code)
    return refusals.not_this_property(place.code)
