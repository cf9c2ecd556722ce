"""Recomputes inventory and counts from bookings and from the ledger and shows what differs."""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.db.database import Reader
from vacancy.db.statement import Statement
from vacancy.errors import Differs
from vacancy.hotel.queries.catalogue import get_property
from vacancy.hotel.statements import verify as sql
from vacancy.hotel.statements import verify_bookings as booking_sql
from vacancy.hotel.statements import verify_counts as count_sql
from vacancy.hotel.statements.verify import FoundDifference

DIFFERENCES_SHOWN = 100
"""Of each kind; the totals count all."""

CHECKS: tuple[tuple[str, str, Statement[FoundDifference]], ...] = (
    ("night", "bookings", sql.NIGHTS_AGAINST_BOOKINGS),
    ("night", "ledger", sql.NIGHTS_AGAINST_LEDGER),
    ("booking", "lines", booking_sql.BOOKINGS_AGAINST_LINES),
    ("ledger", "bookings", booking_sql.LEDGER_AGAINST_BOOKINGS),
    ("booking_count", "bookings", count_sql.COUNTS_AGAINST_BOOKINGS),
    ("lead_time_count", "bookings", count_sql.LEAD_TIMES_AGAINST_BOOKINGS),
)
"""What is looked at, what it is recomputed from, and the statement that does so."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One stored number that is not what it must be."""

    kind: str
    """What is wrong: a `night` of inventory, a `booking`, its `ledger`, a `booking_count` or a
    `lead_time_count`."""
    property: str
    room_type: str | None
    night: date | None
    """The night; for bookings and their counts the arrival, for lead times the first day of its
    month; none for a booking's whole ledger."""
    subject: str | None
    """The booking's id, or which count it is."""
    field: str
    """The column; `inventory`, `booking`, `lines` or `entries` where whole rows are missing."""
    stored: int
    expected: int
    source: str
    """What `expected` was computed from: bookings, ledger or lines."""


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked and what was found."""

    ok: bool
    nights: int
    bookings: int
    ledger_entries: int
    differences_found: int
    """All of them; `differences` may hold fewer."""
    differences: tuple[Difference, ...]


async def verify_inventory(
    db: Reader, *, property_code: str | None = None, shown: int = DIFFERENCES_SHOWN
) -> VerifyReport:
    """Compares every night, booking, ledger entry and count; of one property, or of all.

    Shows at most `shown` differences of each kind and source, and counts all. Each comparison is
    one snapshot, so a server may be writing meanwhile. Raises `Missing` PROPERTY_UNKNOWN.
    """
    property_id = 0
    if property_code is not None:
        property_id = (await get_property(db, property_code)).id
    checked = await db.fetch_one(sql.COUNT_CHECKED, property_id=property_id)
    assert checked is not None
    differences: list[Difference] = []
    total = 0
    for kind, source, statement in CHECKS:
        # At least one row has to come, since each carries the total.
        found = await db.fetch_all(statement, property_id=property_id, limit=max(shown, 1))
        if found:
            total += found[0].total
            differences += [_difference(kind, source, row) for row in found[:shown]]
    return VerifyReport(
        ok=not total,
        nights=checked.nights,
        bookings=checked.bookings,
        ledger_entries=checked.ledger_entries,
        differences_found=total,
        differences=tuple(differences),
    )


def require_clean(report: VerifyReport) -> None:
    """Raises `Differs` INVENTORY_DIFFERS when anything was found."""
    if not report.ok:
        raise Differs(
            "INVENTORY_DIFFERS",
            f"{report.differences_found} stored numbers are not what bookings and ledger say.",
            hint="Stop selling these nights, keep a copy of the database, then compare.",
        )


def _difference(kind: str, source: str, row: FoundDifference) -> Difference:
    return Difference(
        kind=kind,
        property=row.property,
        room_type=row.room_type or None,
        night=row.night,
        subject=row.subject or None,
        field=row.field,
        stored=row.stored,
        expected=row.expected,
        source=source,
    )
