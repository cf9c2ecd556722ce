"""`decide` against an oracle that serves one request at a time and recomputes all from scratch."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from vacancy.errors import Refusal
from vacancy.hotel.admission.changes import Changes
from vacancy.hotel.admission.decide import decide
from vacancy.hotel.admission.requests import (
    ChangeStatus,
    CreateBooking,
    Idempotency,
    Outcome,
    Request,
    RoomsWanted,
)
from vacancy.hotel.admission.state import KnownBooking, Line, State
from vacancy.hotel.model import Actor, Guest, Status, Verb, nights_of
from vacancy.hotel.statements.admission_state import CatalogueEntry, LockedBooking

NOW = datetime(2027, 1, 2, 12, tzinfo=UTC)
TODAY = date(2027, 1, 2)
NIGHTS = tuple(TODAY + timedelta(days=n) for n in range(6))
"""The nights that have inventory. Requests also ask for the day before and for days after."""
PLACE = 1
TYPES = {"single": 11, "double": 12}
PRICES = {11: 6000, 12: 0}
"""The double is complimentary: taken from inventory, but not sold."""
MAX_ADULTS = {11: 1, 12: 2}
MAX_STAY = 4
STAFF = Actor(5, "staff")
ADA = Actor(6, "guest")
EVE = Actor(7, "guest")
FIRST_NEW_ID = 100


@dataclass
class Stay:
    """A booking as the oracle knows it."""

    id: int
    user_id: int
    status: str
    check_in: date
    check_out: date
    rooms: tuple[tuple[int, int], ...]
    """Room type and number of rooms, line by line."""
    expires_at: datetime | None


@dataclass
class Scene:
    """What a batch finds: the rooms there are, what is booked, and what is asked."""

    capacity: dict[tuple[int, date], int]
    stays: list[Stay]
    requests: list[Request]


Answer = tuple[object, ...]
"""("booked", id, status, total) or ("refused", code, what is short)."""


@dataclass
class Oracle:
    """One hotel, one clerk, one request at a time."""

    capacity: dict[tuple[int, date], int]
    stays: list[Stay]
    answers: dict[tuple[int, str], tuple[str, Answer]] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST_NEW_ID))

    def serve(self, requests: Sequence[Request]) -> list[Answer]:
        for stay in self.stays:
            if stay.status == "provisional" and stay.expires_at and stay.expires_at <= NOW:
                stay.status = "expired"
        return [self.serve_one(request) for request in requests]

    def serve_one(self, request: Request) -> Answer:
        if request.idempotency is None or request.actor is None:
            return self.judge(request)
        name = (request.actor.user_id, request.idempotency.key)
        if name in self.answers:
            body, answer = self.answers[name]
            same = body == request.idempotency.request_sha256
            return answer if same else ("refused", "IDEMPOTENCY_KEY_REUSED", ())
        answer = self.judge(request)
        if answer[1] != "BOOKING_UNKNOWN":  # a key must not tell what exists
            self.answers[name] = (request.idempotency.request_sha256, answer)
        return answer

    def judge(self, request: Request) -> Answer:
        if isinstance(request, CreateBooking):
            return self.create(request)
        return self.change(request)

    def left(self, room_type: int, night: date) -> int:
        if (room_type, night) not in self.capacity:
            return 0
        rooms = self.capacity[room_type, night]
        for stay in self.stays:
            if stay.status in ("provisional", "confirmed", "checked_in", "checked_out"):
                for booked, count in stay.rooms:
                    if booked == room_type and stay.check_in <= night < stay.check_out:
                        rooms -= count
        return rooms

    def create(self, request: CreateBooking) -> Answer:
        if request.property != "alpine":
            return ("refused", "PROPERTY_UNKNOWN", ())
        if request.actor.role == "guest" and request.user_id != request.actor.user_id:
            return ("refused", "NOT_FOR_OTHERS", ())
        if request.check_in < TODAY:
            return ("refused", "STAY_IN_THE_PAST", ())
        los = (request.check_out - request.check_in).days
        if los > MAX_STAY:
            return ("refused", "STAY_TOO_LONG", ())
        for wanted in request.rooms:
            if wanted.room_type not in TYPES:
                return ("refused", "ROOM_TYPE_UNKNOWN", ())
            if wanted.adults > wanted.count * MAX_ADULTS[TYPES[wanted.room_type]]:
                return ("refused", "TOO_MANY_ADULTS", ())
        short = set()
        for room_type in TYPES:
            rooms = sum(wanted.count for wanted in request.rooms if wanted.room_type == room_type)
            for number in range(los):
                night = request.check_in + timedelta(days=number)
                left = self.left(TYPES[room_type], night)
                if rooms > left:
                    short.add((room_type, night.isoformat(), rooms, left))
        if short:
            return ("refused", "INSUFFICIENT_INVENTORY", tuple(sorted(short)))
        stay = Stay(
            next(self.ids),
            request.user_id,
            "provisional",
            request.check_in,
            request.check_out,
            tuple((TYPES[wanted.room_type], wanted.count) for wanted in request.rooms),
            NOW + request.hold_for if request.hold_for else None,
        )
        self.stays.append(stay)
        return self.shown(stay)

    def change(self, request: ChangeStatus) -> Answer:
        found = [stay for stay in self.stays if stay.id == request.booking_id]
        actor = request.actor
        hidden = (
            actor is not None
            and actor.role == "guest"
            and any(stay.user_id != actor.user_id for stay in found)
        )
        if not found or hidden:
            return ("refused", "BOOKING_UNKNOWN", ())
        stay = found[0]
        if request.verb == "cancel":
            allowed = stay.status in ("provisional", "confirmed")
        else:
            allowed = stay.status == "provisional"
        if not allowed:
            return ("refused", "TRANSITION_NOT_ALLOWED", ())
        # What was due ended before the first request, so no hold is due any more.
        if request.verb == "expire":
            return ("refused", "HOLD_NOT_DUE", ())
        stay.status = {"confirm": "confirmed", "cancel": "cancelled"}[request.verb]
        return self.shown(stay)

    def shown(self, stay: Stay) -> Answer:
        los = (stay.check_out - stay.check_in).days
        total = sum(PRICES[room_type] * count * los for room_type, count in stay.rooms)
        return ("booked", stay.id, stay.status, total)

    def taken(self) -> dict[tuple[int, date], tuple[int, int, int, int]]:
        """Held, reserved, sold and revenue of every night."""
        return {
            (room_type, night): (
                self.rooms_of(room_type, night, "provisional"),
                reserved := self.rooms_of(room_type, night, "confirmed"),
                reserved if PRICES[room_type] else 0,
                reserved * PRICES[room_type],
            )
            for room_type, night in self.capacity
        }

    def rooms_of(self, room_type: int, night: date, status: str) -> int:
        return sum(
            count
            for stay in self.stays
            for booked, count in stay.rooms
            if stay.status == status
            and booked == room_type
            and stay.check_in <= night < stay.check_out
        )


def state_of(scene: Scene) -> State:
    """What `load_state` would have locked for this scene."""
    oracle = Oracle(scene.capacity, scene.stays)
    entries = [
        CatalogueEntry(
            PLACE, "alpine", "EUR", "UTC", MAX_STAY, type_id, code, PRICES[type_id],
            MAX_ADULTS[type_id],
        )
        for code, type_id in TYPES.items()
    ]  # fmt: skip
    return State(
        now=NOW,
        catalogue={(entry.property, entry.room_type): entry for entry in entries},
        properties={"alpine": entries[0]},
        room_type_codes={type_id: code for code, type_id in TYPES.items()},
        property_codes={PLACE: "alpine"},
        available={
            (PLACE, room_type, night): oracle.left(room_type, night)
            for room_type, night in scene.capacity
        },
        bookings={stay.id: known(stay) for stay in scene.stays},
        due=tuple(stay.id for stay in scene.stays if stay.expires_at and stay.expires_at <= NOW),
        answers={},
    )


def known(stay: Stay) -> KnownBooking:
    los = (stay.check_out - stay.check_in).days
    total = sum(PRICES[room_type] * count * los for room_type, count in stay.rooms)
    status: Status = "confirmed" if stay.status == "confirmed" else "provisional"
    if stay.status == "cancelled":
        status = "cancelled"
    row = LockedBooking(
        stay.id, PLACE, stay.user_id, status, stay.check_in, stay.check_out, "Ada", "a@b", total,
        "direct", "api", 0, NOW, stay.expires_at,
    )  # fmt: skip
    lines = tuple(
        Line(room_type, count, 0, (PRICES[room_type],) * los) for room_type, count in stay.rooms
    )
    return KnownBooking(row, lines, status)


def plain(outcome: Outcome) -> Answer:
    answer = outcome.answer
    if isinstance(answer, Refusal):
        short = tuple(
            sorted(
                (error["room_type"], error["night"], error["requested"], error["available"])
                for error in answer.errors
                if answer.code == "INSUFFICIENT_INVENTORY"
            )
        )
        return ("refused", answer.code, short)
    return ("booked", int(answer.id), answer.status, answer.total_minor)


def moved(changes: Changes) -> dict[tuple[int, date], tuple[int, ...]]:
    return {
        (room_type, night): tuple(amounts)
        for (_, room_type, night), amounts in changes.nights.items()
    }


def ledger_sums(changes: Changes) -> dict[tuple[int, date], tuple[int, ...]]:
    sums: dict[tuple[int, date], tuple[int, ...]] = {}
    for _, _, room_type, check_in, prices, held, reserved, _ in changes.ledger:
        for day, price in enumerate(json.loads(prices)):
            night = check_in + timedelta(days=day)
            amounts = (held, reserved, reserved if price else 0, reserved * price)
            before = sums.get((room_type, night), (0, 0, 0, 0))
            sums[room_type, night] = tuple(a + b for a, b in zip(before, amounts, strict=True))
    return sums


# -- scenes

lengths = st.integers(1, 3)
lines = st.lists(
    st.tuples(st.sampled_from(sorted(TYPES)), st.integers(1, 3)), min_size=1, max_size=3
)


@st.composite
def stays(draw: st.DrawFn, number: int) -> Stay:
    start = draw(st.integers(0, 4))
    los = draw(st.integers(1, min(3, len(NIGHTS) - start)))
    return Stay(
        number,
        draw(st.sampled_from([ADA.user_id, EVE.user_id])),
        status := draw(st.sampled_from(["provisional", "provisional", "confirmed", "cancelled"])),
        NIGHTS[start],
        NIGHTS[start] + timedelta(days=los),
        tuple((TYPES[code], count) for code, count in draw(lines)),
        NOW + timedelta(minutes=draw(st.sampled_from([-1, 0, 1])))
        if status == "provisional" and draw(st.booleans())
        else None,
    )


@st.composite
def creations(draw: st.DrawFn) -> CreateBooking:
    check_in = TODAY + timedelta(days=draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, -1])))
    actor = draw(st.sampled_from([STAFF, ADA, ADA, EVE]))
    return CreateBooking(
        property=draw(st.sampled_from(["alpine"] * 9 + ["nowhere"])),
        check_in=check_in,
        check_out=check_in + timedelta(days=draw(st.sampled_from([1, 1, 1, 2, 2, 3, 4, 5]))),
        rooms=tuple(
            RoomsWanted(draw(st.sampled_from([code] * 9 + ["suite"])), count, draw(adults))
            for code, count in draw(lines)
        ),
        guest=Guest("Ada", "a@b"),
        user_id=draw(st.sampled_from([actor.user_id] * 5 + [EVE.user_id])),
        actor=actor,
        hold_for=draw(st.sampled_from([None, timedelta(minutes=5)])),
        idempotency=draw(keys),
    )


adults = st.sampled_from([0, 0, 1, 2, 5])
keys = st.sampled_from(
    [None, None, Idempotency("k1", "body"), Idempotency("k1", "other"), Idempotency("k2", "body")]
)


@st.composite
def changes_of_status(draw: st.DrawFn) -> ChangeStatus:
    verb: Verb = draw(st.sampled_from(["confirm", "cancel", "cancel", "expire"]))
    return ChangeStatus(
        verb=verb,
        booking_id=draw(st.sampled_from([1, 2, 3, 4, *range(FIRST_NEW_ID, FIRST_NEW_ID + 5)])),
        property="alpine",
        actor=None if verb == "expire" else draw(st.sampled_from([STAFF, STAFF, ADA, EVE])),
        idempotency=draw(keys),
    )


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    booked = [draw(stays(number)) for number in range(1, draw(st.integers(0, 4)) + 1)]
    bare = Oracle({(t, night): 0 for t in TYPES.values() for night in NIGHTS}, booked)
    capacity = {
        (room_type, night): draw(st.integers(0, 4)) - bare.left(room_type, night)
        for room_type, night in bare.capacity
    }
    requests = draw(st.lists(st.one_of(creations(), changes_of_status()), max_size=8))
    return Scene(capacity, booked, requests)


@settings(max_examples=400, deadline=None)
@given(scenes())
def test_decide_equals_one_clerk_who_serves_one_request_at_a_time(scene: Scene) -> None:
    state = state_of(scene)
    oracle = Oracle(scene.capacity, scene.stays)
    before = oracle.taken()

    outcomes, changes = decide(state, scene.requests, itertools.count(FIRST_NEW_ID).__next__)

    assert [plain(outcome) for outcome in outcomes] == oracle.serve(scene.requests)
    for key, after in oracle.taken().items():
        difference = tuple(a - b for a, b in zip(after, before[key], strict=True))
        assert moved(changes).get(key, (0, 0, 0, 0)) == difference
        assert ledger_sums(changes).get(key, (0, 0, 0, 0)) == difference
        assert state.available[PLACE, *key] == oracle.left(*key) >= 0
    assert {stay.id: stay.status for stay in oracle.stays} == {
        booking_id: booking.status for booking_id, booking in state.bookings.items()
    }
    # One audit entry and one event for each thing that happened: creations and changes of status.
    happened = len(changes.bookings) + len(changes.statuses)
    assert len(changes.told) == happened
    assert len(changes.answers) == len(oracle.answers)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4), lengths, lengths, st.sampled_from(sorted(TYPES)))
def test_two_adjacent_stays_always_both_fit_one_room(
    start: int, first: int, second: int, room_type: str
) -> None:
    nights = tuple(TODAY + timedelta(days=n) for n in range(start + first + second))
    scene = Scene({(t, night): 1 for t in TYPES.values() for night in nights}, [], [])
    middle = TODAY + timedelta(days=start + first)
    requests = [
        a_request(middle - timedelta(days=first), middle, room_type),
        a_request(middle, middle + timedelta(days=second), room_type),
    ]
    for order in (requests, requests[::-1]):
        outcomes, _ = decide(state_of(scene), order, itertools.count(FIRST_NEW_ID).__next__)
        assert [plain(outcome)[0] for outcome in outcomes] == ["booked", "booked"]
    third = a_request(middle - timedelta(days=1), middle + timedelta(days=1), room_type)
    outcomes, _ = decide(state_of(scene), [*requests, third], itertools.count().__next__)
    assert plain(outcomes[2])[:2] == ("refused", "INSUFFICIENT_INVENTORY")
    assert len(plain(outcomes[2])[2]) == 2  # type: ignore[arg-type]


def test_several_room_types_are_all_booked_or_none() -> None:
    scene = Scene({(11, TODAY): 3, (12, TODAY): 1}, [], [])
    tomorrow = TODAY + timedelta(days=1)
    both = (RoomsWanted("single", 2), RoomsWanted("double", 2))
    state = state_of(scene)
    requests = [
        a_request(TODAY, tomorrow, rooms=both),
        a_request(TODAY, tomorrow, rooms=(RoomsWanted("single", 3), RoomsWanted("double", 1))),
    ]
    outcomes, changes = decide(state, requests, itertools.count(FIRST_NEW_ID).__next__)
    assert plain(outcomes[0]) == (
        "refused",
        "INSUFFICIENT_INVENTORY",
        (("double", TODAY.isoformat(), 2, 1),),
    )
    # The singles that the first request could have had were not kept from the second.
    assert plain(outcomes[1])[0] == "booked"
    assert moved(changes) == {(11, TODAY): (3, 0, 0, 0), (12, TODAY): (1, 0, 0, 0)}


def test_two_lines_of_one_room_type_are_added_up() -> None:
    scene = Scene({(11, TODAY): 3, (12, TODAY): 0}, [], [])
    twice = (RoomsWanted("single", 2), RoomsWanted("single", 2))
    request = a_request(TODAY, TODAY + timedelta(days=1), rooms=twice)
    outcomes, changes = decide(state_of(scene), [request], itertools.count().__next__)
    short = (("single", TODAY.isoformat(), 4, 3),)
    assert plain(outcomes[0]) == ("refused", "INSUFFICIENT_INVENTORY", short)
    assert moved(changes) == {}


def test_the_same_key_twice_in_one_batch_is_one_booking() -> None:
    scene = Scene({(11, TODAY): 3, (12, TODAY): 0}, [], [])
    request = a_request(TODAY, TODAY + timedelta(days=1), key=Idempotency("k", "body"))
    other_body = a_request(TODAY, TODAY + timedelta(days=1), key=Idempotency("k", "other"))
    outcomes, changes = decide(
        state_of(scene), [request, request, other_body, request], itertools.count(100).__next__
    )
    assert [outcome.replayed for outcome in outcomes] == [False, True, False, True]
    assert outcomes[0].document == outcomes[1].document == outcomes[3].document
    assert plain(outcomes[2])[1] == "IDEMPOTENCY_KEY_REUSED"
    assert len(changes.bookings) == len(changes.answers) == 1
    assert moved(changes) == {(11, TODAY): (1, 0, 0, 0)}


def test_a_refusal_is_kept_behind_its_key() -> None:
    scene = Scene({(11, TODAY): 1, (12, TODAY): 0}, [], [])
    tomorrow = TODAY + timedelta(days=1)
    too_many = a_request(
        TODAY, tomorrow, rooms=(RoomsWanted("single", 2),), key=Idempotency("k", "b")
    )
    outcomes, changes = decide(state_of(scene), [too_many, too_many], itertools.count().__next__)
    assert [outcome.replayed for outcome in outcomes] == [False, True]
    assert outcomes[0].document == outcomes[1].document
    assert len(changes.answers) == 1 and not changes.bookings


def test_rooms_of_a_hold_that_is_due_go_to_the_first_who_asks() -> None:
    tomorrow = TODAY + timedelta(days=1)
    held = Stay(1, EVE.user_id, "provisional", TODAY, tomorrow, ((11, 1),), NOW)
    scene = Scene({(11, TODAY): 1, (12, TODAY): 0}, [held], [])
    requests = [a_request(TODAY, tomorrow), a_request(TODAY, tomorrow)]
    outcomes, changes = decide(state_of(scene), requests, itertools.count(100).__next__)
    assert [plain(outcome)[0] for outcome in outcomes] == ["booked", "refused"]
    assert [row[:3] for row in changes.statuses] == [(1, "provisional", "expired")]


def test_a_stay_of_a_thousand_years_is_refused_before_its_nights_are_counted() -> None:
    scene = Scene({(11, TODAY): 1, (12, TODAY): 0}, [], [])
    # Twenty thousand such requests would otherwise fill the memory with dates.
    request = a_request(TODAY, date(9999, 12, 31))
    started = nights_of.cache_info().misses
    outcomes, _ = decide(state_of(scene), [request], itertools.count().__next__)
    assert plain(outcomes[0])[1] == "STAY_TOO_LONG"
    assert nights_of.cache_info().misses == started


def a_request(
    check_in: date,
    check_out: date,
    room_type: str = "single",
    *,
    rooms: tuple[RoomsWanted, ...] | None = None,
    key: Idempotency | None = None,
) -> CreateBooking:
    return CreateBooking(
        property="alpine",
        check_in=check_in,
        check_out=check_out,
        rooms=rooms or (RoomsWanted(room_type),),
        guest=Guest("Ada", "a@b"),
        user_id=ADA.user_id,
        actor=ADA,
        idempotency=key,
    )
