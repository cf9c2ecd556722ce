"""Room types and availability, one question after the other."""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.db.database import Database, Reader
from vacancy.db.statement import Statement
from vacancy.hotel.calendar import business_date
from vacancy.hotel.model import nights_of
from vacancy.hotel.queries import Availability, RoomTypeInventory, get_property, list_room_types


class InventoryNight(msgspec.Struct, frozen=True):
    """A row of the inventory."""

    night: date
    capacity: int
    out_of_order: int
    sell_limit: int
    reserved: int
    held: int
    available: int
    rooms_sold: int
    room_revenue_minor: int


LIST_INVENTORY = Statement(
    "naive.list_inventory",
    """
    SELECT
        night,
        capacity,
        out_of_order,
        sell_limit,
        reserved,
        held,
        available,
        rooms_sold,
        room_revenue_minor
    FROM room_inventory
    WHERE property_id = :property_id
        AND room_type_id = :room_type_id
    ORDER BY night
    """,
    row=InventoryNight,
    reads=("room_inventory",),
)

LIST_INVENTORY_BETWEEN = Statement(
    "naive.list_inventory_between",
    """
    SELECT
        night,
        capacity,
        out_of_order,
        sell_limit,
        reserved,
        held,
        available,
        rooms_sold,
        room_revenue_minor
    FROM room_inventory
    WHERE property_id = :property_id
        AND room_type_id = :room_type_id
        AND night >= :from_date
        AND night < :to_date
    ORDER BY night
    """,
    row=InventoryNight,
    reads=("room_inventory",),
)


class TakenRooms(msgspec.Struct, frozen=True):
    """Rooms that one booking takes on a night."""

    rooms: int


LIST_TAKEN = Statement(
    "naive.list_taken",
    """
    SELECT s.rooms
    FROM room_stays AS s
    JOIN bookings AS b ON b.id = s.booking_id
    WHERE s.room_type_id = :room_type_id
        AND s.check_in <= :night
        AND s.check_out > :night
        AND b.status IN ('provisional', 'confirmed', 'checked_in', 'checked_out')
    """,
    row=TakenRooms,
    reads=("bookings", "room_stays"),
)

STATEMENTS = (LIST_INVENTORY, LIST_INVENTORY_BETWEEN, LIST_TAKEN)

_NO_NIGHT = InventoryNight(date.min, 0, 0, 0, 0, 0, 0, 0, 0)


async def get_room_types_with_inventory(
    db: Reader, property_code: str, night: date
) -> list[RoomTypeInventory]:
    """As the helper of this name: the room types, then for each its whole inventory, of which one
    night is kept. Raises `Missing` PROPERTY_UNKNOWN."""
    place = await get_property(db, property_code)
    found = []
    for kind in await list_room_types(db, property_code):
        inventory = await db.fetch_all(LIST_INVENTORY, property_id=place.id, room_type_id=kind.id)
        row = next((one for one in inventory if one.night == night), _NO_NIGHT)
        found.append(
            RoomTypeInventory(
                room_type=kind.code,
                name=kind.name,
                price_minor=kind.price_minor,
                currency=place.currency,
                capacity=row.capacity,
                out_of_order=row.out_of_order,
                sell_limit=row.sell_limit,
                reserved=row.reserved,
                held=row.held,
                available=row.available,
                rooms_sold=row.rooms_sold,
                room_revenue_minor=row.room_revenue_minor,
            )
        )
    return found


async def get_all_room_availability(
    db: Database, property_code: str, check_in: date, check_out: date, rooms: int = 1
) -> list[Availability]:
    """As the helper of this name, but from bookings: for each room type and night those that take
    rooms, summed here and held against the capacity. Raises `Missing` PROPERTY_UNKNOWN."""
    place = await get_property(db, property_code)
    nights = nights_of(check_in, check_out)
    is_past = check_in < business_date(db.clock(), place.time_zone)
    found = []
    for kind in await list_room_types(db, property_code):
        inventory = {
            row.night: row.capacity - row.out_of_order + row.sell_limit
            for row in await db.fetch_all(
                LIST_INVENTORY_BETWEEN,
                property_id=place.id,
                room_type_id=kind.id,
                from_date=check_in,
                to_date=check_out,
            )
        }
        left = []
        for night in nights:
            if night not in inventory:
                left.append(0)
                continue
            taken = await db.fetch_all(LIST_TAKEN, room_type_id=kind.id, night=night)
            left.append(inventory[night] - sum(one.rooms for one in taken))
        available = 0 if len(inventory) < len(nights) else min(left)
        found.append(
            Availability(
                kind.code,
                kind.name,
                available,
                available >= rooms and not is_past,
                kind.price_minor * len(nights) * rooms,
                place.currency,
            )
        )
    return found
