"""How many rooms are left, and what they cost."""

from __future__ import annotations

import msgspec

from vacancy.db.statement import Statement


class AvailableRooms(msgspec.Struct, frozen=True):
    """One room type over a stay."""

    room_type: str
    name: str
    available: int
    """The fewest rooms left on any night; 0 when a night has no inventory at all."""
    price_minor: int
    """One room, one night."""
    currency: str


# A night without an inventory row is not for sale: there must be as many rows as nights.
GET_ALL_ROOM_AVAILABILITY = Statement(
    "availability.get_all_room_availability",
    """
    SELECT
        t.code,
        t.name,
        CASE WHEN COUNT(i.night) = :nights THEN MIN(i.available) ELSE 0 END,
        t.price_minor,
        p.currency
    FROM properties AS p
    JOIN room_types AS t ON t.property_id = p.id
    LEFT JOIN room_inventory AS i
        ON i.property_id = t.property_id
        AND i.room_type_id = t.id
        AND i.night >= :check_in
        AND i.night < :check_out
    WHERE p.code = :property
    GROUP BY t.id, t.code, t.name, t.price_minor, p.currency
    ORDER BY t.code
    """,
    row=AvailableRooms,
    reads=("properties", "room_types", "room_inventory"),
)

CHECK_ROOM_AVAILABILITY = Statement(
    "availability.check_room_availability",
    """
    SELECT
        t.code,
        t.name,
        CASE WHEN COUNT(i.night) = :nights THEN MIN(i.available) ELSE 0 END,
        t.price_minor,
        p.currency
    FROM properties AS p
    JOIN room_types AS t ON t.property_id = p.id AND t.code = :room_type
    LEFT JOIN room_inventory AS i
        ON i.property_id = t.property_id
        AND i.room_type_id = t.id
        AND i.night >= :check_in
        AND i.night < :check_out
    WHERE p.code = :property
    GROUP BY t.id, t.code, t.name, t.price_minor, p.currency
    """,
    row=AvailableRooms,
    reads=("properties", "room_types", "room_inventory"),
)
