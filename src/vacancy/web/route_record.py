"""Counts and times the requests of each route, always on. One small record for each route."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from vacancy.db.durations import BUCKETS, add_durations, sum_buckets

_NOTED_MOST = 3 * 2_048
"""What is noted of so many requests of a route, before it is summed up."""
OTHER = "other"
"""Stands for what never reaches a route: an unknown address, a wrong method, a server that stops.
Nobody times it."""


class RouteRecord(msgspec.Struct, kw_only=True):
    """What one route has been asked since the process began. Flat, so that workers add up."""

    route: str
    """Method and address as in the OpenAPI document; a HEAD counts with its GET."""
    budget: int = 0
    """So many statements may run for one request."""
    requests: dict[int, int] = msgspec.field(default_factory=dict)
    """By the status of the answer."""
    statements: int = 0
    statements_most: int = 0
    """In one request."""
    over_budget: int = 0
    """Requests that ran more statements than they may."""
    total_ns: int = 0
    """From when the route was found until its answer was made."""
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * BUCKETS)
    """Durations, as in `db.trace`."""
    refusals: dict[str, int] = msgspec.field(default_factory=dict)
    """By the code of the error."""

    def refuse(self, code: str) -> None:
        """Counts the code of an answer that is a problem."""
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def add_untimed(self, status: int, code: str) -> None:
        """Counts a request that reached no route."""
        self.requests[status] = self.requests.get(status, 0) + 1
        self.refuse(code)

    @property
    def calls(self) -> int:
        return sum(self.requests.values())


class RouteNotes:
    """What was answered on one route, as it comes."""

    __slots__ = ("_noted", "record")

    def __init__(self, record: RouteRecord) -> None:
        self.record = record
        """As of when it was last summed up."""
        self._noted: list[int] = []

    def add(self, status: int, statements: int, duration_ns: int) -> None:
        """Counts one request that was answered."""
        # One append, as in `Trace.add`.
        noted = self._noted
        noted += (status, statements, duration_ns)
        if len(noted) >= _NOTED_MOST:
            self.sum_up()

    def sum_up(self) -> RouteRecord:
        """The record as of now."""
        noted, self._noted = self._noted, []
        record = self.record
        if noted:
            statements, durations_ns = noted[1::3], noted[2::3]
            for status, times in Counter(noted[::3]).items():
                record.requests[status] = record.requests.get(status, 0) + times
            record.statements += sum(statements)
            record.statements_most = max(record.statements_most, max(statements))
            record.over_budget += sum(map(record.budget.__lt__, statements))
            record.total_ns += sum(durations_ns)
            add_durations(record.buckets, durations_ns)
        return record


class RouteRecords:
    """The records of one process."""

    def __init__(self) -> None:
        self.began_ms = time.time_ns() // 1_000_000
        """When the process began to count, since 1970."""
        self.began_monotonic_ns = time.monotonic_ns()
        self._by_route: dict[str, RouteNotes] = {}
        self.other = self.of(OTHER).record

    def of(self, route: str, budget: int = 0) -> RouteNotes:
        """Where a route notes what it answers, begun when it is first asked for."""
        notes = self._by_route.get(route)
        if notes is None:
            record = RouteRecord(route=route, budget=budget)
            notes = self._by_route[route] = RouteNotes(record)
        return notes

    def all(self) -> tuple[RouteRecord, ...]:
        """Of every route, as of now."""
        return tuple(notes.sum_up() for notes in self._by_route.values())


def merge_routes(workers: Iterable[Sequence[RouteRecord]]) -> list[RouteRecord]:
    """The records of several workers as if they were one: counts are summed, the most is the most
    of any. By route, in the order in which they are met."""
    found: dict[str, list[RouteRecord]] = {}
    for records in workers:
        for record in records:
            found.setdefault(record.route, []).append(record)
    return [_merged(records) for records in found.values()]


def _merged(records: Sequence[RouteRecord]) -> RouteRecord:
    requests: Counter[int] = Counter()
    refusals: Counter[str] = Counter()
    for record in records:
        requests.update(record.requests)
        refusals.update(record.refusals)
    return RouteRecord(
        route=records[0].route,
        budget=max(record.budget for record in records),
        requests=dict(requests),
        statements=sum(record.statements for record in records),
        statements_most=max(record.statements_most for record in records),
        over_budget=sum(record.over_budget for record in records),
        total_ns=sum(record.total_ns for record in records),
        buckets=sum_buckets(record.buckets for record in records),
        refusals=dict(refusals),
    )
