"""What imports ask for beside the bulk path."""

from __future__ import annotations

from datetime import datetime

import msgspec

from vacancy.db.statement import Access, NoRow, SetStatement


class StandingBooking(msgspec.Struct, frozen=True):
    """A booking that came from outside; what of it never changes."""

    source_ref: str
    segment: str
    channel: str
    created_at: datetime


_STANDING = """
    WITH wanted (property_id, source_ref) AS ({{rows}})
    SELECT
        b.source_ref,
        b.segment,
        b.channel,
        b.created_at
    FROM wanted AS w
    {found}
    """
_IS_WANTED = """b.property_id = w.property_id
            AND b.source_ref = w.source_ref
            AND b.source_ref <> ''"""

# An import runs before anything has statistics: PostgreSQL is kept to one look-up for each row.
LIST_STANDING = SetStatement(
    "imports.list_standing",
    _STANDING.format(found=f"JOIN bookings AS b ON {_IS_WANTED}"),
    postgresql=_STANDING.format(
        found=f"CROSS JOIN LATERAL (SELECT * FROM bookings AS b WHERE {_IS_WANTED} OFFSET 0) AS b"
    ),
    columns={"property_id": "integer", "source_ref": "text"},
    row=StandingBooking,
    reads=("bookings",),
    access=Access(served_by={"bookings": "uq_bookings_source_ref (property_id, source_ref)"}),
)

# Capacity only grows here: what stands on the books must fit whatever was imported before.
ENSURE_INVENTORY = SetStatement(
    "imports.ensure_inventory",
    """
    WITH wanted (property_id, room_type_id, night, capacity) AS ({rows})
    INSERT INTO room_inventory (property_id, room_type_id, night, capacity)
    SELECT
        property_id,
        room_type_id,
        night,
        capacity
    FROM wanted
    WHERE TRUE
    ON CONFLICT (property_id, room_type_id, night) DO UPDATE
    SET capacity = excluded.capacity
    WHERE room_inventory.capacity < excluded.capacity
    """,
    columns={
        "property_id": "integer",
        "room_type_id": "integer",
        "night": "date",
        "capacity": "integer",
    },
    row=NoRow,
    reads=("room_inventory",),
    writes=("room_inventory",),
    access=Access(),
)
