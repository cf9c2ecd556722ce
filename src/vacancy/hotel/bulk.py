"""Writes bookings that have a past: imports, demos, generated data. Each comes with its statuses
and their instants, and goes through the same `Changes` as admission, thousands at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from itertools import islice

import msgspec

from vacancy.db.database import Database, Transaction
from vacancy.errors import Conflict, Missing
from vacancy.hotel.admission.changes import Changes
from vacancy.hotel.admission.decide import HOUSE_ID
from vacancy.hotel.admission.state import Line, NightKey
from vacancy.hotel.admission.write import write_changes
from vacancy.hotel.model import TAKES, Status
from vacancy.hotel.statements.admission_state import LOCK_NIGHTS

BOOKINGS_AT_ONCE = 2_000
"""In one transaction: enough to make the commit cheap, few enough to lose little when killed."""

Step = tuple[Status, datetime]

_encode = msgspec.json.Encoder().encode


class PastBooking(msgspec.Struct, frozen=True, kw_only=True):
    """A booking with its whole history."""

    id: int | None = None
    """Where its maker gives it one; else it takes the next."""
    property_id: int
    user_id: int
    check_in: date
    check_out: date
    """The same day as check_in is day use."""
    lines: tuple[Line, ...]
    steps: tuple[Step, ...]
    """Each status and since when; the first is the booking's creation. Steps that move nothing may
    be left out: `confirmed, checked_out` writes one ledger entry for each night."""
    guest_name: str
    guest_email: str
    segment: str
    channel: str
    lead_days: int
    """From the day of booking to check_in, in the property's zone."""
    source_ref: str = ""
    """Where it comes from; unique in its property unless empty."""
    expires_at: datetime | None = None


async def load_past_bookings(
    db: Database,
    bookings: Iterable[PastBooking],
    next_id: Callable[[], int],
    *,
    action: str,
    actor_id: int = HOUSE_ID,
    at_once: int = BOOKINGS_AT_ONCE,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Writes them in transactions of `at_once` bookings and answers how many there were.

    `progress` hears after each commit how many stand. Raises as `write_past_bookings`; what was
    committed before then stays.
    """
    written = 0
    remaining = iter(bookings)
    while batch := list(islice(remaining, at_once)):

        async def unit(tx: Transaction, batch: Sequence[PastBooking] = batch) -> None:
            await write_past_bookings(tx, batch, next_id, action=action, actor_id=actor_id)

        await db.transact(unit)
        written += len(batch)
        if progress:
            progress(written)
    return written


async def write_past_bookings(
    tx: Transaction,
    bookings: Sequence[PastBooking],
    next_id: Callable[[], int],
    *,
    action: str,
    actor_id: int = HOUSE_ID,
) -> None:
    """Writes bookings, stays, nights, ledger and counts; one audit entry (`action`) for each
    property and no outbox events: what is past concerns no listener.

    Rooms are judged by what the bookings take in the end, not on their way there. Raises `Missing`
    INVENTORY_MISSING, `Conflict` INVENTORY_SHORT, and `Conflict` CONSTRAINT_VIOLATED for a
    source_ref that stands already.
    """
    if not bookings:
        return
    changes = collect_changes(bookings, next_id)
    for property_id in sorted({booking.property_id for booking in bookings}):
        count = sum(booking.property_id == property_id for booking in bookings)
        detail = _encode({"bookings": count}).decode()
        changes.audit.append((property_id, actor_id, action, 0, detail, tx.now))
    await _lock_nights(tx, changes)
    await write_changes(tx, changes)


def collect_changes(bookings: Iterable[PastBooking], next_id: Callable[[], int]) -> Changes:
    """What these bookings write. Pure but for the ids: those without take the next, in order."""
    changes = Changes()
    for booking in bookings:
        _collect(changes, booking, next_id() if booking.id is None else booking.id)
    return changes


def _collect(changes: Changes, booking: PastBooking, booking_id: int) -> None:
    property_id, lines = booking.property_id, booking.lines
    check_in, check_out = booking.check_in, booking.check_out
    before: Status | None = None
    for status, at in booking.steps:
        if before is None or TAKES[before] != TAKES[status]:
            changes.move(
                property_id=property_id,
                booking_id=booking_id,
                check_in=check_in,
                check_out=check_out,
                lines=lines,
                before=before,
                after=status,
                at=at,
            )
        before = status
    final, changed_at = booking.steps[-1]
    changes.count(
        property_id=property_id,
        arrival=check_in,
        status=final,
        lines=lines,
        sign=1,
    )
    if final != "expired":
        changes.lead_time(property_id, check_in, booking.lead_days)
    changes.bookings.append(
        (
            booking_id,
            property_id,
            booking.user_id,
            final,
            check_in,
            check_out,
            booking.guest_name,
            booking.guest_email,
            sum(line.rooms * sum(line.prices_minor) for line in lines),
            booking.segment,
            booking.channel,
            booking.source_ref,
            booking.lead_days,
            booking.steps[0][1],
            changed_at,
            booking.expires_at,
        )
    )
    for number, line in enumerate(lines, start=1):
        changes.stays.append(
            (
                booking_id,
                number,
                property_id,
                line.room_type_id,
                check_in,
                check_out,
                line.rooms,
                line.adults,
                _encode(line.prices_minor).decode(),
            )
        )


async def _lock_nights(tx: Transaction, changes: Changes) -> None:
    """Locks the nights in the order that admission keeps, so that a server may run beside."""
    wanted = sorted(changes.nights)
    found = await tx.fetch_set(LOCK_NIGHTS, wanted)
    available: dict[NightKey, int] = {
        (night.property_id, night.room_type_id, night.night): night.available for night in found
    }
    for key in wanted:
        held, reserved = changes.nights[key][:2]
        _, room_type_id, night = key
        if key not in available:
            raise Missing(
                "INVENTORY_MISSING",
                f"The room type {room_type_id} has no inventory on {night}.",
                hint="Make inventory for every night first; nothing of this batch was written.",
            )
        if held + reserved > available[key]:
            raise Conflict(
                "INVENTORY_SHORT",
                f"{held + reserved} rooms of the room type {room_type_id} are to be written on"
                f" {night}, {available[key]} are left.",
                hint="Raise the capacity or write fewer; nothing of this batch was written.",
            )
