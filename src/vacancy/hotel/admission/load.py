"""Reads what a batch is decided on, taking its locks in the one order that all batches keep:
bookings by id, nights by property, room type and date; then counts and keys as they are written.

Keys come last and not first: so each is written once, with its answer. A second process with the
same key finds the answer, or its insert waits for the first to commit and it judges again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from vacancy.db.database import Transaction
from vacancy.hotel.admission.requests import ChangeStatus, CreateBooking, Request
from vacancy.hotel.admission.state import KnownBooking, Line, State
from vacancy.hotel.statements import admission_state as sql
from vacancy.hotel.statements.admission_state import LockedBooking, LockedStay, StoredAnswer

NightRange = tuple[int, int, date, date]
"""Property, room type, first night, and the date after the last one."""


async def load_state(
    tx: Transaction, requests: Sequence[Request], due_holds: Iterable[int] = ()
) -> State:
    """Locks the bookings and nights of all requests, and of these holds, which end if they are
    due."""
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
    await _lock_bookings(tx, requests, state, due_holds)
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


async def list_due_holds(
    tx: Transaction, requests: Sequence[Request], state: State
) -> tuple[int, ...]:
    """Holds whose time is over, on nights that these requests want. Locks nothing."""
    return tuple(
        hold.id for hold in await tx.fetch_set(sql.LIST_DUE_HOLDS, _wanted(requests, state))
    )


async def _lock_bookings(
    tx: Transaction, requests: Sequence[Request], state: State, due_holds: Iterable[int]
) -> None:
    due = set(due_holds)
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
    stays: set[NightRange] = set()
    for request in requests:
        if isinstance(request, CreateBooking):
            los = (request.check_out - request.check_in).days
            for rooms in request.rooms:
                entry = state.catalogue.get((request.property, rooms.room_type))
                # A stay of a thousand years is refused without a look at its nights.
                if entry is not None and los <= entry.max_stay_nights:
                    place, room_type = entry.property_id, entry.room_type_id
                    stays.add((place, room_type, request.check_in, request.check_out))
    for booking in state.bookings.values():
        row = booking.row
        stays.update(
            (row.property_id, line.room_type_id, row.check_in, row.check_out)
            for line in booking.lines
        )
    for found in await tx.fetch_set(sql.LOCK_STAY_NIGHTS, merged(stays)):
        key = (found.property_id, found.room_type_id, found.night)
        state.available[key] = found.available


def merged(stays: Iterable[NightRange]) -> list[NightRange]:
    """The same nights as these stays, each night once, in the order in which nights are locked."""
    ranges: list[NightRange] = []
    for stay in sorted(stays):
        place, room_type, check_in, check_out = stay
        if ranges:
            last = ranges[-1]
            if (last[0], last[1]) == (place, room_type) and check_in <= last[3]:
                ranges[-1] = (place, room_type, last[2], max(last[3], check_out))
                continue
        ranges.append(stay)
    return ranges
