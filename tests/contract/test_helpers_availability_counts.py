"""The helpers of availability, inventory and occupancy run one statement, and fetch no more rows
than they promise, however much they answer; what they refuse they refuse with its name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.contract.test_time_zones import ONE_DAY
from tests.hotels import FIRST_NIGHT, Hotel, a_hotel
from vacancy.contracts.contract import contract_of
from vacancy.contracts.measure import Call, judge_costs, measure
from vacancy.db.database import Transaction
from vacancy.errors import Forbidden, Invalid, Missing, VacancyError
from vacancy.hotel.booking import booking_of
from vacancy.hotel.model import Actor
from vacancy.hotel.queries import (
    StayCheck,
    batch_check_availability,
    check_room_availability,
    get_all_room_availability,
    get_kpi_report,
    get_occupancy_rate,
    get_property,
    get_room_type_with_inventory,
    get_room_types_with_inventory,
)
from vacancy.hotel.queries.availability import MAX_CHECKS
from vacancy.hotel.queries.inventory import MAX_DAYS
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property

SIZES = (1, 10, 100, 1000)
TWO = FIRST_NIGHT + timedelta(days=2)
Ask = Callable[..., Awaitable[Any]]


async def a_place(hotel: Hotel, code: str, *, kinds: int, nights: int) -> None:
    """A property of so many room types, with inventory for so many nights."""
    wanted = NewProperty(
        code=code,
        name=code.title(),
        currency="EUR",
        time_zone="Europe/Lisbon",
        first_night=FIRST_NIGHT,
        nights=nights,
        room_types=tuple(
            NewRoomType(code=f"kind{n}", name="Kind", price_minor=100, max_adults=2, capacity=4)
            for n in range(kinds)
        ),
    )

    async def unit(tx: Transaction) -> None:
        await create_property(tx, wanted, hotel.house.ids.next)

    await hotel.house.db.transact(unit)


def questions(size: int) -> list[tuple[str, int, Ask, Call]]:
    """The statement that may run, the rows that it may fetch, the helper, and its call."""
    wide, long = f"wide{size}", f"long{size}"
    nights = min(size, MAX_DAYS)
    end = FIRST_NIGHT + timedelta(days=nights)
    checks = [StayCheck(wide, f"kind{n}", FIRST_NIGHT, TWO) for n in range(min(size, MAX_CHECKS))]
    return [
        (
            "availability.check_room_availability",
            1,
            check_room_availability,
            lambda ask, db: ask(db, wide, "kind0", FIRST_NIGHT, TWO),
        ),
        (
            "availability.get_all_room_availability",
            size,
            get_all_room_availability,
            lambda ask, db: ask(db, wide, FIRST_NIGHT, TWO),
        ),
        (
            "availability.batch_check_availability",
            len(checks),
            batch_check_availability,
            lambda ask, db: ask(db, checks),
        ),
        (
            "inventory.get_room_types_with_inventory",
            size,
            get_room_types_with_inventory,
            lambda ask, db: ask(db, wide, FIRST_NIGHT),
        ),
        (
            "inventory.get_room_type_with_inventory",
            nights,
            get_room_type_with_inventory,
            lambda ask, db: ask(db, long, "kind0", FIRST_NIGHT, end),
        ),
        (
            "occupancy.sum_nights",
            1,
            get_occupancy_rate,
            lambda ask, db: ask(db, wide, FIRST_NIGHT, end),
        ),
        (
            "occupancy.sum_nights_of_room_type",
            1,
            get_occupancy_rate,
            lambda ask, db: ask(db, long, FIRST_NIGHT, end, "kind0"),
        ),
    ]


def test_one_statement_and_no_row_too_many_at_every_size(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, nights=1) as hotel:
            db = hotel.house.db
            for size in SIZES:
                await a_place(hotel, f"wide{size}", kinds=size, nights=2)
                await a_place(hotel, f"long{size}", kinds=1, nights=size)
            for number in range(len(questions(1))):
                costs = []
                for size in SIZES:
                    statement, rows, helper, call = questions(size)[number]
                    cost = await measure(db, contract_of(helper), size, call)
                    assert cost.statements == {statement: 1}
                    assert (cost.rows, cost.allowed_rows) == (rows, rows)
                    costs.append(cost)
                assert judge_costs(contract_of(helper), db.engine, costs) == []

    asyncio.run(story())


def test_nothing_at_all_is_one_statement_too(database_url: str) -> None:
    """A property that sells nothing yet, a period before the first night, no checks."""

    async def story() -> None:
        async with a_hotel(database_url, nights=1) as hotel:
            await a_place(hotel, "empty", kinds=0, nights=0)
            db = hotel.house.db
            long_ago = FIRST_NIGHT - timedelta(days=400)
            db.trace.reset()
            assert await get_all_room_availability(db, "empty", FIRST_NIGHT, TWO) == []
            assert await batch_check_availability(db, []) == []
            assert await get_room_types_with_inventory(db, "empty", FIRST_NIGHT) == []
            before = long_ago + ONE_DAY
            kind = await get_room_type_with_inventory(db, "alpine", "double", long_ago, before)
            assert (kind.room_type, kind.nights) == ("double", [])
            nobody = await get_occupancy_rate(db, "empty", FIRST_NIGHT, TWO)
            assert (nobody.capacity, nobody.occupancy) == (0, None)
            assert set(db.trace.counts().values()) == {1}
            assert db.trace.calls == 5

    asyncio.run(story())


def test_what_is_wrong_is_said(database_url: str) -> None:
    async def refused(question: Awaitable[Any]) -> tuple[type[VacancyError], str]:
        with pytest.raises(VacancyError) as caught:
            await question
        return type(caught.value), caught.value.code

    async def story() -> None:
        async with a_hotel(database_url, nights=1) as hotel:
            db = hotel.house.db
            year_and_a_day = FIRST_NIGHT + timedelta(days=MAX_DAYS + 1)
            unknown, no_kind = (Missing, "PROPERTY_UNKNOWN"), (Missing, "ROOM_TYPE_UNKNOWN")
            day, nights = get_room_types_with_inventory, get_room_type_with_inventory
            rate = get_occupancy_rate
            for question, refusal in (
                (day(db, "nowhere", FIRST_NIGHT), unknown),
                (nights(db, "nowhere", "double", FIRST_NIGHT, TWO), unknown),
                (nights(db, "alpine", "suite", FIRST_NIGHT, TWO), no_kind),
                (nights(db, "alpine", "double", TWO, TWO), (Invalid, "PERIOD_INVALID")),
                (
                    nights(db, "alpine", "double", FIRST_NIGHT, year_and_a_day),
                    (Invalid, "PERIOD_TOO_LONG"),
                ),
                (rate(db, "nowhere", FIRST_NIGHT, TWO), unknown),
                (rate(db, "nowhere", FIRST_NIGHT, TWO, "double"), unknown),
                (rate(db, "alpine", FIRST_NIGHT, TWO, "suite"), no_kind),
                (rate(db, "alpine", TWO, FIRST_NIGHT), (Invalid, "PERIOD_INVALID")),
                (rate(db, "alpine", FIRST_NIGHT, year_and_a_day), (Invalid, "PERIOD_TOO_LONG")),
            ):
                assert await refused(question) == refusal
            with pytest.raises(Invalid, match="TOO_MANY_CHECKS: 501 checks came at once") as caught:
                await batch_check_availability(
                    db, [StayCheck("alpine", "double", FIRST_NIGHT, TWO)] * 501
                )
            assert caught.value.errors == ({"field": "checks", "value": 501, "limit": 500},)

    asyncio.run(story())


def test_a_name_that_no_database_takes_is_unknown_and_harms_no_other(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, nights=2) as hotel:
            names = ("double", "\0", "dou\0ble", "\ud800", "x" * 10_000, "", 'a"],["b')
            checks = [StayCheck("alpine", name, FIRST_NIGHT, TWO) for name in names]
            checks += [StayCheck(name, "double", FIRST_NIGHT, TWO) for name in names[1:]]
            found = await batch_check_availability(hotel.house.db, checks)
            assert (found[0].available, found[0].sellable, found[0].refused) == (5, True, None)
            codes = [one.refused.code for one in found[1:] if one.refused]
            assert codes == ["ROOM_TYPE_UNKNOWN"] * 6 + ["PROPERTY_UNKNOWN"] * 6

    asyncio.run(story())


def test_who_is_bound_to_a_property_sees_no_other(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, nights=2) as hotel:
            await a_place(hotel, "other", kinds=1, nights=2)
            db = hotel.house.db
            alpine = (await get_property(db, "alpine")).id
            bound = Actor(hotel.staff.user_id, "admin", alpine)

            async def all_three(code: str, kind: str, actor: Actor) -> None:
                day = await get_room_types_with_inventory(db, code, FIRST_NIGHT, actor=actor)
                assert day[0].capacity > 0
                nights = await get_room_type_with_inventory(
                    db, code, kind, FIRST_NIGHT, TWO, actor=actor
                )
                assert len(nights.nights) == 2
                rate = await get_occupancy_rate(db, code, FIRST_NIGHT, TWO, kind, actor=actor)
                assert rate.capacity > 0

            await all_three("alpine", "double", bound)
            await all_three("other", "kind0", hotel.staff)
            for question in (
                get_room_types_with_inventory(db, "other", FIRST_NIGHT, actor=bound),
                get_room_type_with_inventory(db, "other", "kind0", FIRST_NIGHT, TWO, actor=bound),
                get_room_type_with_inventory(db, "other", "none", FIRST_NIGHT, TWO, actor=bound),
                get_occupancy_rate(db, "other", FIRST_NIGHT, TWO, actor=bound),
            ):
                with pytest.raises(Forbidden, match="PROPERTY_NOT_YOURS"):
                    await question
            with pytest.raises(Missing, match="PROPERTY_UNKNOWN"):
                await get_occupancy_rate(db, "nowhere", FIRST_NIGHT, TWO, actor=bound)

    asyncio.run(story())


def test_they_agree_with_bookings_and_with_the_report(database_url: str) -> None:
    """What is booked, held, confirmed and cancelled is seen at once, by all of them alike."""

    async def story() -> None:
        async with a_hotel(database_url, capacity=5, nights=10) as hotel:
            db = hotel.house.db
            end = FIRST_NIGHT + timedelta(days=4)
            sold = booking_of(await hotel.book(hotel.request(nights=3, rooms=2)))
            await hotel.change("confirm", sold.id)
            booking_of(await hotel.book(hotel.request(hold_for=timedelta(minutes=5))))
            gone = booking_of(await hotel.book(hotel.request(nights=2)))
            await hotel.change("cancel", gone.id)

            double, single = await get_room_types_with_inventory(db, "alpine", FIRST_NIGHT)
            assert (double.capacity, double.reserved, double.held, double.available) == (5, 2, 1, 2)
            assert (double.rooms_sold, double.room_revenue_minor) == (2, 18000)
            assert (single.capacity, single.reserved, single.available) == (10, 0, 10)
            kind = await get_room_type_with_inventory(db, "alpine", "double", FIRST_NIGHT, end)
            assert [night.available for night in kind.nights] == [2, 3, 3, 5]
            checks = [
                StayCheck("alpine", "double", night.night, night.night + ONE_DAY, rooms=3)
                for night in kind.nights
            ]
            found = await batch_check_availability(db, checks)
            assert [one.available for one in found] == [2, 3, 3, 5]
            assert [one.sellable for one in found] == [False, True, True, True]

            rate = await get_occupancy_rate(db, "alpine", FIRST_NIGHT, end)
            report = await get_kpi_report(db, "alpine", FIRST_NIGHT, end)
            for name in ("rooms_available", "rooms_sold", "rooms_revenue_minor", "occupancy"):
                assert getattr(rate, name) == getattr(report, name), name
            assert (rate.reserved, rate.occupancy) == (6, 0.1)
            of_doubles = await get_occupancy_rate(db, "alpine", FIRST_NIGHT, end, "double")
            assert (of_doubles.capacity, of_doubles.occupancy) == (20, 0.3)

    asyncio.run(story())
