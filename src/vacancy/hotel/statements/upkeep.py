"""What the sweep looks for and takes away."""

from __future__ import annotations

import msgspec

from vacancy.db.statement import Access, NoRow, Statement

AT_ONCE = 500
"""So many are found or taken away by one statement; who sweeps goes on until there are fewer."""


class Due(msgspec.Struct, frozen=True):
    id: int
    property: str


LIST_DUE = Statement(
    "upkeep.list_due",
    f"""
    SELECT
        b.id,
        p.code
    FROM properties AS p
    JOIN bookings AS b ON b.property_id = p.id
    WHERE b.status = 'provisional'
        AND b.expires_at IS NOT NULL
        AND b.expires_at <= :now
    ORDER BY b.expires_at
    LIMIT {AT_ONCE}
    """,
    row=Due,
    reads=("bookings", "properties"),
    access=Access(
        served_by={
            "bookings": "ix_bookings_due (property_id, expires_at)",
            "properties": "pk_properties (id)",
        },
        may_scan={
            "bookings": "the whole index of holds that can expire, which is small",
            "properties": "each one's holds, on PostgreSQL",
        },
        may_sort="the holds that are due",
    ),
)

# Entries are numbered in the order of time: the oldest are found without an index of their own.
DELETE_OLD_KEYS = Statement(
    "upkeep.delete_old_keys",
    f"""
    DELETE FROM idempotency_keys
    WHERE entry <= (
            SELECT MAX(entry)
            FROM (SELECT entry FROM idempotency_keys ORDER BY entry LIMIT {AT_ONCE}) AS oldest
        )
        AND created_at < :before
    """,
    row=NoRow,
    reads=("idempotency_keys",),
    writes=("idempotency_keys",),
    access=Access(
        served_by={"idempotency_keys": "pk_idempotency_keys (entry)"},
        may_scan={"idempotency_keys": "from the oldest on, until so many are found"},
    ),
)
