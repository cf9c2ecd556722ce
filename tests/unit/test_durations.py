"""Durations in buckets: where they fall, many at once, and the percentiles that come of them."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vacancy.db.durations import (
    BUCKETS,
    add_durations,
    bucket_begin_ns,
    bucket_of,
    percentile_ns,
)

LONGER = st.integers(0, 1 << 62)
"""Than the last bucket begins, too."""


def test_buckets_join_without_a_gap_and_are_a_quarter_of_their_beginning_at_most() -> None:
    begins = [bucket_begin_ns(bucket) for bucket in range(BUCKETS)]
    assert begins == sorted(set(begins))
    assert [bucket_of(begin) for begin in begins] == list(range(BUCKETS))
    assert [bucket_of(begin - 1) for begin in begins[1:]] == list(range(BUCKETS - 1))
    assert all(4 * (later - begin) <= begin for begin, later in pairwise(begins[4:]))


@given(st.lists(LONGER), st.lists(LONGER))
def test_many_at_once_are_counted_as_one_by_one(first: list[int], more: list[int]) -> None:
    at_once, one_by_one = [0] * BUCKETS, [0] * BUCKETS
    for durations_ns in (first, more):
        for duration_ns in durations_ns:
            one_by_one[bucket_of(duration_ns)] += 1
        add_durations(at_once, durations_ns)
    assert at_once == one_by_one


@given(
    st.lists(st.integers(0, bucket_begin_ns(BUCKETS - 1) - 1), min_size=1),
    st.sampled_from([1, 50, 90, 95, 99, 100]),
)
def test_percentiles_are_within_a_bucket_of_the_exact_ones(
    durations_ns: list[int], percent: int
) -> None:
    buckets = [0] * BUCKETS
    for duration_ns in durations_ns:
        buckets[bucket_of(duration_ns)] += 1
    exact = sorted(durations_ns)[math.ceil(len(durations_ns) * percent / 100) - 1]
    found = percentile_ns(buckets, percent)
    assert found is not None
    at = bucket_of(exact)
    assert bucket_begin_ns(at) <= found < bucket_begin_ns(at + 1)


def test_what_never_ran_has_no_percentile_and_what_took_very_long_has_one() -> None:
    assert percentile_ns([0] * BUCKETS, 95) is None
    buckets = [0] * BUCKETS
    add_durations(buckets, [1 << 60])
    assert percentile_ns(buckets, 95) == bucket_begin_ns(BUCKETS - 1)
