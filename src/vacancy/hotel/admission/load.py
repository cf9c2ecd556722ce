"""Reads what a batch is decided on, taking its locks in the one order that all batches keep:
bookings by id, nights by property, room type and date; then counts and keys as they are written.

Keys come last and not first: so each is written once, with its answer. A second process with the
same key finds the answer, or its insert waits for the first to commit and it judges again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from vacancy.db.database import Transaction
from vacancy.hotel.admission.requests import ChangeStatus, CreateBooking, Request
from vacancy.hotel.admission.state import KnownBooking, Line, NightKey, State
from vacancy.hotel.model import nights_of
from vacancy.hotel.statements import admission_state as sql
from vacancy.hotel.statements.admission_state import LockedBooking, LockedStay, StoredAnswer


async def load_state(tx: Transaction, requests: Sequence[Request]) -> State:
    """Locks the bookings and nights of all requests, and of the due holds in their way."""
    codes = sorted({(request.property,) for request in requests})
    entries = await tx.fetch_set(sql.LIST_CATALOGUE, codes)
    state = State(
        now=tx.now,
        catalogue={(entry.property, entry.room_type): entry for entry in entries},
        properties={entry.property: entry for entry in entries},
        room_type_codes={entry.room_type_id: entry.room_type for entry in entries},
        property_codes={entry.property_id: entry.property for entry in entries},
        available={},
        bookings={},
        due=(),
        answers={},
    )
    await _lock_bookings(tx, requests, state)
    await _lock_nights(tx, requests, state)
    state.answers = await _answers(tx, requests)
    return state


async def _answers(
    tx: Transaction, requests: Sequence[Request]
) -> dict[tuple[int, str], StoredAnswer]:
    """What is stored behind the keys that came before. Looked up after the locks: who waited for
    the same nights behind the first request with this key now sees its answer."""
    names = {
        (request.actor.user_id, request.idempotency.key)
        for request in requests
        if request.idempotency and request.actor
    }
    stored = await tx.fetch_set(sql.GET_ANSWERS, sorted(names)) if names else []
    return {(answer.user_id, answer.key): answer for answer in stored}


async def _lock_bookings(tx: Transaction, requests: Sequence[Request], state: State) -> None:
    due = {hold.id for hold in await tx.fetch_set(sql.LIST_DUE_HOLDS, _wanted(requests, state))}
    changes = [request for request in requests if isinstance(request, ChangeStatus)]
    named = {request.booking_id: request.verb for request in changes}
    ids = [(booking_id,) for booking_id in sorted(due | named.keys())]
    if not ids:
        return
    rows = await tx.fetch_set(sql.LOCK_BOOKINGS, ids)
    lines: dict[int, list[Line]] = {row.id: [] for row in rows}
    for stay in await tx.fetch_set(sql.LIST_STAYS, ids):
        lines[stay.booking_id].append(_line(stay))
    for row in rows:
        # A request may name a booking of another property than it says: it is not to be seen.
        if row.property_id in state.property_codes:
            state.bookings[row.id] = KnownBooking(row, tuple(lines[row.id]), row.status)
            # Whoever names a hold after its time finds that it has ended, unless to end it.
            if row.id in named and named[row.id] != "expire" and _is_due(row, state.now):
                due.add(row.id)
    state.due = tuple(sorted(due & state.bookings.keys()))


def _wanted(requests: Sequence[Request], state: State) -> list[tuple[object, ...]]:
    """The stays that are asked for, each room type once."""
    stays = {
        (entry.property_id, entry.room_type_id, request.check_in, request.check_out)
        for request in requests
        if isinstance(request, CreateBooking)
        for rooms in request.rooms
        if (entry := state.catalogue.get((request.property, rooms.room_type))) is not None
    }
    return [(*stay, state.now) for stay in sorted(stays)]


def _is_due(row: LockedBooking, now: datetime) -> bool:
    return row.status == "provisional" and row.expires_at is not None and row.expires_at <= now


def _line(stay: LockedStay) -> Line:
    return Line(stay.room_type_id, stay.rooms, stay.adults, tuple(stay.prices_minor))


async def _lock_nights(tx: Transaction, requests: Sequence[Request], state: State) -> None:
    wanted: set[NightKey] = set()
    for request in requests:
        if isinstance(request, CreateBooking):
            los = (request.check_out - request.check_in).days
            for rooms in request.rooms:
                entry = state.catalogue.get((request.property, rooms.room_type))
                # The length first: the nights of a stay of a thousand years fill the memory.
                if entry is not None and los <= entry.max_stay_nights:
                    type_id = entry.room_type_id
                    nights = nights_of(request.check_in, request.check_out)
                    wanted.update((entry.property_id, type_id, night) for night in nights)
    for booking in state.bookings.values():
        row = booking.row
        for line in booking.lines:
            wanted.update(
                (row.property_id, line.room_type_id, night)
                for night in nights_of(row.check_in, row.check_out)
            )
    for found in await tx.fetch_set(sql.LOCK_NIGHTS, sorted(wanted)):
        key = (found.property_id, found.room_type_id, found.night)
        state.available[key] = found.available
