"""The nights of room types as they stand, for those who run the house."""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.db.statement import Access, Statement


class RoomTypeInventory(msgspec.Struct, frozen=True):
    """One room type on one night; all numbers are 0 where it has no inventory."""

    room_type: str
    name: str
    price_minor: int
    """One room, one night."""
    currency: str
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


# `of_property` is the only property that the caller may see, 0 for all. The outer join to the room
# types lets a property that has none yet answer with one row, without a code.
GET_ROOM_TYPES_WITH_INVENTORY = Statement(
    "inventory.get_room_types_with_inventory",
    """
    SELECT
        COALESCE(t.code, ''),
        COALESCE(t.name, ''),
        COALESCE(t.price_minor, 0),
        p.currency,
        COALESCE(i.capacity, 0),
        COALESCE(i.out_of_order, 0),
        COALESCE(i.sell_limit, 0),
        COALESCE(i.reserved, 0),
        COALESCE(i.held, 0),
        COALESCE(i.available, 0),
        COALESCE(i.rooms_sold, 0),
        COALESCE(i.room_revenue_minor, 0)
    FROM properties AS p
    LEFT JOIN room_types AS t ON t.property_id = p.id
    LEFT JOIN room_inventory AS i
        ON i.property_id = t.property_id
        AND i.room_type_id = t.id
        AND i.night = :night
    WHERE p.code = :property
        AND (p.id = :of_property OR :of_property = 0)
    ORDER BY t.code
    """,
    row=RoomTypeInventory,
    reads=("properties", "room_types", "room_inventory"),
    access=Access(
        served_by={
            "properties": "uq_properties_code (code)",
            "room_types": "uq_room_types_property_id_code (property_id)",
            "room_inventory": "pk_room_inventory (property_id, room_type_id, night)",
        },
        may_sort="the room types of one property",
    ),
)


class RoomTypeNight(msgspec.Struct, frozen=True):
    """A night of a room type, beside the room type itself."""

    room_type: str
    """Empty when the property has no such room type."""
    name: str
    price_minor: int
    currency: str
    max_adults: int
    night: date | None
    """None when there is no night in the period that has inventory."""
    capacity: int
    out_of_order: int
    sell_limit: int
    reserved: int
    held: int
    available: int
    rooms_sold: int
    room_revenue_minor: int


GET_ROOM_TYPE_WITH_INVENTORY = Statement(
    "inventory.get_room_type_with_inventory",
    """
    SELECT
        COALESCE(t.code, ''),
        COALESCE(t.name, ''),
        COALESCE(t.price_minor, 0),
        p.currency,
        COALESCE(t.max_adults, 0),
        i.night,
        COALESCE(i.capacity, 0),
        COALESCE(i.out_of_order, 0),
        COALESCE(i.sell_limit, 0),
        COALESCE(i.reserved, 0),
        COALESCE(i.held, 0),
        COALESCE(i.available, 0),
        COALESCE(i.rooms_sold, 0),
        COALESCE(i.room_revenue_minor, 0)
    FROM properties AS p
    LEFT JOIN room_types AS t ON t.property_id = p.id AND t.code = :room_type
    LEFT JOIN room_inventory AS i
        ON i.property_id = t.property_id
        AND i.room_type_id = t.id
        AND i.night >= :from_date
        AND i.night < :to_date
    WHERE p.code = :property
        AND (p.id = :of_property OR :of_property = 0)
    ORDER BY i.night
    """,
    row=RoomTypeNight,
    reads=("properties", "room_types", "room_inventory"),
    access=Access(
        served_by={
            "properties": "uq_properties_code (code)",
            "room_types": "uq_room_types_property_id_code (property_id, code)",
            "room_inventory": "pk_room_inventory (property_id, room_type_id, night)",
        },
        may_sort="the nights of one room type in one period",
    ),
)
