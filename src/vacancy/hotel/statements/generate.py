"""What the generator asks before it writes: whose hotels there are, and how far it had come."""

from __future__ import annotations

import msgspec

from vacancy.db.statement import Access, NoRow, SetStatement, Statement
from vacancy.hotel.generate.plan import GroupPlan


class FoundProperty(msgspec.Struct, frozen=True):
    """A property and the plan by which it was generated; none for one that was not."""

    code: str
    plan: GroupPlan | None


class Standing(msgspec.Struct, frozen=True):
    bookings: int


LIST_PLANS = Statement(
    "generate.list_plans",
    """
    SELECT
        p.code,
        a.detail
    FROM properties AS p
    LEFT JOIN audit_entries AS a
        ON a.subject_id = p.id
        AND a.action = :action
    ORDER BY p.code
    """,
    row=FoundProperty,
    reads=("audit_entries", "properties"),
    access=Access(
        served_by={"audit_entries": "ix_audit_entries_subject (subject_id)"},
        may_scan={"properties": "All of them are asked about; a group has a thousand at most."},
        may_sort="So few rows.",
    ),
)

# Bookings made by guests and staff bear no source.
COUNT_STANDING = Statement(
    "generate.count_standing",
    """
    SELECT COUNT(*)
    FROM bookings
    WHERE property_id = :property_id
        AND source_ref <> ''
    """,
    row=Standing,
    reads=("bookings",),
    heavy=True,
    access=Access(served_by={"bookings": "uq_bookings_source_ref (property_id)"}),
)

INSERT_USERS = SetStatement(
    "generate.insert_users",
    """
    INSERT INTO users (id, name, email, guest_type, created_at)
    {rows}
    ON CONFLICT (id) DO NOTHING
    """,
    columns={
        "id": "integer",
        "name": "text",
        "email": "text",
        "guest_type": "text",
        "created_at": "instant",
    },
    row=NoRow,
    writes=("users",),
    access=Access(),
)
