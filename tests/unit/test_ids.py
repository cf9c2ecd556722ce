"""Ids: unique, in the order of time, and never more than 63 bits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hotels import HandClock
from vacancy.hotel.ids import NODES, IdSource, parse_id

STEPS = st.lists(st.timedeltas(timedelta(milliseconds=-50), timedelta(milliseconds=50)))


def test_a_later_millisecond_has_a_greater_id_whatever_the_node() -> None:
    clock = HandClock()
    first = IdSource(NODES - 1, clock).next()
    clock.move(timedelta(milliseconds=1))
    assert IdSource(0, clock).next() > first


@given(STEPS)
def test_ids_rise_even_when_the_clock_goes_back(steps: list[timedelta]) -> None:
    clock = HandClock()
    source = IdSource(7, clock)
    ids = [source.next()]
    for step in steps:
        clock.move(step)
        ids.append(source.next())
    assert ids == sorted(set(ids))


def test_a_busy_millisecond_borrows_from_the_next() -> None:
    clock = HandClock()
    source = IdSource(3, clock)
    ids = [source.next() for _ in range(5_000)]
    assert ids == sorted(set(ids))
    assert {number >> 8 & (NODES - 1) for number in ids} == {3}
    assert (ids[-1] >> 21) - (ids[0] >> 21) == 5_000 // 256
    clock.move(timedelta(milliseconds=1))
    assert source.next() > ids[-1]


def test_nodes_share_no_id() -> None:
    clock = HandClock()
    sources = [IdSource(node, clock) for node in (0, 1, 2, NODES - 1)]
    ids = [source.next() for source in sources for _ in range(100)]
    assert len(set(ids)) == 400
    assert IdSource(NODES, clock).next() == IdSource(0, clock).next(), "numbers go round"


def test_ids_fit_a_signed_column_for_a_hundred_years() -> None:
    clock = HandClock(datetime(2150, 1, 1, tzinfo=UTC))
    assert 0 < IdSource(NODES - 1, clock).next() < 1 << 63


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("12", 12), ("9223372036854775807", 2**63 - 1)]
)
def test_an_id_from_outside(text: str, number: int) -> None:
    assert parse_id(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "-1", "+1", "1.0", "1e3", "0x1", "1_000", "abc", "\u0661", "\u00b2"),
        *("9223372036854775808", "9999999999999999999", "1" * 20, "1" * 5_000),
    ],
)
def test_what_cannot_be_an_id(text: str) -> None:
    assert parse_id(text) is None
