"""Makes properties, room types and their inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

import msgspec

from vacancy.db.database import Transaction
from vacancy.hotel.calendar import zone
from vacancy.hotel.model import DEFAULT_MAX_STAY_NIGHTS, Property, RoomType
from vacancy.hotel.statements import catalogue as sql


class NewRoomType(msgspec.Struct, frozen=True, kw_only=True):
    """A room type to be made."""

    code: str
    name: str
    price_minor: int
    max_adults: int
    capacity: int
    """Rooms of this type, on every night of the inventory."""


class NewProperty(msgspec.Struct, frozen=True, kw_only=True):
    """A property to be made, with inventory for `nights` from `first_night` on."""

    code: str
    name: str
    currency: str
    time_zone: str
    room_types: tuple[NewRoomType, ...]
    first_night: date
    nights: int
    max_stay_nights: int = DEFAULT_MAX_STAY_NIGHTS


async def create_property(
    tx: Transaction, wanted: NewProperty, next_id: Callable[[], int]
) -> tuple[Property, dict[str, RoomType]]:
    """Makes the property, its room types (by code in the answer) and every night's inventory."""
    zone(wanted.time_zone)
    place = Property(
        next_id(),
        wanted.code,
        wanted.name,
        wanted.currency,
        wanted.time_zone,
        wanted.max_stay_nights,
    )
    await tx.execute_set(sql.INSERT_PROPERTIES, [(*msgspec.structs.astuple(place), tx.now)])
    types = {
        new.code: RoomType(next_id(), place.id, new.code, new.name, new.price_minor, new.max_adults)
        for new in wanted.room_types
    }
    await tx.execute_set(
        sql.INSERT_ROOM_TYPES,
        [(*msgspec.structs.astuple(room_type), tx.now) for room_type in types.values()],
    )
    nights = [wanted.first_night + timedelta(days=n) for n in range(wanted.nights)]
    for new in wanted.room_types:
        await create_inventory(tx, types[new.code], ((night, new.capacity) for night in nights))
    return place, types


async def create_inventory(
    tx: Transaction, room_type: RoomType, nights: Iterable[tuple[date, int]]
) -> None:
    """Inventory for nights that have none yet: the night, and how many rooms there are."""
    rows = [(room_type.property_id, room_type.id, night, capacity) for night, capacity in nights]
    await tx.execute_set(sql.INSERT_INVENTORY, rows)
