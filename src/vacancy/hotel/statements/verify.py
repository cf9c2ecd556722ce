"""What each night of inventory must be, recomputed from bookings and from the ledger, beside what
is stored. Each statement is one snapshot, so a server may go on writing meanwhile.

Stored and expected rows go into one pile (`UNION ALL`), are summed by their key, and what does not
come out equal is shown field by field.
"""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.db.statement import Access, Statement
from vacancy.hotel.model import TAKES


class FoundDifference(msgspec.Struct, frozen=True):
    """One field that differs. `total` is how many there are in all, shown or not."""

    property: str
    room_type: str
    night: date | None
    subject: str
    field: str
    stored: int
    expected: int
    total: int


class Checked(msgspec.Struct, frozen=True):
    """How much there is to check."""

    nights: int
    bookings: int
    ledger_entries: int


def _statuses(bucket: str) -> str:
    return ", ".join(f"'{status}'" for status, takes in TAKES.items() if takes == bucket)


HELD = _statuses("held")
RESERVED = _statuses("reserved")
SCOPE = "(CAST(:property_id AS bigint) = 0 OR property_id = :property_id)"

_WHOLE = "whoever verifies reads everything"
READS_ALL = Access(
    served_by={
        "bookings": "pk_bookings (id)",
        "room_stays": "pk_room_stays (booking_id)",
        "properties": "pk_properties (id)",
        "room_types": "pk_room_types (id)",
    },
    may_scan={
        "room_inventory": _WHOLE,
        "night_ledger": _WHOLE,
        "bookings": _WHOLE,
        "room_stays": _WHOLE,
        "lead_time_counts": _WHOLE,
        "booking_counts": _WHOLE,
    },
    may_sort="sums and differences",
)

COUNT_CHECKED = Statement(
    "verify.count_checked",
    f"""
    SELECT
        (SELECT COUNT(*) FROM room_inventory WHERE {SCOPE}),
        (SELECT COUNT(*) FROM bookings WHERE {SCOPE}),
        (SELECT COUNT(*) FROM night_ledger WHERE {SCOPE})
    """,
    row=Checked,
    reads=("room_inventory", "bookings", "night_ledger"),
    heavy=True,
    access=READS_ALL,
)

# Only what takes rooms: the nights of other bookings must be free of them.
_STAY_NIGHTS_SQLITE = f"""
        SELECT
            s.property_id,
            s.room_type_id,
            date(s.check_in, '+' || price.key || ' days') AS night,
            s.rooms,
            price.value AS price_minor,
            b.status
        FROM bookings AS b
        JOIN room_stays AS s ON s.booking_id = b.id
        JOIN json_each(s.prices_minor) AS price
        WHERE b.status IN ({HELD}, {RESERVED})
            AND (CAST(:property_id AS bigint) = 0 OR s.property_id = :property_id)"""

_STAY_NIGHTS_POSTGRESQL = f"""
        SELECT
            s.property_id,
            s.room_type_id,
            s.check_in + CAST(price.position - 1 AS integer) AS night,
            s.rooms,
            CAST(price.value AS bigint) AS price_minor,
            b.status
        FROM bookings AS b
        JOIN room_stays AS s ON s.booking_id = b.id
        CROSS JOIN LATERAL jsonb_array_elements_text(s.prices_minor)
            WITH ORDINALITY AS price (value, position)
        WHERE b.status IN ({HELD}, {RESERVED})
            AND (CAST(:property_id AS bigint) = 0 OR s.property_id = :property_id)"""

_TAKEN_BY_BOOKINGS = f"""
        SELECT
            property_id,
            room_type_id,
            night,
            CASE WHEN status IN ({HELD}) THEN rooms ELSE 0 END AS held,
            CASE WHEN status IN ({RESERVED}) THEN rooms ELSE 0 END AS reserved,
            CASE WHEN status IN ({RESERVED}) AND price_minor <> 0 THEN rooms ELSE 0 END
                AS rooms_sold,
            CASE WHEN status IN ({RESERVED}) THEN rooms * price_minor ELSE 0 END
                AS room_revenue_minor
        FROM stay_nights"""

