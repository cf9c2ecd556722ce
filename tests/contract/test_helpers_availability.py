"""Availability, inventory and occupancy against a clerk who counts one night at a time: on random
nights, on both databases, whose answers must be the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.test_time_zones import ONE_DAY
from tests.nights import (
    DAYS,
    NIGHTS,
    PLACES,
    Nights,
    World,
    a_world,
    clerk_checks,
    clerk_checks_all,
    clerk_counts,
    clerk_shows,
)
from vacancy.db.database import Database
from vacancy.hotel.queries import (
    Availability,
    StayCheck,
    batch_check_availability,
    check_room_availability,
    get_all_room_availability,
    get_occupancy_rate,
    get_room_type_with_inventory,
    get_room_types_with_inventory,
)

BOUNDED = settings(max_examples=60, deadline=None, derandomize=True, database=None)
CODES = st.sampled_from([*PLACES, "alpine", "summit", "nowhere", "Alpine"])
KINDS = st.sampled_from(["double", "single", "suite", "double", "Single", ""])
DATES = st.sampled_from([DAYS[0] - ONE_DAY, *DAYS, DAYS[-1] + ONE_DAY])
LENGTHS = st.sampled_from([1, 1, 2, 2, 3, 5, 6, 0, -1, 366, 367, 400, 401])
ROOMS = st.sampled_from([1, 1, 1, 2, 3, 500, 0, -1, 501, 10**30])


@st.composite
def _checks(draw: st.DrawFn) -> StayCheck:
    check_in = draw(DATES)
    check_out = check_in + timedelta(days=draw(LENGTHS))
    return StayCheck(draw(CODES), draw(KINDS), check_in, check_out, draw(ROOMS))


CHECKS = st.lists(_checks(), max_size=20)
PERIODS = st.tuples(DATES, DATES).filter(lambda pair: pair[0] < pair[1])


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    spare = request.getfixturevalue("spare_databases")
    name = spare.take()
    url = request.getfixturevalue("postgres").url(name)
    with a_world(tmp_path_factory.mktemp("nights"), url) as made:
        yield made
    spare.give_back(name)


async def _one(check: StayCheck, db: Database) -> Availability:
    return await check_room_availability(
        db, check.property, check.room_type, check.check_in, check.check_out, check.rooms
    )


async def _all(check: StayCheck, db: Database) -> list[Availability]:
    return await get_all_room_availability(
        db, check.property, check.check_in, check.check_out, check.rooms
    )


@BOUNDED
@given(nights=NIGHTS, checks=CHECKS)
def test_one_room_type(world: World, nights: Nights, checks: list[StayCheck]) -> None:
    world.fill(nights)
    for check in checks:
        assert world.ask(partial(_one, check)) == clerk_checks(nights, check), check


@BOUNDED
@given(nights=NIGHTS, checks=CHECKS)
def test_all_room_types(world: World, nights: Nights, checks: list[StayCheck]) -> None:
    world.fill(nights)
    for check in checks:
        assert world.ask(partial(_all, check)) == clerk_checks_all(nights, check), check


@BOUNDED
@given(nights=NIGHTS, checks=CHECKS)
def test_many_checks_at_once(world: World, nights: Nights, checks: list[StayCheck]) -> None:
    """Each is answered, or refused, as it would be alone."""
    world.fill(nights)
    found = world.ask(lambda db: batch_check_availability(db, checks))
    assert len(found) == len(checks)
    for item, check in zip(found, checks, strict=True):
        expected: dict[str, Any] = {
            "property": check.property,
            "room_type": check.room_type,
            "available": 0,
            "sellable": False,
            "total_minor": None,
            "currency": None,
            "refused": None,
        }
        alone = clerk_checks(nights, check)
        if isinstance(alone, str):
            expected["refused"] = alone
        else:
            expected |= {name: value for name, value in alone.items() if name != "name"}
        assert item == expected, check


@BOUNDED
@given(nights=NIGHTS, code=CODES, day=DATES)
def test_a_night_of_all_room_types(world: World, nights: Nights, code: str, day: date) -> None:
    world.fill(nights)
    found = world.ask(lambda db: get_room_types_with_inventory(db, code, day))
    if code not in PLACES:
        assert found == "PROPERTY_UNKNOWN"
        return
    place = PLACES[code]
    assert found == [
        {
            "room_type": kind,
            "name": kind.title(),
            "price_minor": place.prices[kind],
            "currency": place.currency,
            **clerk_shows(nights.get((code, kind, day))),
        }
        for kind in sorted(place.prices)
    ]


@BOUNDED
@given(nights=NIGHTS, code=CODES, kind=KINDS, period=PERIODS)
def test_the_nights_of_a_room_type(
    world: World, nights: Nights, code: str, kind: str, period: tuple[date, date]
) -> None:
    world.fill(nights)
    found = world.ask(lambda db: get_room_type_with_inventory(db, code, kind, *period))
    place = PLACES.get(code)
    if place is None or kind not in place.prices:
        assert found == ("PROPERTY_UNKNOWN" if place is None else "ROOM_TYPE_UNKNOWN")
        return
    assert found == {
        "property": code,
        "room_type": kind,
        "name": kind.title(),
        "price_minor": place.prices[kind],
        "currency": place.currency,
        "max_adults": 2,
        "from": period[0],
        "to": period[1],
        "nights": [
            {"night": day, **clerk_shows(nights[code, kind, day])}
            for day in DAYS
            if (code, kind, day) in nights and period[0] <= day < period[1]
        ],
    }


@BOUNDED
@given(
    nights=NIGHTS,
    code=CODES,
    kind=st.none() | KINDS,
    period=PERIODS,
    basis=st.sampled_from(["sellable", "physical"]),
)
def test_occupancy(
    world: World,
    nights: Nights,
    code: str,
    kind: str | None,
    period: tuple[date, date],
    basis: Any,
) -> None:
    world.fill(nights)
    found = world.ask(lambda db: get_occupancy_rate(db, code, *period, kind, basis=basis))
    assert found == clerk_counts(nights, code, kind, *period, basis)
