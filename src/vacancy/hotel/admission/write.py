"""Sends the changes of a batch to the database: one set for each table, all sets together."""

from __future__ import annotations

from typing import Any

from vacancy.db.database import Repeat, SetChange, Transaction
from vacancy.errors import Internal
from vacancy.hotel.admission.changes import Changes
from vacancy.hotel.statements import admission_changes as sql


async def write_changes(tx: Transaction, changes: Changes) -> None:
    """Writes everything, rows of shared tables in their sorted order.

    Raises `Internal` LOCKED_ROW_CHANGED when a row that was decided on is not there any more (a
    fault of ours: all of them are locked), and `Repeat` when a key was answered meanwhile.
    """
    sets = rows_to_write(changes)
    if not sets:
        return
    counts = await tx.execute_sets(sets)
    for (statement, rows), count in zip(sets, counts, strict=True):
        if count == len(rows) or not statement.counted:
            continue
        if statement is sql.INSERT_ANSWERS:
            raise Repeat("another process answered one of the keys")
        raise Internal(
            "LOCKED_ROW_CHANGED",
            f"{statement.name} was to change {len(rows)} rows and changed {count}.",
            hint="Nothing was written. Please report this with the server's log.",
        )


def rows_to_write(changes: Changes) -> list[SetChange]:
    """What there is to write, set by set; those without rows are left out."""
    sets: list[SetChange] = [
        (sql.UPDATE_NIGHTS, _moved(changes.nights)),
        (sql.INSERT_BOOKINGS, changes.bookings),
        (sql.INSERT_STAYS, changes.stays),
        (sql.CHANGE_STATUS, changes.statuses),
        (sql.INSERT_LEDGER, changes.ledger),
        (sql.ADD_BOOKING_COUNTS, _moved(changes.booking_counts)),
        (sql.ADD_LEAD_TIMES, [(*key, n) for key, n in sorted(changes.lead_times.items()) if n]),
        (sql.INSERT_AUDIT, changes.audit),
        (sql.INSERT_AUDIT, changes.told),
        (sql.INSERT_EVENTS, changes.told),
        (sql.INSERT_ANSWERS, sorted(changes.answers)),
    ]
    return [(statement, rows) for statement, rows in sets if rows]


def _moved(totals: dict[Any, list[int]]) -> list[tuple[Any, ...]]:
    return [(*key, *moved) for key, moved in sorted(totals.items()) if any(moved)]
