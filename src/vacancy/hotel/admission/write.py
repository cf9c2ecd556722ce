"""Sends the changes of a batch to the database: one statement for each table."""

from __future__ import annotations

from vacancy.db.database import Repeat, Transaction
from vacancy.errors import Internal
from vacancy.hotel.admission.changes import Changes
from vacancy.hotel.statements import admission as sql


async def write_changes(tx: Transaction, changes: Changes) -> None:
    """Writes everything in lock order. Raises when a row that was decided on is not there any
    more: that would be a fault of ours, since all of them are locked."""
    nights = [(*key, *moved) for key, moved in sorted(changes.nights.items()) if any(moved)]
    if nights:
        _all(await tx.execute_set(sql.UPDATE_NIGHTS, nights), len(nights), "nights")
    if changes.bookings:
        await tx.execute_set(sql.INSERT_BOOKINGS, changes.bookings)
        await tx.execute_set(sql.INSERT_STAYS, changes.stays)
    if changes.statuses:
        changed = await tx.execute_set(sql.CHANGE_STATUS, changes.statuses)
        _all(changed, len(changes.statuses), "bookings")
    if changes.ledger:
        await tx.execute_set(sql.INSERT_LEDGER, changes.ledger)
    arrivals = [(*key, *moved) for key, moved in sorted(changes.arrivals.items()) if any(moved)]
    if arrivals:
        await tx.execute_set(sql.ADD_ARRIVALS, arrivals)
    if changes.lead_times:
        lead_times = [(*key, moved) for key, moved in sorted(changes.lead_times.items())]
        await tx.execute_set(sql.ADD_LEAD_TIMES, lead_times)
    if changes.audit:
        await tx.execute_set(sql.INSERT_AUDIT, changes.audit)
        await tx.execute_set(sql.INSERT_EVENTS, changes.events)
    if changes.answers:
        answers = sorted(changes.answers)
        if await tx.execute_set(sql.INSERT_ANSWERS, answers) != len(answers):
            raise Repeat("another process answered one of the keys")


def _all(changed: int, expected: int, what: str) -> None:
    if changed != expected:
        raise Internal(
            "LOCKED_ROW_CHANGED",
            f"{expected} {what} were to change under lock, {changed} did.",
            hint="Nothing was written. Please report this with the server's log.",
        )
