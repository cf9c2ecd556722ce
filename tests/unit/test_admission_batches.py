"""Batches on real databases: whoever shares a batch with a bad request is not harmed by it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from datetime import date, datetime, timedelta

import asyncpg
import msgspec
import pytest

from tests.fault.promises import broken_promises, list_bookings
from tests.hotels import FIRST_NIGHT, HandClock, Hotel, a_hotel
from tests.runnable import Statement
from vacancy.db.connect import connect, engine_of
from vacancy.db.database import Transaction
from vacancy.db.statement import NoRow
from vacancy.errors import Conflict, Refusal, VacancyError
from vacancy.hotel.admission.batches import LOOKS
from vacancy.hotel.admission.requests import CreateBooking, Outcome, RoomsWanted
from vacancy.hotel.model import Booking, Guest, nights_of

CURSED = "Robert Tables"
BATCH = 64


async def curse(url: str) -> None:
    """Lets the database refuse one guest's name: a fault that only the write itself can meet."""
    if engine_of(url) == "postgresql":
        connection = await asyncpg.connect(url)
        await connection.execute(
            f"ALTER TABLE bookings ADD CONSTRAINT uncursed CHECK (guest_name <> '{CURSED}')"
        )
        await connection.close()
        return
    trigger = Statement(
        "test.curse",
        f"CREATE TRIGGER cursed BEFORE INSERT ON bookings WHEN NEW.guest_name = '{CURSED}'"
        " BEGIN SELECT RAISE(ABORT, 'cursed'); END",
        row=NoRow,
    )

    async def unit(tx: Transaction) -> None:
        await tx.execute(trigger)

    db = await connect(url)
    await db.transact(unit)
    await db.close()


def cursed(request: CreateBooking) -> CreateBooking:
    return msgspec.structs.replace(request, guest=Guest(CURSED, "bobby@example.org"))


async def book_all(
    hotel: Hotel, requests: Iterable[CreateBooking]
) -> list[Outcome | BaseException]:
    return await asyncio.gather(*(hotel.book(r) for r in requests), return_exceptions=True)


@pytest.mark.parametrize("culprits", [(0,), (37,), (63,), (5, 6, 40)])
def test_one_bad_request_never_harms_its_batch(
    database_url: str, culprits: tuple[int, ...]
) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=BATCH) as hotel:
            await curse(database_url)
            requests = [hotel.request(nights=2, key=f"key {n}") for n in range(BATCH)]
            for culprit in culprits:
                requests[culprit] = cursed(requests[culprit])
            outcomes = await book_all(hotel, requests)

            for number, outcome in enumerate(outcomes):
                if number in culprits:
                    assert isinstance(outcome, VacancyError)
                    assert outcome.code == "CONSTRAINT_VIOLATED"
                else:
                    assert isinstance(outcome, Outcome)
                    assert isinstance(outcome.answer, Booking)
            assert len(await list_bookings(hotel.house.db)) == BATCH - len(culprits)
            problems = await broken_promises(hotel.house.db, every_booking_has_a_key=True)
            assert problems == []

    asyncio.run(story())


def test_halving_ends_at_the_culprit(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=BATCH) as hotel:
            await curse(database_url)
            requests = [hotel.request() for _ in range(BATCH)]
            requests[41] = cursed(requests[41])
            hotel.house.db.trace.reset()
            await book_all(hotel, requests)

            # One batch of 64 fails, then one of 32, of 16, 8, 4, 2, and at last the culprit alone;
            # the other half of each is written at once.
            stats = hotel.house.db.trace.statements["admission.insert_bookings"]
            assert stats.errors == int(math.log2(BATCH)) + 1
            assert stats.calls == int(math.log2(BATCH))

    asyncio.run(story())


