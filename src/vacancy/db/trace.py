"""Counts and times every statement, always on. One flat record for each statement's name.

What took long is told to whoever listens, with its parameters masked.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeAlias

import msgspec

from vacancy.db.durations import BUCKETS, add_durations
from vacancy.db.gate import request_id_now
from vacancy.db.statement import AnyStatement, Engine, SetStatement

_log = logging.getLogger(__name__)

Given: TypeAlias = Mapping[str, Any] | Sequence[Sequence[Any]]
"""A statement's parameters by name, or the rows of a set statement."""

NEVER_NS = 1 << 62
"""As `Trace.slow_ns`: nothing is slow."""
_NOTED_MOST = 3 * 2_048
"""Name, rows and duration of so many statements, before they are summed up."""


class StatementStats(msgspec.Struct):
    """What one statement has cost since the process began."""

    calls: int = 0
    rows: int = 0
    errors: int = 0
    total_ns: int = 0
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * BUCKETS)

    def sum_up(self, rows: list[int], durations_ns: list[int]) -> None:
        """Adds several runs."""
        self.calls += len(rows)
        self.rows += sum(rows)
        self.total_ns += sum(durations_ns)
        add_durations(self.buckets, durations_ns)


class SlowStatement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that took longer than it should."""

    name: str
    """Several, with commas between them, where they went in one round trip."""
    engine: Engine
    duration_ms: float
    rows: int
    failed: bool
    parameters: str
    """Their names, kinds and sizes, never a value: `status=text(9), user_id=integer`."""
    request_id: str | None


class Trace:
    """The statements that ran through one database handle."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._statements: defaultdict[str, StatementStats] = defaultdict(StatementStats)
        self._noted: list[Any] = []
        self._summing = threading.Lock()
        self.slow_ns = NEVER_NS
        """What takes longer is told to all of `on_slow`."""
        self.on_slow: list[Callable[[SlowStatement], None]] = []
        """Called with each slow statement when it has ended, on whatever thread it ran. They must
        be quick; what they raise is logged and fails nobody's statement."""

    def add(self, statement: AnyStatement, given: Given, rows: int, duration_ns: int) -> None:
        """Counts one that was answered."""
        # One append, in one step for all threads: what stands behind every statement finds the
        # processor's caches cold, and many are summed up faster than each by itself.
        noted = self._noted
        noted += (statement.name, rows, duration_ns)
        if len(noted) >= _NOTED_MOST:
            self._sum_up()
        if duration_ns > self.slow_ns:
            self._tell([(statement, given)], rows, duration_ns, failed=False)

    def add_together(
        self, changes: Sequence[tuple[SetStatement[Any], Given]], duration_ns: int
    ) -> None:
        """Counts several that went in one round trip: each has its share of the time."""
        share_ns = duration_ns // len(changes)
        rows = 0
        for statement, given in changes:
            self._noted += (statement.name, len(given), share_ns)
            rows += len(given)
        if len(self._noted) >= _NOTED_MOST:
            self._sum_up()
        if duration_ns > self.slow_ns:
            self._tell(changes, rows, duration_ns, failed=False)

    @property
    def statements(self) -> defaultdict[str, StatementStats]:
        """The record of each statement, by name, as of now."""
        self._sum_up()
        return self._statements

    def _sum_up(self) -> None:
        with self._summing:
            noted = self._noted
            part = noted[:]
            del noted[: len(part)]  # who adds meanwhile adds behind it
            names, rows, durations_ns = part[::3], part[1::3], part[2::3]
            if names and names.count(names[0]) == len(names):  # as where one question is asked
                self._statements[names[0]].sum_up(rows, durations_ns)
                return
            by_name: dict[str, tuple[list[int], list[int]]] = {}
            for name, count, duration_ns in zip(names, rows, durations_ns, strict=True):
                of_one = by_name.get(name)
                if of_one is None:
                    of_one = by_name[name] = ([], [])
                of_one[0].append(count)
                of_one[1].append(duration_ns)
            for name, (all_rows, all_ns) in by_name.items():
                self._statements[name].sum_up(all_rows, all_ns)

    def fail(self, changes: Sequence[tuple[AnyStatement, Given]], duration_ns: int) -> None:
        """Counts what the database has refused, or has not answered in time."""
        with self._summing:
            for statement, _ in changes:
                self._statements[statement.name].errors += 1
        if duration_ns > self.slow_ns:
            self._tell(changes, 0, duration_ns, failed=True)

    def _tell(
        self,
        changes: Iterable[tuple[AnyStatement, Given]],
        rows: int,
        duration_ns: int,
        *,
        failed: bool,
    ) -> None:
        request_id = request_id_now()
        slow = SlowStatement(
            name=", ".join(statement.name for statement, _ in changes),
            engine=self.engine,
            duration_ms=round(duration_ns / 1_000_000, 3),
            rows=rows,
            failed=failed,
            parameters="; ".join(masked(statement, given) for statement, given in changes),
            request_id=None if request_id is None else request_id.decode("ascii", "replace"),
        )
        for listener in tuple(self.on_slow):
            try:
                listener(slow)
            except Exception:  # noqa: BLE001 - the statement itself is well
                _log.exception("telling of a slow statement")

    @property
    def calls(self) -> int:
        """How many statements ran, all names together."""
        return sum(stats.calls for stats in self.statements.values())

    def counts(self) -> dict[str, int]:
        """Calls by name: what a test pins."""
        return {name: stats.calls for name, stats in self.statements.items() if stats.calls}

    def reset(self) -> None:
        """Forgets all."""
        self.statements.clear()


# -- masks


def masked(statement: AnyStatement, given: Given) -> str:
    """What a statement was given, without a single value."""
    if isinstance(given, Mapping):
        return ", ".join(f"{name}={_kind(value)}" for name, value in given.items())
    columns = ", ".join(statement.columns) if isinstance(statement, SetStatement) else ""
    return f"{len(given)} rows ({columns})"


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return f"text({len(value)})"
        case bytes():
            return f"bytes({len(value)})"
        case datetime():
            return "instant"
        case date():
            return "date"
        case Mapping() | list() | tuple() | set() | frozenset():
            return f"json({len(value)})"
    return type(value).__name__
