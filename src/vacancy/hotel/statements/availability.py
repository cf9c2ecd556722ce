"""How many rooms are left, and what they cost."""

from __future__ import annotations

import msgspec

from vacancy.db.statement import Access, Statement


class AvailableRooms(msgspec.Struct, frozen=True):
    """One room type over a stay."""

    property_id: int
    room_type_id: int | None
    room_type: str
    """Empty when the property has no such room type, or none at all."""
    name: str
    available: int
    """The fewest rooms left on any night; 0 when a night has no inventory at all."""
    price_minor: int
    """One room, one night."""
    currency: str
    time_zone: str
    max_stay_nights: int


# A night without an inventory row is not for sale: there must be as many rows as nights. A look-up
# for each room type costs a sixth less on SQLite than joining and grouping. The outer join lets one
# statement tell an unknown property (no row) from an unknown room type (a row without one).
def _available(room_type: str) -> str:
    return f"""
    SELECT
        p.id,
        t.id,
        COALESCE(t.code, ''),
        COALESCE(t.name, ''),
        (
            SELECT CASE WHEN COUNT(*) = :nights THEN MIN(i.available) ELSE 0 END
            FROM room_inventory AS i
            WHERE i.property_id = t.property_id
                AND i.room_type_id = t.id
                AND i.night >= :check_in
                AND i.night < :check_out
        ),
        COALESCE(t.price_minor, 0),
        p.currency,
        p.time_zone,
        p.max_stay_nights
    FROM properties AS p
    LEFT JOIN room_types AS t ON t.property_id = p.id{room_type}
    WHERE p.code = :property
    """


_BY_NIGHT = "pk_room_inventory (property_id, room_type_id, night)"

GET_ALL_ROOM_AVAILABILITY = Statement(
    "availability.get_all_room_availability",
    _available("") + "ORDER BY t.code",
    row=AvailableRooms,
    reads=("properties", "room_types", "room_inventory"),
    access=Access(
        served_by={
            "properties": "uq_properties_code (code)",
            "room_types": "uq_room_types_property_id_code (property_id)",
            "room_inventory": _BY_NIGHT,
        },
        may_sort="the room types of one property",
    ),
)

CHECK_ROOM_AVAILABILITY = Statement(
    "availability.check_room_availability",
    _available(" AND t.code = :room_type"),
    row=AvailableRooms,
    reads=("properties", "room_types", "room_inventory"),
    access=Access(
        served_by={
            "properties": "uq_properties_code (code)",
            "room_types": "uq_room_types_property_id_code (property_id, code)",
            "room_inventory": _BY_NIGHT,
        }
    ),
)


class CheckedRooms(msgspec.Struct, frozen=True):
    """What one check of many has found."""

    position: int
    """Of the check among those that were asked, from 0."""
    available: int
    """As in `AvailableRooms`; 0 too where the property takes no stay of so many nights."""
    price_minor: int | None
    """One room, one night. None when the property has no such room type."""
    currency: str
    time_zone: str
    max_stay_nights: int | None
    """None when there is no such property."""


# All checks come in one parameter, a JSON array of arrays: so it is one statement and one text
# however many there are. As rows of VALUES they would be as quick, but as many executions as their
# number has binary digits.
def _batch(given: str, joins: str) -> str:
    return f"""
    WITH wanted (position, property, room_type, check_in, check_out, nights) AS (
        {given}
    )
    SELECT
        w.position,
        CASE
            WHEN w.nights BETWEEN 1 AND p.max_stay_nights THEN (
                SELECT CASE WHEN COUNT(*) = w.nights THEN MIN(i.available) ELSE 0 END
                FROM room_inventory AS i
                WHERE i.property_id = t.property_id
                    AND i.room_type_id = t.id
                    AND i.night >= w.check_in
                    AND i.night < w.check_out
            )
            ELSE 0
        END,
        t.price_minor,
        COALESCE(p.currency, ''),
        COALESCE(p.time_zone, ''),
        p.max_stay_nights
    FROM wanted AS w{joins}
    """


BATCH_CHECK_AVAILABILITY = Statement(
    "availability.batch_check_availability",
    _batch(
        """SELECT
            c.key,
            c.value ->> 0,
            c.value ->> 1,
            c.value ->> 2,
            c.value ->> 3,
            c.value ->> 4
        FROM json_each(:checks) AS c""",
        """
    LEFT JOIN properties AS p ON p.code = w.property
    LEFT JOIN room_types AS t ON t.property_id = p.id AND t.code = w.room_type""",
    ),
    # OFFSET 0 keeps PostgreSQL to look-ups: it cannot know how few checks there are.
    postgresql=_batch(
        """SELECT
            c.ordinality - 1,
            c.value ->> 0,
            c.value ->> 1,
            CAST(c.value ->> 2 AS date),
            CAST(c.value ->> 3 AS date),
            CAST(c.value ->> 4 AS bigint)
        FROM jsonb_array_elements(:checks) WITH ORDINALITY AS c""",
        """
    LEFT JOIN LATERAL (
        SELECT id, currency, time_zone, max_stay_nights
        FROM properties
        WHERE code = w.property
        OFFSET 0
    ) AS p ON true
    LEFT JOIN LATERAL (
        SELECT id, property_id, price_minor
        FROM room_types
        WHERE property_id = p.id AND code = w.room_type
        OFFSET 0
    ) AS t ON true""",
    ),
    row=CheckedRooms,
    reads=("properties", "room_types", "room_inventory"),
    access=Access(
        served_by={
            "properties": "uq_properties_code (code)",
            "room_types": "uq_room_types_property_id_code (property_id, code)",
            "room_inventory": _BY_NIGHT,
        }
    ),
)
