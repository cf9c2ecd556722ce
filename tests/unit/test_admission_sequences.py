"""Any sequence of verbs on any stays, against a real database: the promises always hold."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fault.promises import broken_promises
from tests.hotels import FIRST_NIGHT, HandClock, Hotel, a_hotel
from vacancy.db.connect import engine_of
from vacancy.db.database import Transaction
from vacancy.hotel.admission.requests import ChangeStatus, Outcome, Request
from vacancy.hotel.model import Booking, Verb
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property
from vacancy.hotel.sweep import Sweep

NIGHTS = 5
EXAMPLES = {"sqlite": 120, "postgresql": 40}


@dataclass(frozen=True)
class Book:
    start: int
    los: int
    room_type: str
    rooms: int
    hold_min: int | None
    key: str | None


@dataclass(frozen=True)
class Change:
    verb: Verb
    which: int
    """Counted from the newest booking."""
    key: str | None


@dataclass(frozen=True)
class Wait:
    minutes: int
    sweep: bool


keys = st.sampled_from([None, None, None, "k1", "k2"])
books = st.builds(
    Book,
    start=st.integers(0, NIGHTS),
    los=st.integers(1, 3),
    room_type=st.sampled_from(["double", "single"]),
    rooms=st.integers(1, 3),
    hold_min=st.sampled_from([None, 1, 5]),
    key=keys,
)
verbs: st.SearchStrategy[Verb] = st.sampled_from(["confirm", "confirm", "cancel", "expire"])
changes = st.builds(Change, verb=verbs, which=st.integers(0, 6), key=keys)
waits = st.builds(Wait, minutes=st.sampled_from([1, 5]), sweep=st.booleans())
together = st.lists(st.one_of(books, books, changes), min_size=1, max_size=6)
"""What arrives at one moment and so shares a batch."""


class Play:
    """Plays sequences in one database, each in a property of its own."""

    def __init__(self, hotel: Hotel, clock: HandClock) -> None:
        self.hotel = hotel
        self.clock = clock
        self.numbers = itertools.count(1)
        self.sweep = Sweep(hotel.house.db, hotel.house.admission, keep_h=48)

    async def run(self, capacity: int, steps: list[list[Book | Change] | Wait]) -> None:
        number = next(self.numbers)
        code = f"p{number}"
        await self.make_property(code, capacity)
        booked: list[str] = []
        for step in steps:
            if isinstance(step, Wait):
                self.clock.move(timedelta(minutes=step.minutes))
                if step.sweep:
                    await self.sweep.expire_holds()
                continue
            requests = [self.request(code, number, one, booked) for one in step]
            outcomes = await asyncio.gather(
                *(self.hotel.house.admission.submit(request) for request in requests)
            )
            booked += [each for each in map(new_booking, outcomes) if each not in ("", *booked)]
        assert await broken_promises(self.hotel.house.db) == []

    def request(self, code: str, number: int, wanted: Book | Change, booked: list[str]) -> Request:
        key = wanted.key and f"{number} {wanted.key}"
        # One key with two different requests is refused; that too must leave all in order.
        if isinstance(wanted, Book):
            return self.hotel.request(
                FIRST_NIGHT + timedelta(days=wanted.start),
                wanted.los,
                rooms=wanted.rooms,
                room_type=wanted.room_type,
                hold_for=timedelta(minutes=wanted.hold_min) if wanted.hold_min else None,
                key=key,
                property_code=code,
                body=repr(wanted),
            )
        template = self.hotel.request(key=key, body=repr(wanted))
        return ChangeStatus(
            verb=wanted.verb,
            booking_id=int(booked[-1 - wanted.which]) if wanted.which < len(booked) else 1,
            property=code,
            actor=None if wanted.verb == "expire" else self.hotel.staff,
            idempotency=template.idempotency,
        )

    async def make_property(self, code: str, capacity: int) -> None:
        room_types = tuple(
            NewRoomType(code=name, name=name, price_minor=price, max_adults=2, capacity=rooms)
            for name, price, rooms in (("double", 9000, capacity), ("single", 0, capacity + 1))
        )
        wanted = NewProperty(
            code=code,
            name=code,
            currency="EUR",
            time_zone="Europe/Lisbon",
            room_types=room_types,
            first_night=FIRST_NIGHT,
            nights=NIGHTS,
        )

        async def unit(tx: Transaction) -> None:
            await create_property(tx, wanted, self.hotel.house.ids.next)

        await self.hotel.house.db.transact(unit)


def new_booking(outcome: Outcome) -> str:
    return outcome.answer.id if isinstance(outcome.answer, Booking) else ""


def test_any_sequence_of_verbs_keeps_the_inventory(database_url: str) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        clock = HandClock()
        hotel = runner.run(stack.enter_async_context(a_hotel(database_url, nights=1, clock=clock)))
        play = Play(hotel, clock)

        @settings(max_examples=EXAMPLES[engine_of(database_url)], deadline=None)
        @given(st.integers(0, 3), st.lists(st.one_of(together, together, waits), max_size=8))
        def holds(capacity: int, steps: list[list[Book | Change] | Wait]) -> None:
            runner.run(play.run(capacity, steps))

        try:
            holds()
        finally:
            runner.run(stack.aclose())


def test_two_adjacent_stays_always_both_fit_one_room(database_url: str) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        hotel = runner.run(stack.enter_async_context(a_hotel(database_url, capacity=1)))
        first_free = [FIRST_NIGHT]

        async def both_fit(before: int, after: int, together: bool, late_first: bool) -> None:
            middle = first_free[0] + timedelta(days=before)
            first_free[0] = middle + timedelta(days=after)
            pair = [
                hotel.request(middle - timedelta(days=before), before),
                hotel.request(middle, after),
            ]
            if late_first:
                pair.reverse()
            if together:
                outcomes = await asyncio.gather(*(hotel.book(request) for request in pair))
            else:
                outcomes = [await hotel.book(request) for request in pair]
            assert all(isinstance(outcome.answer, Booking) for outcome in outcomes)
            assert await sold_out(hotel, middle - timedelta(days=1), 2)

        @settings(max_examples=25, deadline=None)
        @given(st.integers(1, 5), st.integers(1, 5), st.booleans(), st.booleans())
        def holds(before: int, after: int, together: bool, late_first: bool) -> None:
            runner.run(both_fit(before, after, together, late_first))

        try:
            holds()
        finally:
            runner.run(stack.aclose())


async def sold_out(hotel: Hotel, check_in: date, nights: int) -> bool:
    return not isinstance((await hotel.book(hotel.request(check_in, nights))).answer, Booking)
