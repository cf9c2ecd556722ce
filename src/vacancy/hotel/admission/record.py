"""What admission has done since its process began: one flat record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from vacancy.db.durations import BUCKETS, bucket_of, sum_buckets

SIZES = 10
"""Batches fall into buckets by their requests: up to 1, 2, 4, … 256; the last is over that."""


def _durations() -> list[int]:
    return [0] * BUCKETS


class AdmissionRecord(msgspec.Struct, kw_only=True):
    """Counts are since the start; what waits is now."""

    waiting: int = 0
    """Requests that are in no batch yet."""
    batches: int = 0
    requests: int = 0
    """That were taken into a batch."""
    batch_most: int = 0
    """The most requests in one batch."""
    batch_sizes: list[int] = msgspec.field(default_factory=lambda: [0] * SIZES)
    wait_total_ns: int = 0
    """From when a request came until its batch took it."""
    wait_most_ns: int = 0
    wait_buckets: list[int] = msgspec.field(default_factory=_durations)
    """Durations, as in `db.trace`."""
    batch_total_ns: int = 0
    """From when a batch took its requests until it was committed, or had failed."""
    batch_most_ns: int = 0
    batch_buckets: list[int] = msgspec.field(default_factory=_durations)
    refusals: dict[str, int] = msgspec.field(default_factory=dict)
    """By code: what was refused by a batch, and what never came into one."""

    def add_wait(self, duration_ns: int) -> None:
        self.requests += 1
        self.wait_total_ns += duration_ns
        if duration_ns > self.wait_most_ns:
            self.wait_most_ns = duration_ns
        self.wait_buckets[bucket_of(duration_ns)] += 1

    def add_batch(self, requests: int, duration_ns: int) -> None:
        self.batches += 1
        if requests > self.batch_most:
            self.batch_most = requests
        self.batch_sizes[min((requests - 1).bit_length(), SIZES - 1)] += 1
        self.batch_total_ns += duration_ns
        if duration_ns > self.batch_most_ns:
            self.batch_most_ns = duration_ns
        self.batch_buckets[bucket_of(duration_ns)] += 1

    def refuse(self, code: str) -> None:
        self.refusals[code] = self.refusals.get(code, 0) + 1


def merge_admission(records: Sequence[AdmissionRecord]) -> AdmissionRecord:
    """The records of several processes as if they were one; there must be one at least."""
    refusals: Counter[str] = Counter()
    for record in records:
        refusals.update(record.refusals)
    return AdmissionRecord(
        waiting=sum(record.waiting for record in records),
        batches=sum(record.batches for record in records),
        requests=sum(record.requests for record in records),
        batch_most=max(record.batch_most for record in records),
        batch_sizes=sum_buckets(record.batch_sizes for record in records),
        wait_total_ns=sum(record.wait_total_ns for record in records),
        wait_most_ns=max(record.wait_most_ns for record in records),
        wait_buckets=sum_buckets(record.wait_buckets for record in records),
        batch_total_ns=sum(record.batch_total_ns for record in records),
        batch_most_ns=max(record.batch_most_ns for record in records),
        batch_buckets=sum_buckets(record.batch_buckets for record in records),
        refusals=dict(refusals),
    )
