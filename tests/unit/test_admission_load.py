"""What admission locks: the nights of all stays, each once, in one order."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from vacancy.hotel.admission.load import NightRange, merged
from vacancy.hotel.model import nights_of

FIRST = date(2027, 3, 1)


def a_range(place: int, room_type: int, start: int, los: int) -> NightRange:
    check_in = FIRST + timedelta(days=start)
    return (place, room_type, check_in, check_in + timedelta(days=los))


ranges = st.builds(
    a_range, st.integers(1, 2), st.integers(1, 2), st.integers(0, 12), st.integers(0, 5)
)


def nights(stays: list[NightRange]) -> list[tuple[int, int, date]]:
    return [(stay[0], stay[1], night) for stay in stays for night in nights_of(stay[2], stay[3])]


@given(st.lists(ranges, max_size=12))
def test_each_night_of_the_stays_once_and_in_order(stays: list[NightRange]) -> None:
    assert nights(merged(stays)) == sorted(set(nights(stays)))


def test_stays_that_follow_one_another_are_one_range() -> None:
    stays = [a_range(1, 1, 2, 3), a_range(1, 1, 0, 2), a_range(1, 2, 5, 1)]
    assert merged(stays) == [a_range(1, 1, 0, 5), a_range(1, 2, 5, 1)]
