"""What a bench has measured, as values: the same for the table, the JSON and the page."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from vacancy.db.statement import Engine


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions of measuring."""

    cpu: str
    cores: int
    os: str
    python: str
    database: str
    """Its version."""
    fsync_p50_us: float
    """4 KiB appended to a file and synced: what each durable commit waits for."""
    measured_at: str
    rounds: int
    seconds: float
    """So long each side of each operation was asked again and again in each round."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One way to answer."""

    p50_us: float
    p95_us: float
    p99_us: float
    statements: int
    """Of one answer; where many clients wait, of one answer for each of them together."""
    rows: int
    """Read or changed, of the same."""


class OperationReport(msgspec.Struct, frozen=True, kw_only=True):
    """One operation."""

    name: str
    before: Side
    after: Side
    cached: Side | None
    """None where nothing of it is ever cached."""
    improvement_percent: float
    """So much less time at p50, before to after; nothing is cached in it."""


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    engine: Engine
    size: int
    """How much is in the database, in whatever it is counted by."""
    machine: Machine
    noise: float
    """The slowest round over the quickest, by their p50, of the side that it was worst for: what is
    closer together than this may be the machine."""
    operations: tuple[OperationReport, ...]


def side_of(durations_ns: Sequence[int], statements: int, rows: int) -> Side:
    """The nearest-rank percentiles of one side. Raises ValueError where nothing was answered."""
    ordered = sorted(durations_ns)
    return Side(
        p50_us=percentile_ns(ordered, 50) / 1000,
        p95_us=percentile_ns(ordered, 95) / 1000,
        p99_us=percentile_ns(ordered, 99) / 1000,
        statements=statements,
        rows=rows,
    )


def percentile_ns(ordered: Sequence[int], percent: int) -> int:
    """The smallest of the values that so many of a hundred do not exceed. Raises ValueError for
    none."""
    if not ordered:
        raise ValueError("a percentile needs at least one value; got none")
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def improvement_percent(before: Side, after: Side) -> float:
    """How much less time at p50, of a hundred."""
    return round(100 * (1 - after.p50_us / before.p50_us), 3) if before.p50_us else 0.0
