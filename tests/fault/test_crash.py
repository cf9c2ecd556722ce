"""kill -9 under load: what was acknowledged is there, nothing is half-written.

`make test` runs a handful of rounds; `make soak` runs VACANCY_SOAK_CRASHES of them (300) for each
database, with other seeds each time unless VACANCY_SOAK_SEED names the first.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from tests.fault.promises import BookingRow, broken_promises, list_bookings, list_keys
from tests.hotels import Hotel, a_hotel
from tests.race.booker import Answered, Job, loaded_request, verb_after
from tests.race.processes import Booker, bookers
from tests.runnable import Statement
from tests.servers import postgres_server
from vacancy.db.database import Reader
from vacancy.hotel.model import Booking

ROUNDS = 4
SOAK_ROUNDS = int(os.environ.get("VACANCY_SOAK_CRASHES", "300"))
SOAK_FRESH_HOTEL_AFTER = 20
"""A hotel fills up, and checks of whole tables take longer: then a new one is made."""
CLIENTS = 16
CAPACITY = 400
AFTER: dict[str, tuple[str, ...]] = {"confirm": ("confirmed",), "cancel": ("cancelled",)}


def crash(job: Job, rng: random.Random) -> list[Answered]:
    """Lets a process book and kills it at a random moment; everything that it was told."""
    told: list[Answered] = []
    wanted = rng.randint(1, 250)
    with bookers([job]) as (booker,):
        booker.go()
        answers = booker.answers()
        for answer in answers:
            told.append(answer)
            if len(told) >= wanted:
                break
        # Answers come just after a commit; this lets the kill fall anywhere in the next batches.
        time.sleep(rng.uniform(0, 0.02))
        booker.kill()
        told += answers
    return told


def job_of(hotel: Hotel, url: str, prefix: str) -> Job:
    return Job(
        url=url,
        staff_id=hotel.staff.user_id,
        guest_id=hotel.guest.user_id,
        kind="load",
        prefix=prefix,
        clients=CLIENTS,
    )


class Busy(msgspec.Struct, frozen=True):
    backends: int


BUSY_BACKENDS = Statement(
    "crash.busy_backends",
    "SELECT 0",
    postgresql="""
    SELECT count(*)
    FROM pg_stat_activity
    WHERE datname = current_database()
        AND pid <> pg_backend_pid()
        AND application_name = 'vacancy'
        AND state <> 'idle'
    """,
    row=Busy,
)


async def is_busy(db: Reader) -> bool:
    found = await db.fetch_one(BUSY_BACKENDS)
    return found is not None and found.backends > 0


async def until_the_dead_are_done(db: Reader) -> None:
    """A COMMIT that the killed process had sent runs on in PostgreSQL; wait until it has ended."""
    async with asyncio.timeout(20):
        while await is_busy(db):  # noqa: ASYNC110 - what is awaited is in another process
            await asyncio.sleep(0.02)


async def check_survivors(hotel: Hotel, told: list[Answered], prefix: str) -> None:
    """Every answer that was given holds, and every key answers again as it did."""
    db = hotel.house.db
    await until_the_dead_are_done(db)
    assert await broken_promises(db, every_booking_has_a_key=True) == []
    found = {str(row.id): row for row in await list_bookings(db)}
    last: dict[str, Answered] = {answer.key: answer for answer in told if answer.booking}
    for answer in last.values():
        check_one(answer, found)

    rng = random.Random(prefix)
    created = [answer for answer in told if answer.verb == "create"]
    for answer in rng.sample(created, min(20, len(created))):
        again = await hotel.book(loaded_request(hotel, answer.key))
        assert again.replayed
        if answer.booking:
            assert isinstance(again.answer, Booking) and again.answer.id == answer.booking
    await finish_open_keys(hotel, {answer.key for answer in told}, prefix)


def check_one(answer: Answered, found: dict[str, BookingRow]) -> None:
    assert answer.booking in found, f"{answer} was acknowledged and is lost"
    status = found[answer.booking].status
    # After the creation one more verb may have been committed that nobody was told of.
    unknown = AFTER.get(verb_after(answer.key) or "", ()) if answer.verb == "create" else ()
    assert status in (answer.status, *unknown), f"{answer} is now {status}"


async def finish_open_keys(hotel: Hotel, told: set[str], prefix: str) -> None:
    """The keys that were under way: sent again they are answered, and never booked twice."""
    stored = {row.key for row in await list_keys(hotel.house.db)}
    counts = [0] * CLIENTS
    for key in told:
        number, count = key.removeprefix(f"{prefix}-").split("-")
        counts[int(number)] = max(counts[int(number)], int(count))
    open_keys = [f"{prefix}-{number}-{count + 1}" for number, count in enumerate(counts)]
    outcomes = await asyncio.gather(*(hotel.book(loaded_request(hotel, key)) for key in open_keys))
    assert [outcome.replayed for outcome in outcomes] == [key in stored for key in open_keys]
    assert await broken_promises(hotel.house.db, every_booking_has_a_key=True) == []


async def crash_often(url: str, prefix: str, seeds: range) -> None:
    async with a_hotel(url, capacity=CAPACITY, nights=70) as hotel:
        for seed in seeds:
            name = f"{prefix}{seed}"
            told = await asyncio.to_thread(crash, job_of(hotel, url, name), random.Random(seed))
            assert told, "nothing was booked before the kill"
            await check_survivors(hotel, told, name)


def test_every_acknowledged_booking_survives_kill_9(database_url: str) -> None:
    asyncio.run(crash_often(database_url, "seed", range(ROUNDS)))


@pytest.mark.soak
@pytest.mark.parametrize("lot", range(0, SOAK_ROUNDS, SOAK_FRESH_HOTEL_AFTER))
def test_every_acknowledged_booking_survives_kill_9_many_times(database_url: str, lot: int) -> None:
    first = int(os.environ.get("VACANCY_SOAK_SEED", time.time_ns() // 1_000_000)) + lot
    last = first + min(SOAK_FRESH_HOTEL_AFTER, SOAK_ROUNDS - lot)
    print(f"seeds {first} to {last - 1}")  # noqa: T201 - pytest shows it when a round fails
    asyncio.run(crash_often(database_url, "soak", range(first, last)))


@pytest.mark.parametrize("manner", ["kill", "immediate"])
def test_clients_go_on_when_postgresql_itself_was_killed(
    tmp_path: Path, manner: Literal["kill", "immediate"]
) -> None:
    """The booking process lives on: it meets the lost server, waits, and asks again by key."""

    def kill_and_restart(booker: Booker) -> list[Answered]:
        told: list[Answered] = []
        changed = threading.Condition()

        def listen() -> None:
            for answer in booker.answers():
                with changed:
                    told.append(answer)
                    changed.notify()

        def wait_for(number: int) -> None:
            def enough() -> bool:
                return sum(1 for answer in told if answer.verb == "create") >= number

            with changed:
                assert changed.wait_for(enough, timeout=60), f"only {len(told)} answers came"

        listener = threading.Thread(target=listen)
        listener.start()
        booker.go()
        wait_for(100)
        server.stop(manner)
        server.start()
        with changed:
            before = sum(1 for answer in told if answer.verb == "create")
        wait_for(before + 100)
        booker.kill()
        listener.join()
        return told

    async def story(url: str) -> None:
        async with a_hotel(url, capacity=CAPACITY, nights=70) as hotel:
            with bookers([job_of(hotel, url, manner)]) as (booker,):
                told = await asyncio.to_thread(kill_and_restart, booker)
            away = {answer.status for answer in told if not answer.verb}
            assert away and away <= {"DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"}
            # Our own house lost its connections as well, and finds new ones by itself.
            told = [answer for answer in told if answer.verb]
            await check_survivors(hotel, told, manner)

    with postgres_server(tmp_path / "private") as server:
        server.create_database("vacancy")
        asyncio.run(story(server.url("vacancy")))
