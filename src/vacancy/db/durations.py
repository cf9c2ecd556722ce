"""How long things took, kept as counts in buckets: small, quick to add to, and of several
processes as good as of one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

_OCTAVES = 38
BUCKETS = 4 * _OCTAVES + 4
"""Durations fall into buckets, four to an octave: a bucket is at most a quarter as wide as where it
begins. The last one takes all that lasts over 16 minutes."""


def bucket_of(duration_ns: int) -> int:
    """The number of the bucket that a duration falls into."""
    shift = duration_ns.bit_length() - 3
    if 0 <= shift < _OCTAVES:
        # The two bits below the first one are the quarter of the octave.
        return (shift << 2) + (duration_ns >> shift)
    return duration_ns if shift < 0 else BUCKETS - 1


def bucket_begin_ns(bucket: int) -> int:
    """The shortest duration of a bucket. That of the next one is where it ends."""
    return bucket if bucket < 4 else (4 + bucket % 4) << (bucket // 4 - 1)


def percentile_ns(buckets: Sequence[int], percent: float) -> int | None:
    """So many of a hundred durations were not longer; None where there was none. At most a bucket's
    width away from the true one."""
    count = sum(buckets)
    rank = max(1, -int(-count * percent // 100))
    before = 0
    for bucket, within in enumerate(buckets):
        if within and before + within >= rank:
            begin = bucket_begin_ns(bucket)
            if bucket >= BUCKETS - 1:
                return begin
            width = bucket_begin_ns(bucket + 1) - begin
            return begin + width * (rank - before) // (within + 1)
        before += within
    return None


def add_durations(buckets: list[int], durations_ns: Iterable[int]) -> None:
    """Counts many at once: in their order each bucket is counted in one step."""
    # A list of its own: numbers that are freed in the order of their sizes would leave their places
    # scattered, and whatever is made next would lie in these.
    ordered = sorted(durations_ns)
    at, count = 0, len(ordered)
    while at < count:
        bucket = bucket_of(ordered[at])
        end = count
        if bucket < BUCKETS - 1:
            end = bisect_left(ordered, bucket_begin_ns(bucket + 1), at)
        buckets[bucket] += end - at
        at = end


def sum_buckets(buckets: Iterable[Sequence[int]]) -> list[int]:
    """The buckets of several records as if they were one's."""
    return [sum(counts) for counts in zip(*buckets, strict=True)]
