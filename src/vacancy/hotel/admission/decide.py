"""The judgement: given what is locked, who gets rooms and who does not. Pure, first come first
served, all or nothing for each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from vacancy.errors import Refusal, VacancyError
from vacancy.hotel import refusals
from vacancy.hotel.admission.changes import Changes, prices_text
from vacancy.hotel.admission.requests import ChangeStatus, CreateBooking, Outcome, Request
from vacancy.hotel.admission.state import KnownBooking, Line, State
from vacancy.hotel.calendar import business_date
from vacancy.hotel.model import (
    TAKES,
    TRANSITIONS,
    Actor,
    BookedRooms,
    Booking,
    Guest,
    NightPrice,
    Status,
    nights_of,
)
from vacancy.hotel.statements.admission_state import LockedBooking, StoredAnswer

HOUSE_ID = 0
"""The actor in audit entries when nobody asked: a hold's time was over."""

_encode = msgspec.json.Encoder().encode
_decode_booking = msgspec.json.Decoder(Booking).decode
_decode_refusal = msgspec.json.Decoder(Refusal).decode


def decide(
    state: State, requests: Sequence[Request], next_id: Callable[[], int]
) -> tuple[list[Outcome], Changes]:
    """The outcome of each request, in order, and all that has to be written.

    `state` is used up: its availability and statuses move along as rooms are given.
    """
    changes = Changes()
    for booking_id in state.due:
        booking = state.bookings[booking_id]
        if booking.status == "provisional":
            _change(state, changes, booking, "expired", "booking.expired", None)
    outcomes = [_answer(state, changes, request, next_id) for request in requests]
    return outcomes, changes


def _answer(
    state: State, changes: Changes, request: Request, next_id: Callable[[], int]
) -> Outcome:
    idempotency = request.idempotency
    if idempotency is None or request.actor is None:
        return _outcome(_judge(state, changes, request, next_id))
    name = (request.actor.user_id, idempotency.key)
    stored = state.answers.get(name)
    if stored is not None:
        return replay(stored, idempotency.request_sha256)
    outcome = _outcome(_judge(state, changes, request, next_id))
    refused = isinstance(outcome.answer, Refusal)
    if isinstance(outcome.answer, Refusal) and outcome.answer.code == "BOOKING_UNKNOWN":
        # Kept behind the key, it would tell a stranger's booking from one that is not there.
        return outcome
    text = outcome.document.decode()
    state.answers[name] = StoredAnswer(*name, idempotency.request_sha256, refused, text)
    changes.answers.append((*name, idempotency.request_sha256, int(refused), text, state.now))
    return outcome


def replay(stored: StoredAnswer, request_sha256: str) -> Outcome:
    if stored.request_sha256 != request_sha256:
        return _outcome(refusals.key_reused(stored.key).to_refusal())
    document = stored.answer.encode()
    decode = _decode_refusal if stored.refused else _decode_booking
    return Outcome(decode(document), document, replayed=True)


def _outcome(answer: Booking | Refusal) -> Outcome:
    return Outcome(answer, _encode(answer))


def _judge(
    state: State, changes: Changes, request: Request, next_id: Callable[[], int]
) -> Booking | Refusal:
    try:
        if isinstance(request, CreateBooking):
            return _create(state, changes, request, next_id)
        return _change_status(state, changes, request)
    except VacancyError as error:
        return error.to_refusal()


def _create(
    state: State, changes: Changes, request: CreateBooking, next_id: Callable[[], int]
) -> Booking:
    place = state.properties.get(request.property)
    if place is None:
        raise refusals.unknown_property(request.property)
    if not request.actor.may_enter(place.property_id):
        raise refusals.not_this_property(place.property)
    if request.user_id != request.actor.user_id and not request.actor.may_manage(place.property_id):
        raise refusals.not_for_others()
    today = business_date(state.now, place.time_zone)
    los = (request.check_out - request.check_in).days
    if request.check_in < today:
        raise refusals.stay_in_the_past(request.check_in, today)
    if los > place.max_stay_nights:
        raise refusals.stay_too_long(los, place.max_stay_nights)
    lines = _lines(state, request, los)
    _take(state, place.property_id, request, lines)

    booking_id = next_id()
    expires_at = state.now + request.hold_for if request.hold_for else None
    total = sum(line.rooms * sum(line.prices_minor) for line in lines)
    lead_days = (request.check_in - today).days
    row = LockedBooking(
        booking_id,
        place.property_id,
        request.user_id,
        "provisional",
        request.check_in,
        request.check_out,
        request.guest.name,
        request.guest.email,
        total,
        request.segment,
        request.channel,
        lead_days,
        state.now,
        expires_at,
    )
    changes.bookings.append(
        (
            *msgspec.structs.astuple(row)[:11],
            "",
            lead_days,
            state.now,
            state.now,
            expires_at,
        )
    )
    changes.stays.extend(
        (
            booking_id,
            number,
            place.property_id,
            line.room_type_id,
            request.check_in,
            request.check_out,
            line.rooms,
            line.adults,
            prices_text(line.prices_minor),
        )
        for number, line in enumerate(lines, start=1)
    )
    booking = KnownBooking(row, lines, "provisional")
    state.bookings[booking_id] = booking
    changes.lead_time(place.property_id, request.check_in, lead_days)
    _move(state, changes, booking, None)
    changes.tell(
        property_id=place.property_id,
        actor_id=request.actor.user_id,
        action="hold.created" if request.hold_for else "booking.created",
        booking_id=booking_id,
        detail={"booking": str(booking_id), "status": booking.status},
        at=state.now,
    )
    return shown(booking, state)


