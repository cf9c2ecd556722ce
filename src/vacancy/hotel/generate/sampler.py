"""Draws from a table by the inverse of its distribution function. One number in [0, 1) goes in, so
that the same random numbers give the same draws on every Python and every machine."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import TypeVar

T = TypeVar("T")


def weighted(values: Sequence[T], weights: Sequence[float]) -> Callable[[float], T]:
    """Each value for a part of [0, 1) as large as its weight among all; one of no weight never.

    Raises ValueError for a negative weight, or when none is positive.
    """
    pairs = [(value, weight) for value, weight in zip(values, weights, strict=True) if weight != 0]
    if not pairs or any(weight < 0 for _, weight in pairs):
        raise ValueError("weights must not be negative, and one must be positive")
    chosen = tuple(value for value, _ in pairs)
    *bounds, total = accumulate(weight for _, weight in pairs)
    # The last bound is left out: what rounding lets through falls to the last value.
    shares = [bound / total for bound in bounds]

    def draw(at: float) -> T:
        return chosen[bisect_right(shares, at)]

    return draw


def quantiles(levels: Sequence[float], values: Sequence[float]) -> Callable[[float], float]:
    """The value at a level, on straight lines between those given.

    Levels rise from 0 to 1 and values never fall; raises ValueError otherwise.
    """
    falls = any(after < before for before, after in pairwise(values))
    rises = all(after > before for before, after in pairwise(levels))
    if len(levels) != len(values) or len(levels) < 2 or falls or not rises:
        raise ValueError("levels must rise and values must not fall, as many of each")
    if levels[0] != 0 or levels[-1] != 1:
        raise ValueError("levels go from 0 to 1")
    inner = list(levels[1:-1])
    lines = [
        (level, value, (next_value - value) / (next_level - level))
        for level, value, next_level, next_value in zip(
            levels, values, levels[1:], values[1:], strict=False
        )
    ]

    def draw(at: float) -> float:
        level, value, slope = lines[bisect_right(inner, at)]
        return value + (at - level) * slope

    return draw
