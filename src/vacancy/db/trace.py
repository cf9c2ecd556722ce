"""Counts and times every statement, always on. One flat record for each statement's name."""

from __future__ import annotations

from collections import defaultdict

import msgspec

BUCKETS = 40
"""Durations fall into buckets by their power of two in nanoseconds; the last is over 9 minutes."""


class StatementStats(msgspec.Struct):
    """What one statement has cost since the process began."""

    calls: int = 0
    rows: int = 0
    errors: int = 0
    total_ns: int = 0
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * BUCKETS)

    def add(self, rows: int, duration_ns: int) -> None:
        self.calls += 1
        self.rows += rows
        self.total_ns += duration_ns
        self.buckets[min(duration_ns.bit_length(), BUCKETS - 1)] += 1


class Trace:
    """The statements that ran through one database handle."""

    def __init__(self) -> None:
        self.statements: defaultdict[str, StatementStats] = defaultdict(StatementStats)

    @property
    def calls(self) -> int:
        """How many statements ran, all names together."""
        return sum(stats.calls for stats in self.statements.values())

    def counts(self) -> dict[str, int]:
        """Calls by name: what a test pins."""
        return {name: stats.calls for name, stats in self.statements.items() if stats.calls}

    def reset(self) -> None:
        self.statements.clear()
