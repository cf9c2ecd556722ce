"""A race in many properties at once: one room is left in each, and every process wants them all."""

from __future__ import annotations

import asyncio

from tests.fault.promises import broken_promises, list_bookings
from tests.hotels import FIRST_NIGHT, Hotel, a_hotel
from tests.race.booker import Answered, Job
from tests.race.processes import bookers
from vacancy.db.database import Transaction
from vacancy.hotel.queries import list_properties
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property
from vacancy.hotel.verify import verify_inventory

PROPERTIES = tuple(f"hotel-{number}" for number in range(8))
PROCESSES = 4
CLIENTS = 12
"""In each process, for each property."""


def test_each_property_sells_its_last_room_once(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, nights=1) as hotel:
            await make_properties(hotel)
            answers = await asyncio.to_thread(race, hotel, database_url)

            assert len(answers) == PROCESSES * CLIENTS * len(PROPERTIES)
            won = [answer for answer in answers if answer.booking]
            assert sorted(answer.key.split()[0] for answer in won) == sorted(PROPERTIES)
            lost = {answer.status for answer in answers if not answer.booking}
            assert lost == {"INSUFFICIENT_INVENTORY"}

            db = hotel.house.db
            codes = {place.id: place.code for place in await list_properties(db)}
            booked = {
                str(booking.id): codes[booking.property_id] for booking in await list_bookings(db)
            }
            assert booked == {answer.booking: answer.key.split()[0] for answer in won}
            assert (await verify_inventory(db)).ok
            assert await broken_promises(db, every_booking_has_a_key=True) == []

    asyncio.run(story())


def race(hotel: Hotel, url: str) -> list[Answered]:
    """Each process begins with another property, so that their batches meet in every order."""
    jobs = []
    for number in range(PROCESSES):
        turned = PROPERTIES[2 * number :] + PROPERTIES[: 2 * number]
        jobs.append(
            Job(
                url=url,
                staff_id=hotel.staff.user_id,
                guest_id=hotel.guest.user_id,
                kind="rush",
                keys=tuple(
                    f"{code} process {number} client {client}"
                    for client in range(CLIENTS)
                    for code in turned
                ),
                properties=turned,
            )
        )
    with bookers(jobs) as running:
        for booker in running:
            booker.go()
        return [each for booker in running for each in booker.answers()]


async def make_properties(hotel: Hotel) -> None:
    async def unit(tx: Transaction) -> None:
        for code in PROPERTIES:
            double = NewRoomType(
                code="double", name="Double", price_minor=9000, max_adults=2, capacity=1
            )
            wanted = NewProperty(
                code=code,
                name=code,
                currency="EUR",
                time_zone="Europe/Lisbon",
                room_types=(double,),
                first_night=FIRST_NIGHT,
                nights=1,
            )
            await create_property(tx, wanted, hotel.house.ids.next)

    await hotel.house.db.transact(unit)
