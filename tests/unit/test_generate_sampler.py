"""Draws by inverse distribution functions, against the definition of one."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vacancy.hotel.generate.sampler import quantiles, weighted

LEVEL = st.floats(0, 1, exclude_max=True)
WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=40).filter(any)


@given(WEIGHTS, LEVEL)
def test_a_value_stands_where_the_weights_before_it_end(weights: list[int], at: float) -> None:
    drawn = weighted(range(len(weights)), weights)(at)
    before, total = sum(weights[:drawn]), sum(weights)
    assert weights[drawn] > 0
    slack = Fraction(1, 10**12)
    assert Fraction(before, total) - slack <= Fraction(at)
    assert Fraction(at) <= Fraction(before + weights[drawn], total) + slack


@given(WEIGHTS)
def test_evenly_spread_levels_give_each_value_its_share(weights: list[int]) -> None:
    draw = weighted(range(len(weights)), weights)
    steps = 2_000
    drawn = [draw((step + 0.5) / steps) for step in range(steps)]
    assert drawn == sorted(drawn)
    for value, weight in enumerate(weights):
        assert drawn.count(value) == pytest.approx(steps * weight / sum(weights), abs=1.01)


@given(
    st.lists(st.floats(0.001, 0.999), unique=True, max_size=20),
    st.data(),
    st.lists(LEVEL, min_size=2, max_size=20),
)
def test_quantiles_go_through_their_points_and_never_fall(
    inner: list[float], data: st.DataObject, at: list[float]
) -> None:
    levels = [0.0, *sorted(inner), 1.0]
    size = len(levels)
    values = sorted(data.draw(st.lists(st.integers(-1_000, 1_000), min_size=size, max_size=size)))
    draw = quantiles(levels, values)
    for level, value in zip(levels, values, strict=True):
        assert draw(level) == pytest.approx(value)
    for level in at:
        number = bisect_right(levels, level)
        assert values[number - 1] - 1e-6 <= draw(level) <= values[number] + 1e-6
    drawn = [draw(level) for level in sorted(at)]
    assert all(after >= before - 1e-6 for before, after in pairwise(drawn))


def test_the_inverse_is_half_open() -> None:
    coin = weighted(("heads", "never", "tails"), (1, 0, 1))
    assert [coin(0.0), coin(0.4999), coin(0.5), coin(0.9999)] == ["heads"] * 2 + ["tails"] * 2
    assert quantiles((0, 0.5, 1), (0, 10, 10))(0.25) == 5


@pytest.mark.parametrize("weights", [(), (0, 0), (1, -1)])
def test_weights_that_are_none_are_refused(weights: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="weights"):
        weighted(range(len(weights)), weights)


@pytest.mark.parametrize(
    ("levels", "values"),
    [
        ((0, 1), (2, 1)),
        ((0, 0.5), (1, 2)),
        ((0.1, 1), (1, 2)),
        ((0, 0.5, 0.5, 1), (1, 2, 3, 4)),
        ((0, 1), (1, 2, 3)),
        ((0,), (1,)),
    ],
)
def test_tables_that_are_no_quantiles_are_refused(
    levels: tuple[float, ...], values: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="levels"):
        quantiles(levels, values)
