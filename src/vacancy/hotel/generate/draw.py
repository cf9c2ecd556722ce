"""Draws the bookings of one hotel from its shape. Pure: the random numbers are an argument."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from operator import attrgetter
from random import Random

import msgspec

from vacancy.hotel.generate.sampler import quantiles, weighted
from vacancy.hotel.generate.shape import (
    AGENCY_LEVELS,
    AGENCY_RANKS,
    CANCELLED_AT,
    LEAD_BINS,
    LEVELS,
    Shape,
    room_types,
)
from vacancy.hotel.model import Status

DAY_S = 86_400
_DESK_OPENS_S, _DESK_OPEN_S = 7 * 3_600, 13 * 3_600
"""Bookings are made from 07:00 to 20:00 UTC: the same date in the hotel's zone."""
_MORNING_S = 10 * 3_600
_EVENING_S = 21 * 3_600
"""After the last booking of the day."""
_CENTS = 100


class Draw(msgspec.Struct, frozen=True, gc=False):
    """A booking of one room. Seconds count from the midnight of the first night, and may be
    negative; days likewise. Small, for there may be millions."""

    created_s: int
    changed_s: int
    """Since when it has its status."""
    arrival_day: int
    nights: int
    lead_days: int
    room_type: int
    status: Status
    segment: str
    channel: str
    adults: int
    price_minor: int
    """Of each night; 0 is complimentary."""
    agency: int
    """Which agency booked, from 0; -1 where the guest did."""
    guest: float
    """In [0, 1): which of the guests stays."""


class _SegmentDraws(msgspec.Struct, frozen=True):
    """What depends on segment and channel."""

    name: str
    channel: str
    lead_days: Callable[[float], float]
    cancelled: tuple[float, ...]
    free: float
    by_agency: float


def draw_bookings(
    shape: Shape, rng: Random, count: int, *, types: int, first_night: date, nights: int
) -> list[Draw]:
    """So many bookings, in the order in which they were made. Arrivals are on the `nights` days
    from `first_night` on; a stay that would go on after them ends with them."""
    # random() alone is promised to stay the same in every Python; other draws are made from it.
    random = rng.random
    arrival_of = _arrivals(shape, first_night, nights)
    prices = _price_levels(shape, first_night, nights)
    kinds = room_types(shape, types)
    type_of = weighted(range(types), [share for share, _ in kinds])
    factors = [factor for _, factor in kinds]
    nights_of = weighted(list(shape.nights), list(shape.nights.values()))
    segment_of = _segments(shape)
    adults_of = weighted(range(len(shape.adults)), shape.adults)
    ratio_of = quantiles(LEVELS, shape.price_ratios)
    cancelled_at = quantiles(LEVELS, CANCELLED_AT)
    agency_of = quantiles(AGENCY_LEVELS, AGENCY_RANKS)
    no_show = shape.no_show_per_mille / 1000
    draws = []
    for _ in range(count):
        segment = segment_of(random())
        arrival = arrival_of(random())
        stay = min(nights_of(random()), nights - arrival)
        lead = int(segment.lead_days(random()) + 0.5)
        room_type = type_of(random())
        created_day = arrival - lead
        status: Status
        if random() < segment.cancelled[bisect_right(LEAD_BINS, lead)]:
            status = "cancelled"
            day = created_day + int(cancelled_at(random()) * lead + 0.5)
            changed_s = day * DAY_S + (_MORNING_S if day > created_day else _EVENING_S)
        elif random() < no_show:
            status, changed_s = "no_show", arrival * DAY_S + _EVENING_S
        else:
            status = "checked_out"
            changed_s = (arrival + stay) * DAY_S + (_MORNING_S if stay else _EVENING_S)
        price = 0
        if stay and random() >= segment.free:
            price = int(prices[arrival] * factors[room_type] * ratio_of(random()) + 0.5)
        agency = -1
        if random() < segment.by_agency:
            agency = int(agency_of(random()))
        draws.append(
            Draw(
                created_day * DAY_S + _DESK_OPENS_S + int(random() * _DESK_OPEN_S),
                changed_s,
                arrival,
                stay,
                lead,
                room_type,
                status,
                segment.name,
                segment.channel,
                adults_of(random()),
                price,
                agency,
                random(),
            )
        )
    draws.sort(key=attrgetter("created_s"))
    return draws


def most_on_the_books(draws: Iterable[Draw], *, types: int, nights: int) -> list[int]:
    """The capacity of each room type: the most of it that were ever booked for one night and not
    yet cancelled or a no-show; one at the least."""
    events = []
    for draw in draws:
        events.append((draw.created_s, 1, draw))
        if draw.status != "checked_out":
            events.append((draw.changed_s, -1, draw))
    events.sort(key=lambda event: event[:2])
    books = [[0] * nights for _ in range(types)]
    most = [1] * types
    for _, sign, draw in events:
        book = books[draw.room_type]
        for night in range(draw.arrival_day, draw.arrival_day + draw.nights):
            book[night] += sign
        if sign > 0 and draw.nights:
            highest = max(book[draw.arrival_day : draw.arrival_day + draw.nights])
            most[draw.room_type] = max(most[draw.room_type], highest)
    return most


def list_prices_minor(shape: Shape, types: int) -> list[int]:
    """The price of each room type for the time to come: its mean over the months."""
    level = sum(shape.prices) / len(shape.prices) * _CENTS
    return [int(level * factor + 0.5) for _, factor in room_types(shape, types)]


def _arrivals(shape: Shape, first_night: date, nights: int) -> Callable[[float], int]:
    weights = []
    for number in range(nights):
        day = first_night + timedelta(days=number)
        weights.append(shape.months[day.month - 1] / _days_in(day) * shape.weekdays[day.weekday()])
    return weighted(range(nights), weights)


def _days_in(month_of: date) -> int:
    following = (month_of.replace(day=1) + timedelta(days=32)).replace(day=1)
    return (following - timedelta(days=1)).day


def _price_levels(shape: Shape, first_night: date, nights: int) -> list[int]:
    """In minor units, by day of arrival."""
    days = (first_night + timedelta(days=number) for number in range(nights))
    return [shape.prices[day.month - 1] * _CENTS for day in days]


def _segments(shape: Shape) -> Callable[[float], _SegmentDraws]:
    draws, weights = [], []
    for segment in shape.segments:
        lead_days = quantiles(LEVELS, segment.lead_days)
        for channel, weight in segment.channels.items():
            draws.append(
                _SegmentDraws(
                    segment.name,
                    channel,
                    lead_days,
                    tuple(percent / 100 for percent in segment.cancelled_percent),
                    segment.free_per_mille / 1000,
                    segment.agency_percent / 100,
                )
            )
            weights.append(weight)
    return weighted(draws, weights)