_TAKEN_BY_LEDGER = f"""
        SELECT
            property_id,
            room_type_id,
            night,
            held,
            reserved,
            rooms_sold,
            room_revenue_minor
        FROM night_ledger
        WHERE {SCOPE}
            AND (held <> 0 OR reserved <> 0 OR rooms_sold <> 0 OR room_revenue_minor <> 0)"""


def _nights_against(taken: str) -> str:
    """The pile of inventory and of what was taken. A night without inventory is a difference of
    its own, also when what was taken from it has been given back."""
    return f"""
    taken AS ({taken}
    ),
    pile AS (
        SELECT
            property_id, room_type_id, night,
            1 AS is_stored,
            held, reserved, rooms_sold, room_revenue_minor,
            0 AS due_held, 0 AS due_reserved, 0 AS due_sold, 0 AS due_revenue
        FROM room_inventory
        WHERE {SCOPE}
        UNION ALL
        SELECT
            property_id, room_type_id, night,
            0,
            0, 0, 0, 0,
            held, reserved, rooms_sold, room_revenue_minor
        FROM taken
    ),
    differing AS (
        SELECT
            property_id,
            room_type_id,
            night,
            CAST(SUM(is_stored) AS bigint) AS is_stored,
            CAST(SUM(held) AS bigint) AS held,
            CAST(SUM(reserved) AS bigint) AS reserved,
            CAST(SUM(rooms_sold) AS bigint) AS sold,
            CAST(SUM(room_revenue_minor) AS bigint) AS revenue,
            CAST(SUM(due_held) AS bigint) AS due_held,
            CAST(SUM(due_reserved) AS bigint) AS due_reserved,
            CAST(SUM(due_sold) AS bigint) AS due_sold,
            CAST(SUM(due_revenue) AS bigint) AS due_revenue
        FROM pile
        GROUP BY property_id, room_type_id, night
        HAVING SUM(is_stored) = 0
            OR SUM(held) <> SUM(due_held)
            OR SUM(reserved) <> SUM(due_reserved)
            OR SUM(rooms_sold) <> SUM(due_sold)
            OR SUM(room_revenue_minor) <> SUM(due_revenue)
    ),
    fields AS (
        SELECT property_id, room_type_id, night, 'inventory' AS field, 0 AS stored, 1 AS expected
        FROM differing
        WHERE is_stored = 0
        UNION ALL
        SELECT property_id, room_type_id, night, 'held', held, due_held
        FROM differing
        WHERE held <> due_held
        UNION ALL
        SELECT property_id, room_type_id, night, 'reserved', reserved, due_reserved
        FROM differing
        WHERE reserved <> due_reserved
        UNION ALL
        SELECT property_id, room_type_id, night, 'rooms_sold', sold, due_sold
        FROM differing
        WHERE sold <> due_sold
        UNION ALL
        SELECT property_id, room_type_id, night, 'room_revenue_minor', revenue, due_revenue
        FROM differing
        WHERE revenue <> due_revenue
    )
    SELECT
        COALESCE(p.code, ''),
        COALESCE(t.code, ''),
        f.night,
        '',
        f.field,
        f.stored,
        f.expected,
        COUNT(*) OVER ()
    FROM fields AS f
    LEFT JOIN properties AS p ON p.id = f.property_id
    LEFT JOIN room_types AS t ON t.id = f.room_type_id
    ORDER BY f.property_id, f.room_type_id, f.night, f.field
    LIMIT :limit
    """


def _from_bookings(stay_nights: str) -> str:
    return f"""
    WITH stay_nights AS ({stay_nights}
    ),{_nights_against(_TAKEN_BY_BOOKINGS)}"""


NIGHTS_AGAINST_BOOKINGS = Statement(
    "verify.nights_against_bookings",
    _from_bookings(_STAY_NIGHTS_SQLITE),
    postgresql=_from_bookings(_STAY_NIGHTS_POSTGRESQL),
    row=FoundDifference,
    reads=("room_inventory", "bookings", "room_stays", "properties", "room_types"),
    heavy=True,
    access=READS_ALL,
)

NIGHTS_AGAINST_LEDGER = Statement(
    "verify.nights_against_ledger",
    f"WITH{_nights_against(_TAKEN_BY_LEDGER)}",
    row=FoundDifference,
    reads=("room_inventory", "night_ledger", "properties", "room_types"),
    heavy=True,
    access=READS_ALL,
)
