"""Drawn bookings: 20,000 of each kind of hotel have the shape of the tables, small numbers stand,
and the capacity is what was ever on the books."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections import Counter
from datetime import date, timedelta

import pytest

from vacancy.hotel.generate.draw import (
    DAY_S,
    Draw,
    draw_bookings,
    list_prices_minor,
    most_on_the_books,
)
from vacancy.hotel.generate.plan import (
    FIRST_NIGHT,
    NIGHTS,
    GroupPlan,
    property_plans,
    property_rng,
)
from vacancy.hotel.generate.shape import LEAD_BINS, LEVELS, SHAPES, Kind, room_types

KINDS: tuple[Kind, ...] = ("city", "resort")
BY_KIND = pytest.mark.parametrize("kind", KINDS)


def drawn(kind: Kind, count: int = 20_000, types: int = 5, seed: int = 20_190_101) -> list[Draw]:
    rng = property_rng(GroupPlan(properties=1, bookings=count, seed=seed), 0)
    return draw_bookings(
        SHAPES[kind], rng, count, types=types, first_night=FIRST_NIGHT, nights=NIGHTS
    )


@pytest.fixture(scope="module")
def draws() -> dict[Kind, list[Draw]]:
    return {kind: drawn(kind) for kind in KINDS}


def share(draws: list[Draw], wanted: int) -> float:
    return wanted / len(draws)


@BY_KIND
def test_lengths_of_stay_follow_their_table(draws: dict[Kind, list[Draw]], kind: Kind) -> None:
    nights = SHAPES[kind].nights
    found = Counter(draw.nights for draw in draws[kind])
    for length, weight in nights.items():
        # A hundredth for chance: over three standard deviations of 20,000 throws.
        assert share(draws[kind], found[length]) == pytest.approx(
            weight / sum(nights.values()), abs=0.011
        )


@BY_KIND
def test_the_season_and_the_week_follow_their_tables(
    draws: dict[Kind, list[Draw]], kind: Kind
) -> None:
    arrivals = [FIRST_NIGHT + timedelta(days=draw.arrival_day) for draw in draws[kind]]
    months = Counter(day.month for day in arrivals)
    weekdays = Counter(day.weekday() for day in arrivals)
    for number, weight in enumerate(SHAPES[kind].months, start=1):
        assert months[number] / len(arrivals) == pytest.approx(weight / 10_000, abs=0.011)
    for number, weight in enumerate(SHAPES[kind].weekdays):
        assert weekdays[number] / len(arrivals) == pytest.approx(weight / 10_000, abs=0.012)


@BY_KIND
def test_segments_channels_and_lead_times_follow_their_tables(
    draws: dict[Kind, list[Draw]], kind: Kind
) -> None:
    pairs = Counter((draw.segment, draw.channel) for draw in draws[kind])
    for segment in SHAPES[kind].segments:
        for channel, weight in segment.channels.items():
            part = share(draws[kind], pairs[segment.name, channel])
            assert part == pytest.approx(weight / 10_000, abs=0.012)
        leads = sorted(draw.lead_days for draw in draws[kind] if draw.segment == segment.name)
        if len(leads) < 1_000:
            continue
        for level, days in zip(LEVELS[:-2], segment.lead_days, strict=False):
            # The share of shorter leads brackets the level, within three in a hundred.
            below = bisect_right(leads, days - 2) / len(leads)
            upto = bisect_right(leads, days + 1) / len(leads)
            assert below - 0.03 <= level <= upto + 0.03, (segment.name, level)


@BY_KIND
def test_cancellations_depend_on_the_lead_time(draws: dict[Kind, list[Draw]], kind: Kind) -> None:
    for segment in SHAPES[kind].segments:
        own = [draw for draw in draws[kind] if draw.segment == segment.name]
        for number, percent in enumerate(segment.cancelled_percent):
            some = [one for one in own if bisect_right(LEAD_BINS, one.lead_days) == number]
            if len(some) >= 300:
                cancelled = sum(one.status == "cancelled" for one in some) / len(some)
                slack = 3.5 * (0.25 / len(some)) ** 0.5
                assert cancelled == pytest.approx(percent / 100, abs=slack), segment.name


@pytest.mark.parametrize(
    ("kind", "cancelled", "no_show", "lead_mean", "lead_median", "nights_mean"),
    [("city", 0.4057, 0.0194, 109.7, 74, 2.978), ("resort", 0.2704, 0.0100, 92.7, 57, 4.318)],
)
def test_the_whole_comes_out_as_in_the_data_set(
    draws: dict[Kind, list[Draw]],
    kind: Kind,
    cancelled: float,
    no_show: float,
    lead_mean: float,
    lead_median: float,
    nights_mean: float,
) -> None:
    """None of these is a table of ours: segments, leads and rates together must give them."""
    own = draws[kind]
    statuses = Counter(draw.status for draw in own)
    leads = [draw.lead_days for draw in own]
    assert share(own, statuses["cancelled"]) == pytest.approx(cancelled, abs=0.012)
    stayed = len(own) - statuses["cancelled"]
    assert statuses["no_show"] / stayed == pytest.approx(no_show, abs=0.004)
    assert statistics.mean(leads) == pytest.approx(lead_mean, rel=0.03)
    assert statistics.median(leads) == pytest.approx(lead_median, abs=4)
    assert statistics.mean(draw.nights for draw in own) == pytest.approx(nights_mean, rel=0.02)


@BY_KIND
def test_prices_go_with_type_and_month(draws: dict[Kind, list[Draw]], kind: Kind) -> None:
    shape = SHAPES[kind]
    kinds = room_types(shape, 5)
    found = Counter(draw.room_type for draw in draws[kind])
    total = sum(weight for weight, _ in kinds)
    for number, (weight, _) in enumerate(kinds):
        assert share(draws[kind], found[number]) == pytest.approx(weight / total, abs=0.011)
    for month in range(1, 13):
        for number, (_, factor) in enumerate(kinds[:2]):
            paid = [
                draw.price_minor
                for draw in draws[kind]
                if draw.price_minor
                and draw.room_type == number
                and (FIRST_NIGHT + timedelta(days=draw.arrival_day)).month == month
            ]
            wanted = shape.prices[month - 1] * 100 * factor
            assert statistics.median(paid) == pytest.approx(wanted, rel=0.12)
    free = [draw for draw in draws[kind] if draw.nights and not draw.price_minor]
    of_segment = {segment.name: segment.free_per_mille / 1000 for segment in shape.segments}
    expected = statistics.mean(of_segment[draw.segment] for draw in draws[kind])
    assert share(draws[kind], len(free)) == pytest.approx(expected, abs=0.004)
    assert all(draw.price_minor == 0 for draw in draws[kind] if not draw.nights)


@BY_KIND
def test_agencies_make_most_bookings_and_few_make_most_of_these(
    draws: dict[Kind, list[Draw]], kind: Kind
) -> None:
    by_agency = Counter(draw.agency for draw in draws[kind] if draw.agency >= 0)
    assert 0.75 < share(draws[kind], sum(by_agency.values())) < 0.95
    assert by_agency[0] / sum(by_agency.values()) == pytest.approx(0.31, abs=0.015)
    ten = sum(by_agency[rank] for rank in range(10)) / sum(by_agency.values())
    assert ten == pytest.approx(0.692, abs=0.015)
    assert max(by_agency) <= 332


@BY_KIND
def test_every_booking_is_possible(draws: dict[Kind, list[Draw]], kind: Kind) -> None:
    created = [draw.created_s for draw in draws[kind]]
    assert created == sorted(created)
    for draw in draws[kind]:
        assert 0 <= draw.arrival_day <= draw.arrival_day + draw.nights <= NIGHTS
        assert draw.created_s // DAY_S == draw.arrival_day - draw.lead_days
        assert draw.created_s < draw.changed_s
        last_day = draw.arrival_day + (draw.nights if draw.status == "checked_out" else 0)
        assert draw.changed_s // DAY_S <= last_day
        assert 0 <= draw.adults <= 4
        assert 0 <= draw.guest < 1


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("types", [1, 5, 12, 50])
def test_small_numbers_stand(count: int, types: int) -> None:
    draws = drawn("resort", count, types)
    assert len(draws) == count
    most = most_on_the_books(draws, types=types, nights=NIGHTS)
    assert len(most) == len(list_prices_minor(SHAPES["resort"], types)) == types
    assert all(1 <= rooms <= max(1, count) for rooms in most)


def test_the_capacity_is_what_was_ever_on_the_books() -> None:
    draws = drawn("city", 400, 3)
    instants = sorted({at for draw in draws for at in (draw.created_s, draw.changed_s)})
    most = [1, 1, 1]
    for now in instants:
        books: Counter[tuple[int, int]] = Counter()
        for draw in draws:
            ended = draw.status != "checked_out" and draw.changed_s <= now
            if draw.created_s <= now and not ended:
                nights = range(draw.arrival_day, draw.arrival_day + draw.nights)
                books.update((draw.room_type, night) for night in nights)
        for (room_type, _), rooms in books.items():
            most[room_type] = max(most[room_type], rooms)
    assert most_on_the_books(draws, types=3, nights=NIGHTS) == most


def test_a_seed_gives_the_same_draws_and_another_others() -> None:
    assert drawn("city", 50) == drawn("city", 50)
    assert drawn("city", 50) != drawn("city", 50, seed=1)
    # Pinned: the same on every Python and every machine.
    first = drawn("city", 50)[0]
    assert (first.created_s, first.arrival_day, first.price_minor) == (-1785522, 173, 4183)


@pytest.mark.parametrize(("properties", "bookings"), [(1, 0), (1, 1), (3, 2), (7, 1_000), (40, 0)])
def test_sizes_differ_and_sum_up(properties: int, bookings: int) -> None:
    plan = GroupPlan(properties=properties, bookings=bookings, seed=3)
    plans = property_plans(plan)
    assert len({one.code for one in plans}) == properties
    assert sum(one.bookings for one in plans) == bookings
    assert all(one.bookings >= 0 for one in plans)
    before = 0
    for one in plans:
        assert one.before == before
        before += one.bookings
    if bookings == 1_000:
        sizes = [one.bookings for one in plans]
        assert max(sizes) < 4.5 * min(sizes)
        assert len(set(sizes)) > 3


def test_the_default_period_is_three_calendar_years() -> None:
    assert FIRST_NIGHT + timedelta(days=NIGHTS) == date(2026, 1, 1)
