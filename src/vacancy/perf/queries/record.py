"""What statements have cost, as flat records that several processes can add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from vacancy.db.durations import percentile_ns
from vacancy.db.trace import Trace

Source = Literal["server", "pg_stat_statements"]
"""Who has counted: the server's own workers, or PostgreSQL, whoever asked it."""


class StatementRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One statement's costs."""

    name: str
    """Ours where the text is one of ours, else the text shortened."""
    source: Source = "server"
    calls: int = 0
    rows: int = 0
    """Those that came back, or were changed."""
    errors: int = 0
    total_ns: int = 0
    """Of the calls that were answered. The server counts until the rows are structs, PostgreSQL
    until it has sent them."""
    buckets: tuple[int, ...] | None = None
    """Durations, as in `db.trace`; None where nobody has kept them."""
    repeated: int = 0
    """The most runs within one request, where they were too many."""
    query_id: int | None = None
    """PostgreSQL's own number of the text."""
    text: str = ""
    """Where it is none of ours: as PostgreSQL keeps it, without values."""

    @property
    def mean_us(self) -> float | None:
        return self.total_ns / self.calls / 1_000 if self.calls else None

    @property
    def p95_us(self) -> float | None:
        found = percentile_ns(self.buckets, 95) if self.buckets else None
        return None if found is None else found / 1_000

    @property
    def rows_per_call(self) -> float | None:
        return self.rows / self.calls if self.calls else None


def record_of(trace: Trace, repeated: Mapping[str, int] | None = None) -> list[StatementRecord]:
    """What a process has counted, as it is now. `repeated`: the most runs within one request of
    those statements that ran too often."""
    return [
        StatementRecord(
            name=name,
            calls=stats.calls,
            rows=stats.rows,
            errors=stats.errors,
            total_ns=stats.total_ns,
            buckets=tuple(stats.buckets),
            repeated=(repeated or {}).get(name, 0),
        )
        for name, stats in list(trace.statements.items())
    ]


def merge(processes: Iterable[Sequence[StatementRecord]]) -> list[StatementRecord]:
    """The records of several processes as if they were one, by name. Counts are summed."""
    found: dict[str, list[StatementRecord]] = {}
    for records in processes:
        for record in records:
            found.setdefault(record.name, []).append(record)
    return [_sum(found[name]) for name in sorted(found)]


def _sum(records: Sequence[StatementRecord]) -> StatementRecord:
    kept = [record.buckets for record in records if record.buckets is not None]
    return msgspec.structs.replace(
        records[0],
        calls=sum(record.calls for record in records),
        rows=sum(record.rows for record in records),
        errors=sum(record.errors for record in records),
        total_ns=sum(record.total_ns for record in records),
        buckets=tuple(map(sum, zip(*kept, strict=True))) if kept else None,
        repeated=max(record.repeated for record in records),
    )