def _lines(state: State, request: CreateBooking, nights: int) -> tuple[Line, ...]:
    lines = []
    for wanted in request.rooms:
        entry = state.catalogue.get((request.property, wanted.room_type))
        if entry is None:
            raise refusals.unknown_room_type(request.property, wanted.room_type)
        if wanted.adults > wanted.count * entry.max_adults:
            raise refusals.too_many_adults(wanted.room_type, wanted.adults, entry.max_adults)
        prices = (entry.price_minor,) * nights
        lines.append(Line(entry.room_type_id, wanted.count, wanted.adults, prices))
    return tuple(lines)


def _take(state: State, property_id: int, request: CreateBooking, lines: Iterable[Line]) -> None:
    """Brings availability down, or refuses with every short night and leaves it alone."""
    wanted: dict[int, int] = {}
    for line in lines:
        wanted[line.room_type_id] = wanted.get(line.room_type_id, 0) + line.rooms
    available = state.available
    keys = [
        ((property_id, type_id, night), rooms)
        for type_id, rooms in wanted.items()
        for night in nights_of(request.check_in, request.check_out)
    ]
    short = [(key, rooms) for key, rooms in keys if available.get(key, 0) < rooms]
    if short:
        raise refusals.insufficient_inventory(
            (state.room_type_codes[type_id], night, rooms, available.get(key, 0))
            for key, rooms in short
            for _, type_id, night in (key,)
        )
    for key, rooms in keys:
        available[key] -= rooms


def _change_status(state: State, changes: Changes, request: ChangeStatus) -> Booking:
    booking = state.bookings.get(request.booking_id)
    actor = request.actor
    if booking is None or (actor and not may_see(actor, booking.row)):
        raise refusals.unknown_booking(request.booking_id)
    after = TRANSITIONS[request.verb].get(booking.status)
    if after is None:
        raise refusals.transition_refused(booking.status, request.verb)
    expires_at = booking.row.expires_at
    if request.verb == "expire" and (expires_at is None or expires_at > state.now):
        raise refusals.not_due(request.booking_id)
    if request.verb == "confirm" and expires_at is not None and expires_at <= state.now:
        raise refusals.hold_expired(request.booking_id, expires_at)
    _change(state, changes, booking, after, f"booking.{after}", actor)
    return shown(booking, state)


def may_see(actor: Actor, row: LockedBooking) -> bool:
    return actor.may_see(row.property_id, row.user_id)


def _change(
    state: State,
    changes: Changes,
    booking: KnownBooking,
    after: Status,
    action: str,
    actor: Actor | None,
) -> None:
    before, booking.status = booking.status, after
    row = booking.row
    changes.statuses.append((row.id, before, after, state.now))
    if after == "expired":
        changes.lead_time(row.property_id, row.check_in, row.lead_days, sign=-1)
    _move(state, changes, booking, before)
    changes.tell(
        property_id=row.property_id,
        actor_id=actor.user_id if actor else HOUSE_ID,
        action=action,
        booking_id=row.id,
        detail={"booking": str(row.id), "from": before, "status": after},
        at=state.now,
    )


def _move(state: State, changes: Changes, booking: KnownBooking, before: Status | None) -> None:
    row = booking.row
    changes.move(
        property_id=row.property_id,
        booking_id=row.id,
        check_in=row.check_in,
        check_out=row.check_out,
        lines=booking.lines,
        before=before,
        after=booking.status,
        at=state.now,
    )
    for status, sign in ((before, -1), (booking.status, 1)):
        if status is not None:
            changes.count(
                property_id=row.property_id,
                arrival=row.check_in,
                status=status,
                lines=booking.lines,
                sign=sign,
            )
    if before is not None and TAKES[before] and not TAKES[booking.status]:
        for line in booking.lines:
            for night in nights_of(row.check_in, row.check_out):
                state.available[(row.property_id, line.room_type_id, night)] += line.rooms


def shown(booking: KnownBooking, state: State) -> Booking:
    """The booking as it is answered."""
    row = booking.row
    nights = nights_of(row.check_in, row.check_out)
    return Booking(
        id=str(row.id),
        status=booking.status,
        property=state.property_codes[row.property_id],
        user_id=str(row.user_id),
        check_in=row.check_in,
        check_out=row.check_out,
        rooms=tuple(
            BookedRooms(
                state.room_type_codes[line.room_type_id],
                line.rooms,
                line.adults,
                tuple(map(NightPrice, nights, line.prices_minor)),
            )
            for line in booking.lines
        ),
        guest=Guest(row.guest_name, row.guest_email),
        total_minor=row.total_minor,
        currency=state.properties[state.property_codes[row.property_id]].currency,
        segment=row.segment,
        channel=row.channel,
        created_at=row.created_at,
        expires_at=row.expires_at if booking.status == "provisional" else None,
    )
