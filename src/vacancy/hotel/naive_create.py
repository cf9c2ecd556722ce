"""A booking in a transaction of its own, one statement for each row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from vacancy.db.database import Database, Transaction
from vacancy.db.statement import NoRow, Statement
from vacancy.hotel.admission.changes import Changes
from vacancy.hotel.admission.decide import decide
from vacancy.hotel.admission.requests import CreateBooking, Outcome
from vacancy.hotel.admission.state import NightKey, State
from vacancy.hotel.model import nights_of
from vacancy.hotel.statements.admission_state import CatalogueEntry, StoredAnswer
from vacancy.hotel.statements.catalogue import GET_PROPERTY, LIST_ROOM_TYPES


class AvailableNight(msgspec.Struct, frozen=True):
    available: int


_NIGHT = """
    SELECT available
    FROM room_inventory
    WHERE property_id = :property_id
        AND room_type_id = :room_type_id
        AND night = :night
    """

LOCK_NIGHT = Statement(
    "naive.lock_night",
    _NIGHT,
    postgresql=f"{_NIGHT}FOR UPDATE",
    row=AvailableNight,
    reads=("room_inventory",),
)

GET_ANSWER = Statement(
    "naive.get_answer",
    """
    SELECT
        user_id,
        key,
        request_sha256,
        refused = 1,
        answer
    FROM idempotency_keys
    WHERE user_id = :user_id
        AND key = :key
    """,
    row=StoredAnswer,
    reads=("idempotency_keys",),
)

UPDATE_NIGHT = Statement(
    "naive.update_night",
    """
    UPDATE room_inventory
    SET
        held = held + :held,
        reserved = reserved + :reserved,
        rooms_sold = rooms_sold + :sold,
        room_revenue_minor = room_revenue_minor + :revenue
    WHERE property_id = :property_id
        AND room_type_id = :room_type_id
        AND night = :night
    """,
    row=NoRow,
    writes=("room_inventory",),
)


def _insert(table: str, columns: str, conflict: str = "") -> Statement[NoRow]:
    values = ", ".join(f":{column}" for column in columns.split(", "))
    return Statement(
        f"naive.insert_{table}",
        f"INSERT INTO {table} ({columns})\nVALUES ({values}){conflict}",
        row=NoRow,
        writes=(table,),
    )


INSERT_BOOKING = _insert(
    "bookings",
    "id, property_id, user_id, status, check_in, check_out, guest_name, guest_email, total_minor,"
    " segment, channel, source_ref, lead_days, created_at, changed_at, expires_at",
)
INSERT_STAY = _insert(
    "room_stays",
    "booking_id, line, property_id, room_type_id, check_in, check_out, rooms, adults, prices_minor",
)
INSERT_LEDGER = _insert(
    "night_ledger",
    "property_id, booking_id, room_type_id, night, held, reserved, rooms_sold, room_revenue_minor,"
    " at",
)
ADD_BOOKING_COUNT = _insert(
    "booking_counts",
    "property_id, arrival, room_type_id, status, bookings, room_nights, value_minor, stays,"
    " nights_sold",
    """
    ON CONFLICT (property_id, arrival, room_type_id, status) DO UPDATE
    SET
        bookings = booking_counts.bookings + excluded.bookings,
        room_nights = booking_counts.room_nights + excluded.room_nights,
        value_minor = booking_counts.value_minor + excluded.value_minor,
        stays = booking_counts.stays + excluded.stays,
        nights_sold = booking_counts.nights_sold + excluded.nights_sold""",
)
ADD_LEAD_TIME = _insert(
    "lead_time_counts",
    "property_id, month, lead_days, bookings",
    """
    ON CONFLICT (property_id, month, lead_days) DO UPDATE
    SET bookings = lead_time_counts.bookings + excluded.bookings""",
)
INSERT_ANSWER = _insert(
    "idempotency_keys", "user_id, key, request_sha256, refused, answer, created_at"
)
INSERT_AUDIT = _insert("audit_entries", "property_id, actor_id, action, subject_id, detail, at")
INSERT_EVENT = _insert("outbox_events", "property_id, kind, subject_id, payload, created_at")

STATEMENTS: tuple[Statement[Any], ...] = (
    LOCK_NIGHT,
    GET_ANSWER,
    UPDATE_NIGHT,
    INSERT_BOOKING,
    INSERT_STAY,
    INSERT_LEDGER,
    ADD_BOOKING_COUNT,
    ADD_LEAD_TIME,
    INSERT_ANSWER,
    INSERT_AUDIT,
    INSERT_EVENT,
)


async def create_booking(
    db: Database,
    next_id: Callable[[], int],
    request: CreateBooking,
    *,
    wait_s: float | None = None,
) -> Outcome:
    """As admission answers it, which judges the rows here too: the difference is in how they are
    read and written. Holds whose time is over are left to the sweep.

    Raises what the database says, `Unavailable` after waiting for `wait_s` to begin.
    """

    async def unit(tx: Transaction) -> Outcome:
        state = await _load(tx, request)
        outcomes, changes = decide(state, [request], next_id)
        await _write(tx, changes)
        return outcomes[0]

    return await db.transact(unit, wait_s=wait_s)


async def _load(tx: Transaction, request: CreateBooking) -> State:
    place = await tx.fetch_one(GET_PROPERTY, property=request.property)
    kinds = await tx.fetch_all(LIST_ROOM_TYPES, property=request.property) if place else []
    entries = [
        CatalogueEntry(
            place.id,
            place.code,
            place.currency,
            place.time_zone,
            place.max_stay_nights,
            kind.id,
            kind.code,
            kind.price_minor,
            kind.max_adults,
        )
        for kind in kinds
        if place is not None
    ]
    catalogue = {(entry.property, entry.room_type): entry for entry in entries}
    return State(
        now=tx.now,
        catalogue=catalogue,
        properties={entry.property: entry for entry in entries},
        room_type_codes={entry.room_type_id: entry.room_type for entry in entries},
        property_codes={entry.property_id: entry.property for entry in entries},
        available=await _lock_nights(tx, request, catalogue),
        bookings={},
        due=(),
        answers=await _answers(tx, request),
    )


async def _lock_nights(
    tx: Transaction, request: CreateBooking, catalogue: dict[tuple[str, str], CatalogueEntry]
) -> dict[NightKey, int]:
    """Night by night, in one order: two that want the same ones wait and do not deadlock."""
    wanted: set[tuple[int, int, date]] = set()
    for rooms in request.rooms:
        entry = catalogue.get((request.property, rooms.room_type))
        los = (request.check_out - request.check_in).days
        if entry is not None and los <= entry.max_stay_nights:
            nights = nights_of(request.check_in, request.check_out)
            wanted.update((entry.property_id, entry.room_type_id, night) for night in nights)
    available = {}
    for key in sorted(wanted):
        property_id, room_type_id, night = key
        row = await tx.fetch_one(
            LOCK_NIGHT, property_id=property_id, room_type_id=room_type_id, night=night
        )
        if row is not None:
            available[key] = row.available
    return available


async def _answers(tx: Transaction, request: CreateBooking) -> dict[tuple[int, str], StoredAnswer]:
    if request.idempotency is None:
        return {}
    stored = await tx.fetch_one(
        GET_ANSWER, user_id=request.actor.user_id, key=request.idempotency.key
    )
    return {} if stored is None else {(stored.user_id, stored.key): stored}


async def _write(tx: Transaction, changes: Changes) -> None:
    nights = [(*moved, *key) for key, moved in sorted(changes.nights.items())]
    await _each(tx, UPDATE_NIGHT, nights)
    await _each(tx, INSERT_BOOKING, changes.bookings)
    await _each(tx, INSERT_STAY, changes.stays)
    await _each(tx, INSERT_LEDGER, _held(changes, tx.now))
    await _each(tx, ADD_BOOKING_COUNT, _totals(changes.booking_counts))
    await _each(tx, ADD_LEAD_TIME, [(*key, n) for key, n in sorted(changes.lead_times.items())])
    await _each(tx, INSERT_AUDIT, changes.told)
    await _each(tx, INSERT_EVENT, [(place, *what) for place, _, *what in changes.told])
    await _each(tx, INSERT_ANSWER, changes.answers)


def _held(changes: Changes, now: datetime) -> Iterator[tuple[Any, ...]]:
    """The ledger: what a new booking holds, night by night."""
    for booking_id, _, property_id, room_type_id, check_in, check_out, rooms, *_ in changes.stays:
        for night in nights_of(check_in, check_out):
            yield (property_id, booking_id, room_type_id, night, rooms, 0, 0, 0, now)


async def _each(
    tx: Transaction, statement: Statement[NoRow], rows: Iterable[Sequence[Any]]
) -> None:
    """A statement for each row, whose values stand in the order of the text's parameters."""
    for row in rows:
        await tx.execute(statement, **dict(zip(statement.order, row, strict=True)))


def _totals(totals: dict[Any, list[int]]) -> list[tuple[Any, ...]]:
    return [(*key, *moved) for key, moved in sorted(totals.items()) if any(moved)]
