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
    time_zone: str
    max_stay_nights: int


# A night without an inventory row is not for sale: there must be as many rows as nights. A look-up
# for each room type costs a fifth less on SQLite than joining and grouping.
_AVAILABLE = """
    SELECT
        t.code,
        t.name,
        (
            SELECT CASE WHEN COUNT(*) = :nights THEN MIN(i.available) ELSE 0 END
            FROM room_inventory AS i
            WHERE i.property_id = t.property_id
                AND i.room_type_id = t.id
                AND i.night >= :check_in
                AND i.night < :check_out
        ),
        t.price_minor,
        p.currency,
        p.time_zone,
        p.max_stay_nights
    FROM properties AS p
    JOIN room_types AS t ON t.property_id = p.id
    WHERE p.code = :property"""

GET_ALL_ROOM_AVAILABILITY = Statement(
    "availability.get_all_room_availability",
    _AVAILABLE + "\n    ORDER BY t.code",
    row=AvailableRooms,
    reads=("properties", "room_types", "room_inventory"),
)

CHECK_ROOM_AVAILABILITY = Statement(
    "availability.check_room_availability",
    _AVAILABLE + "\n        AND t.code = :room_type",
    row=AvailableRooms,
    reads=("properties", "room_types", "room_inventory"),
)
