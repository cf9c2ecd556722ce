"""A process that books: `python -m tests.race.booker` with a job as JSON on its command line.

It says `ready`, waits for one line of input, then sends each answer as one line of JSON the moment
it has it. `tests/race/processes.py` starts it and reads it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
from datetime import timedelta
from typing import Literal

import msgspec

from tests.hotels import FIRST_NIGHT, HandClock, Hotel
from vacancy.bootstrap import House, open_house
from vacancy.config import Settings
from vacancy.errors import Refusal, Unavailable
from vacancy.hotel.admission.requests import CreateBooking, Outcome
from vacancy.hotel.model import Actor, Verb


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a process shall do.

    `rush`: one booking of the first night for each of `keys` (an empty key is none), all at once,
    in each of `properties` in turn.
    `load`: bookings without end from `clients` at once, with keys that begin with `prefix`; some
    are confirmed or cancelled. `spree`: the same, but of one night that never sells out.
    """

    url: str
    staff_id: int
    guest_id: int
    kind: Literal["rush", "load", "spree"]
    keys: tuple[str, ...] = ()
    properties: tuple[str, ...] = ("alpine",)
    prefix: str = ""
    clients: int = 16


class Answered(msgspec.Struct, frozen=True):
    """One answer, known to the caller: from here on it must never be lost."""

    key: str
    verb: str
    booking: str
    """Its id; empty for a refusal."""
    status: str
    """The booking's status, or the code of the refusal or error."""
    replayed: bool = False


def hotel_of(house: House, staff_id: int, guest_id: int) -> Hotel:
    """The hotel that the test made, seen from here."""
    guest = Actor(guest_id, "guest")
    return Hotel(house, Actor(staff_id, "staff"), guest, guest)


def loaded_request(hotel: Hotel, key: str) -> CreateBooking:
    """The request that `load` sends with this key; whoever knows the key can send it again."""
    rng = random.Random(key)
    return hotel.request(
        FIRST_NIGHT + timedelta(days=rng.randrange(60)),
        rng.randint(1, 4),
        rooms=rng.randint(1, 2),
        room_type=rng.choice(["single", "double"]),
        hold_for=rng.choice([None, timedelta(minutes=15)]),
        key=key,
        body=key,
    )


async def rush(hotel: Hotel, job: Job) -> None:
    async def one(key: str, code: str) -> None:
        request = hotel.request(key=key or None, property_code=code)
        tell("create", key, await hotel.book(request))

    await asyncio.gather(*map(one, job.keys, itertools.cycle(job.properties)))


async def load(hotel: Hotel, job: Job) -> None:
    async def client(number: int) -> None:
        count = 0
        while True:
            count += 1
            key = f"{job.prefix}-{number}-{count}"
            if job.kind == "spree":
                request = hotel.request(key=key)
            else:
                request = loaded_request(hotel, key)
            outcome = await book_until_answered(hotel, request)
            tell("create", key, outcome)
            verb = verb_after(key)
            if verb and job.kind == "load" and not isinstance(outcome.answer, Refusal):
                try:
                    tell(verb, key, await hotel.change(verb, outcome.answer.id))
                except Unavailable:
                    continue  # without a key nobody can tell whether it happened

    await asyncio.gather(*(client(number) for number in range(job.clients)))


def verb_after(key: str) -> Verb | None:
    """What `load` does with the booking of this key."""
    choices: tuple[Verb | None, ...] = ("confirm", "cancel", None)
    return random.Random(f"verb {key}").choice(choices)


async def book_until_answered(hotel: Hotel, request: CreateBooking) -> Outcome:
    """Sends the request again with its key while the database is away, as a good client does."""
    while True:
        try:
            return await hotel.book(request)
        except Unavailable as error:
            send(
                Answered(request.idempotency.key if request.idempotency else "", "", "", error.code)
            )
            await asyncio.sleep(0.01)


def tell(verb: str, key: str, outcome: Outcome) -> None:
    answer = outcome.answer
    if isinstance(answer, Refusal):
        send(Answered(key, verb, "", answer.code, outcome.replayed))
    else:
        send(Answered(key, verb, answer.id, answer.status, outcome.replayed))


def send(answered: Answered) -> None:
    # One write without a buffer: what the parent can read was sent before any kill.
    os.write(1, msgspec.json.encode(answered) + b"\n")


async def main(job: Job) -> None:
    settings = Settings(database_url=job.url, env="test")
    async with open_house(settings, HandClock()) as house:
        hotel = hotel_of(house, job.staff_id, job.guest_id)
        os.write(1, b"ready\n")
        await asyncio.to_thread(sys.stdin.readline)
        await (rush if job.kind == "rush" else load)(hotel, job)


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Job)))