def test_a_failed_request_leaves_its_key_free(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            await curse(database_url)
            bad = cursed(hotel.request(key="again"))
            for _ in range(2):
                with pytest.raises(Conflict, match="CONSTRAINT_VIOLATED"):
                    await hotel.book(bad)
            # Errors of the database are not kept behind the key, refusals are.
            mended = await hotel.book(hotel.request(key="again"))
            assert isinstance(mended.answer, Booking) and not mended.replayed

    asyncio.run(story())


def test_several_room_types_in_one_booking_are_all_or_nothing(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=1) as hotel:
            both = msgspec.structs.replace(
                hotel.request(nights=3), rooms=(RoomsWanted("single", 4), RoomsWanted("double", 1))
            )
            first, second = await asyncio.gather(hotel.book(both), hotel.book(both))
            assert isinstance(first.answer, Booking)
            assert first.answer.total_minor == 3 * (4 * 6000 + 9000)
            assert isinstance(second.answer, Refusal)
            assert [error["room_type"] for error in second.answer.errors] == ["double"] * 3
            # 10 singles less the 4 that were booked: the second booking kept none of them.
            rest = await hotel.book(hotel.request(nights=3, rooms=6, room_type="single"))
            assert isinstance(rest.answer, Booking)
            assert await broken_promises(hotel.house.db) == []

    asyncio.run(story())


def test_the_same_key_twice_in_one_batch_is_one_booking(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            requests = [hotel.request(key=f"key {n % 3}") for n in range(30)]
            requests.append(hotel.request(key="key 0", body="another body"))
            hotel.house.db.trace.reset()
            outcomes = await asyncio.gather(*(hotel.book(request) for request in requests))

            assert hotel.house.db.trace.statements["admission.insert_bookings"].calls == 1
            bookings = [o.answer for o in outcomes[:30] if isinstance(o.answer, Booking)]
            assert len(bookings) == 30
            assert len({booking.id for booking in bookings}) == 3
            assert [outcome.replayed for outcome in outcomes].count(True) == 27
            last = outcomes[30].answer
            assert isinstance(last, Refusal) and last.code == "IDEMPOTENCY_KEY_REUSED"
            assert await broken_promises(hotel.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


def test_due_holds_are_looked_for_when_somebody_finds_no_room(database_url: str) -> None:
    async def story() -> None:
        clock = HandClock()
        async with a_hotel(database_url, capacity=2, clock=clock) as hotel:
            minute = timedelta(minutes=1)
            hold = (await hotel.book(hotel.request(hold_for=minute))).answer
            assert isinstance(hold, Booking)
            clock.move(minute)
            trace = hotel.house.db.trace
            trace.reset()

            there_is_room = await hotel.book(hotel.request())
            assert isinstance(there_is_room.answer, Booking)
            assert "admission.list_due_holds" not in trace.counts()

            # The second is judged again without the hold, the third finds nothing more to end.
            second, third = await book_all(hotel, [hotel.request(), hotel.request()])
            assert isinstance(second, Outcome) and isinstance(second.answer, Booking)
            assert isinstance(third, Outcome) and isinstance(third.answer, Refusal)
            assert trace.counts()["admission.list_due_holds"] == 2
            found = {booking.id: booking.status for booking in await list_bookings(hotel.house.db)}
            assert found[int(hold.id)] == "expired"
            assert await broken_promises(hotel.house.db) == []

    asyncio.run(story())


def test_holds_that_end_one_by_one_fail_nobody(database_url: str) -> None:
    """Each time the batch begins again, one more of them has come to its end."""

    class RunningClock(HandClock):
        step = timedelta()

        def __call__(self) -> datetime:
            self.now += self.step
            return self.now

    async def story() -> None:
        clock = RunningClock()
        async with a_hotel(database_url, capacity=8, clock=clock) as hotel:
            for number in range(8):
                await hotel.book(hotel.request(hold_for=timedelta(seconds=60 + number)))
            clock.move(timedelta(seconds=59))
            clock.step = timedelta(seconds=1)
            outcome = await hotel.book(hotel.request(rooms=8))
            assert isinstance(outcome.answer, Refusal)
            assert outcome.answer.code == "INSUFFICIENT_INVENTORY"
            statuses = [booking.status for booking in await list_bookings(hotel.house.db)]
            assert statuses.count("expired") == LOOKS
            clock.move(timedelta(seconds=60))
            outcome = await hotel.book(hotel.request(rooms=8))
            assert isinstance(outcome.answer, Booking)
            assert await broken_promises(hotel.house.db) == []

    asyncio.run(story())


def test_a_stay_of_a_thousand_years_costs_nothing(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            endless = msgspec.structs.replace(hotel.request(), check_out=date(9999, 12, 31))
            before = nights_of.cache_info().misses
            endless_one, short_one = await asyncio.gather(
                hotel.book(endless), hotel.book(hotel.request(FIRST_NIGHT + timedelta(days=300)))
            )
            assert isinstance(endless_one.answer, Refusal)
            assert endless_one.answer.code == "STAY_TOO_LONG"
            assert isinstance(short_one.answer, Booking)
            assert nights_of.cache_info().misses - before <= 1  # that of the short stay

    asyncio.run(story())


@pytest.mark.parametrize(
    "name", ['Robert "Bob" {x}', "back\\slash\\", "O'Hara, NULL", "Zoë 李 🏨", "{a,b}", "%s $1 :x"]
)
def test_whatever_a_guest_is_called_comes_back(database_url: str, name: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            guest = Guest(name, "a'b\"@example.org")
            requests = [
                msgspec.structs.replace(hotel.request(key=f"{name} {n}"), guest=guest)
                for n in (1, 2, 1)
            ]
            for outcome in await asyncio.gather(*(hotel.book(request) for request in requests)):
                assert isinstance(outcome.answer, Booking)
                assert outcome.answer.guest == guest
            assert await broken_promises(hotel.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())
