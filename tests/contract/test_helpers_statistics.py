"""Statistics against a clerk who goes through all bookings: counted by the path that every booking
takes, asked on both databases, whose answers must be the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.booked import STAYS, Stay, a_stay
from tests.booked import Line as Rooms
from tests.nights import DAYS, PLACES, World, a_world
from vacancy.db.database import Database
from vacancy.hotel.admission.state import Line
from vacancy.hotel.bulk import PastBooking, collect_changes
from vacancy.hotel.model import Actor
from vacancy.hotel.queries import get_booking_statistics
from vacancy.hotel.statements.admission_changes import ADD_BOOKING_COUNTS

BOUNDED = settings(max_examples=60, deadline=None, derandomize=True, database=None)
SOLD = ("confirmed", "checked_in", "checked_out")
CODES = st.sampled_from(["alpine", "alpine", "summit", "empty", "nowhere"])
KINDS = st.sampled_from([None, None, "double", "single", "suite"])
DATES = st.sampled_from([DAYS[0] - timedelta(days=1), *DAYS, DAYS[-1] + timedelta(days=1)])
PERIODS = st.tuples(DATES, DATES).filter(lambda pair: pair[0] < pair[1])


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    spare = request.getfixturevalue("spare_databases")
    name = spare.take()
    url = request.getfixturevalue("postgres").url(name)
    with a_world(tmp_path_factory.mktemp("statistics"), url) as made:
        yield made
    spare.give_back(name)


def fill(world: World, stays: Sequence[Stay]) -> None:
    """Counts these bookings, and no others."""
    world._run("DELETE FROM booking_counts")
    changes = collect_changes(map(_past, stays), lambda: 0)
    rows = [(*key, *sums) for key, sums in sorted(changes.booking_counts.items())]
    for db in world.databases:
        world.runner.run(db.transact(lambda tx: tx.execute_set(ADD_BOOKING_COUNTS, rows)))


def _past(stay: Stay) -> PastBooking:
    place = PLACES[stay.code]
    return PastBooking(
        id=stay.id,
        property_id=place.id,
        user_id=stay.user_id,
        check_in=stay.check_in,
        check_out=stay.check_out,
        lines=tuple(
            Line(place.kind_id(one.kind), one.rooms, one.adults, (one.price_minor,) * stay.nights)
            for one in stay.lines
        ),
        steps=(("provisional", stay.at), (stay.status, stay.at)),
        guest_name="n",
        guest_email="e",
        segment="direct",
        channel="web",
        lead_days=1,
    )


def clerk_counts(
    stays: Sequence[Stay], code: str, first: date, last: date, kind: str | None
) -> Any:
    """The answer, booking by booking."""
    if code not in PLACES:
        return "PROPERTY_UNKNOWN"
    if kind is not None and kind not in PLACES[code].prices:
        return "ROOM_TYPE_UNKNOWN"
    by_status: dict[str, list[int]] = {}
    for stay in stays:
        lines = [line for line in stay.lines if kind in (None, line.kind)]
        if stay.code == code and first <= stay.check_in < last and lines:
            sums = by_status.setdefault(stay.status, [0, 0, 0])
            sums[0] += 1
            for line in lines:
                sums[1] += line.rooms * stay.nights
                sums[2] += line.rooms * stay.nights * line.price_minor
    sold = [sums for status, sums in by_status.items() if status in SOLD]
    revenue, count = sum(sums[2] for sums in sold), sum(sums[0] for sums in sold)
    return {
        "property": code,
        "room_type": kind,
        "from": first,
        "to": last,
        "bookings": sum(sums[0] for status, sums in by_status.items() if status != "expired"),
        "sold_bookings": count,
        "room_nights": sum(sums[1] for sums in sold),
        "revenue_minor": revenue,
        "mean_value_minor": _halves_to_even(revenue, count) if count else None,
        "currency": PLACES[code].currency,
        "by_status": [
            {"status": status, "bookings": n, "room_nights": nights, "value_minor": value}
            for status, (n, nights, value) in sorted(by_status.items())
        ],
    }


def _halves_to_even(amount: int, parts: int) -> int:
    whole, rest = divmod(amount, parts)
    more = 2 * rest > parts or (2 * rest == parts and whole % 2 == 1)
    return whole + more


def ask(world: World, *asked: Any, **options: Any) -> Any:
    answer = world.ask(partial(_asked, *asked, **options))
    if isinstance(answer, dict):
        answer["by_status"] = list(answer["by_status"])
    return answer


async def _asked(*asked: Any, **options: Any) -> Any:
    *rest, db = asked
    found: Database = db
    return await get_booking_statistics(found, *rest, **options)


@BOUNDED
@given(STAYS, CODES, PERIODS, KINDS)
def test_statistics_are_what_a_clerk_counts(
    world: World, stays: list[Stay], code: str, period: tuple[date, date], kind: str | None
) -> None:
    fill(world, stays)
    assert ask(world, code, *period, kind) == clerk_counts(stays, code, *period, kind)


def test_a_booking_of_two_room_types_counts_once_as_a_whole(world: World) -> None:
    stay = a_stay(
        1, code="alpine", lines=(Rooms("double", 1, 2, 100), Rooms("single", 2, 2, 70)), nights=3
    )
    fill(world, [stay])
    period = (DAYS[0], DAYS[0] + timedelta(days=1))
    whole = ask(world, "alpine", *period)
    double, single = (ask(world, "alpine", *period, kind) for kind in ("double", "single"))
    assert [found["bookings"] for found in (whole, double, single)] == [1, 1, 1]
    assert [found["revenue_minor"] for found in (whole, double, single)] == [720, 300, 420]


def test_the_period_and_the_property_are_held_to_their_limits(world: World) -> None:
    assert ask(world, "alpine", DAYS[0], DAYS[0]) == "PERIOD_INVALID"
    assert ask(world, "alpine", DAYS[0], DAYS[0] + timedelta(days=3661)) == "PERIOD_TOO_LONG"
    bound = Actor(7, "staff", PLACES["summit"].id)
    period = (DAYS[0], DAYS[1])
    assert ask(world, "alpine", *period, actor=bound) == "PROPERTY_NOT_YOURS"
    assert ask(world, "summit", *period, actor=bound)["currency"] == "USD"


def test_it_is_one_statement_whatever_there_is(world: World) -> None:
    for number in (1, 10, 99):
        fill(world, [a_stay(one, code="alpine") for one in range(number)])
        for db in world.databases:
            db.trace.reset()
        assert ask(world, "alpine", DAYS[0], DAYS[1])["bookings"] == number
        for db in world.databases:
            (stats,) = db.trace.statements.values()
            assert (stats.calls, stats.rows) == (1, 1)
