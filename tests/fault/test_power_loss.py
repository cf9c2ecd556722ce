"""The power fails while the real booking path writes: the promises of a crash hold here too."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import apsw
import msgspec
import pytest

from tests.fault.houses import a_house
from tests.fault.powerloss import Recording, powerloss_vfs
from tests.fault.promises import broken_promises, list_bookings
from tests.hotels import FIRST_NIGHT, Hotel, join_hotel, make_hotel
from vacancy.errors import VacancyError
from vacancy.hotel.admission.requests import CreateBooking
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.model import Booking

IMAGES = 40
SOAK_IMAGES = int(os.environ.get("VACANCY_SOAK_IMAGES", "400"))
CLIENTS = 4
BOOKINGS = 25
"""Of each client."""


class Acknowledged(msgspec.Struct, frozen=True):
    """What a caller had been told when the power failed."""

    key: str
    booking: str
    status: str


class Loss(msgspec.Struct, frozen=True):
    """What is wrong with an image."""

    seed: int
    what: list[str]


def request_of(hotel: Hotel, client: int, number: int) -> CreateBooking:
    rng = random.Random(f"{client} {number}")
    return hotel.request(
        FIRST_NIGHT + timedelta(days=rng.randrange(12)),
        rng.randint(1, 3),
        room_type=rng.choice(["single", "double"]),
        key=f"{client}-{number}",
    )


async def book(recording: Recording, synchronous: str) -> Hotel:
    """Books, confirms and cancels, marks in the log what was acknowledged, and checkpoints."""
    path = recording.database
    async with a_house(path, vfs="powerloss", synchronous=synchronous) as house:
        hotel = await make_hotel(house, capacity=60, nights=15)
        recording.mark("open")

        async def client(place: int) -> None:
            for number in range(BOOKINGS):
                request = request_of(hotel, place, number)
                booking = (await hotel.book(request)).answer
                if not isinstance(booking, Booking):
                    continue
                mark(recording, request, booking)
                if number % 3:
                    verb = ("confirm", "cancel")[number % 3 - 1]
                    changed = (
                        await hotel.change("confirm" if verb == "confirm" else "cancel", booking.id)
                    ).answer
                    assert isinstance(changed, Booking)
                    mark(recording, request, changed)
                if place == 0 and number % 10 == 9:
                    # The log is folded into the file: the moment when pages are overwritten.
                    with closing(apsw.Connection(str(path), vfs="powerloss")) as connection:
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

        await asyncio.gather(*(client(place) for place in range(CLIENTS)))
        return hotel


def mark(recording: Recording, request: CreateBooking, booking: Booking) -> None:
    assert request.idempotency is not None
    told = Acknowledged(request.idempotency.key, booking.id, booking.status)
    recording.mark(msgspec.json.encode(told).decode())


async def problems_of(image: Path, told: list[Acknowledged], hotel: Hotel) -> list[str]:
    """What a restarted server finds wrong in an image; empty when every promise holds."""
    with closing(apsw.Connection(str(image))) as connection:
        verdict = str(connection.execute("PRAGMA integrity_check").get)
        if verdict != "ok":
            return [verdict]
    async with a_house(image) as house:
        problems = await broken_promises(house.db, every_booking_has_a_key=True)
        found = {str(row.id): row.status for row in await list_bookings(house.db)}
        for each in {each.booking: each for each in told}.values():
            status = found.get(each.booking)
            # Of a booking whose creation was acknowledged the next verb may have been committed.
            allowed = (
                ("provisional", "confirmed", "cancelled")
                if each.status == "provisional"
                else (each.status,)
            )
            if status not in allowed:
                problems.append(f"{each} is {status}")
        if problems:
            return problems
        here = join_hotel(house, hotel)
        for each in {each.key: each for each in told[-5:]}.values():
            client, number = map(int, each.key.split("-"))
            again = await here.book(request_of(here, client, number))
            if not again.replayed or not isinstance(again.answer, Booking):
                problems.append(f"{each} is not found by its key")
            elif again.answer.id != each.booking:
                problems.append(f"{each} was booked again as {again.answer.id}")
        # And it goes on: the next booking finds everything in order.
        await here.book(here.request(room_type="single", key="after"))
        return problems + await broken_promises(house.db, every_booking_has_a_key=True)


def losses(folder: Path, synchronous: str, images: int) -> tuple[list[Loss], int]:
    """Books once, then takes the power away at so many moments: the images with a loss, and at how
    many different numbers of acknowledgements the power failed."""
    path = folder / "vacancy.db"
    asyncio.run(migrate_database(f"sqlite:///{path}"))
    with powerloss_vfs(path) as recording:
        hotel = asyncio.run(book(recording, synchronous))
    begun = next(at for at in range(len(recording)) if recording.marked(at))
    found = []
    moments = set()
    for seed in range(images):
        rng = random.Random(seed)
        at = rng.randrange(begun, len(recording))
        image = recording.crash_image(at, rng, folder / str(seed))
        labels = recording.marked(at)[1:]
        told = [msgspec.json.decode(label, type=Acknowledged) for label in labels]
        moments.add(len(told))
        try:
            problems = asyncio.run(problems_of(image, told, hotel))
        except (apsw.Error, VacancyError, msgspec.ValidationError) as error:
            problems = [repr(error)]
        if problems:
            found.append(Loss(seed, problems))
    return found, len(moments)


def test_every_acknowledged_booking_survives_a_power_cut(tmp_path: Path) -> None:
    found, moments = losses(tmp_path, "FULL", IMAGES)
    assert found == []
    assert moments > IMAGES // 3


@pytest.mark.soak
def test_every_acknowledged_booking_survives_many_power_cuts(tmp_path: Path) -> None:
    found, _ = losses(tmp_path, "FULL", SOAK_IMAGES)
    assert found == []


def test_without_sync_the_same_check_finds_the_loss(tmp_path: Path) -> None:
    """A check that cannot fail proves nothing."""
    found, _ = losses(tmp_path, "OFF", IMAGES)
    assert any("is None" in problem for loss in found for problem in loss.what)
