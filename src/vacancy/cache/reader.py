"""A reader that answers from the cache what a table of statements says may be answered from it,
and asks the database for the rest. It stands where a database stood: who asks notices nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from operator import itemgetter
from time import perf_counter_ns
from typing import Any

import msgspec

from vacancy.cache.query_cache import Miss, QueryCache
from vacancy.cache.store import Entry
from vacancy.db.database import Clock, Database
from vacancy.db.statement import Engine, Row, SetStatement, Statement, number_parameters

TIMED = 64
"""One answer in so many is timed."""


class Cached(msgspec.Struct, frozen=True, kw_only=True):
    """That a statement is cached, and how."""

    statement: Statement[Any]
    ttl_s: float
    """A backstop: what has changed goes at once, long before."""
    tags: Callable[[Mapping[str, Any], Sequence[Any]], Iterable[str]]
    """What an answer depends on, told from the parameters and the rows."""
    bound_ms: int = 0
    """PostgreSQL: how old an answer may be when others have written. 0 asks each time what has
    changed. On SQLite every answer is exact."""
    unless: Callable[[Mapping[str, Any]], bool] | None = None
    """Parameters with which it is not cached."""


class Used:
    """What an answer was made of: entries, and whether that was all."""

    __slots__ = ("complete", "entries")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.complete = True

    def tags(self) -> list[str] | None:
        """What the answer depends on; None when that is not known, or not true any more."""
        if not self.complete or not all(entry.alive for entry in self.entries):
            return None
        return [tag for entry in self.entries for tag in entry.tags]

    @property
    def expires_at(self) -> float:
        """When the first of them ends, by the cache's clock."""
        return min((entry.expires_at for entry in self.entries), default=float("-inf"))


USED: ContextVar[Used | None] = ContextVar("used", default=None)
"""Set by who wants to know what his answer was made of."""


class _Rule:
    """A `Cached` made ready for the hot path."""

    __slots__ = ("bound_s", "name", "tags", "ttl_s", "unless", "values")

    def __init__(self, cached: Cached) -> None:
        self.name = cached.statement.name
        # Of both texts: one may use what the other does not.
        _, of_sqlite = number_parameters(cached.statement.sqlite)
        names = dict.fromkeys((*cached.statement.order, *of_sqlite))
        self.values: Callable[[Mapping[str, Any]], Any] = itemgetter(*names) if names else _nothing
        self.ttl_s = cached.ttl_s
        self.tags = cached.tags
        self.bound_s = cached.bound_ms / 1000
        self.unless = cached.unless


class CachedReader:
    """The helpers' database, with a cache in front of it. It only reads."""

    def __init__(
        self,
        db: Database,
        cache: QueryCache,
        table: Iterable[Cached],
    ) -> None:
        self.engine: Engine = db.engine
        self.clock: Clock = db.clock
        self.cache = cache
        self._db = db
        self._rules = {cached.statement.name: _Rule(cached) for cached in table}
        self._asked = 0

    async def fetch_all(self, statement: Statement[Row], **params: Any) -> list[Row]:
        rule = self._rules.get(statement.name)
        used = USED.get()
        if rule is None or (rule.unless is not None and rule.unless(params)):
            if used is not None:
                used.complete = False
            return await self._db.fetch_all(statement, **params)
        self._asked += 1
        timed_from_ns = 0 if self._asked % TIMED else perf_counter_ns()
        cache = self.cache
        key = (rule.name, rule.values(params))
        found = (
            cache.find_now(key, rule.name)
            if cache.instant
            else await cache.find(key, rule.bound_s, rule.name)
        )
        if type(found) is Miss:  # half of what `isinstance` costs
            found = await self._fill(found, key, rule, statement, params)
        else:
            if timed_from_ns:
                cache.counting.time_hit(rule.name, perf_counter_ns() - timed_from_ns)
            if cache.shadows.is_due():
                cache.shadows.compare(found, self._query(statement, params))
        if used is not None:
            used.entries.append(found)
        return [*found.value]

    async def fetch_one(self, statement: Statement[Row], **params: Any) -> Row | None:
        rows = await self.fetch_all(statement, **params)
        return rows[0] if rows else None

    async def fetch_set(
        self, statement: SetStatement[Row], rows: Sequence[Sequence[Any]]
    ) -> list[Row]:
        used = USED.get()
        if used is not None:
            used.complete = False
        return await self._db.fetch_set(statement, rows)

    async def _fill(
        self,
        miss: Miss,
        key: tuple[Any, ...],
        rule: _Rule,
        statement: Statement[Row],
        params: dict[str, Any],
    ) -> Entry:
        return await self.cache.fill(
            miss,
            key,
            self._query(statement, params),
            rule.ttl_s,
            tags=lambda rows: rule.tags(params, rows),
            name=rule.name,
        )

    def _query(
        self, statement: Statement[Row], params: dict[str, Any]
    ) -> Callable[[], Awaitable[tuple[Row, ...]]]:
        async def query() -> tuple[Row, ...]:
            # A copy: the database makes its own of what it is given.
            return tuple(await self._db.fetch_all(statement, **params))

        return query


def _nothing(_: Mapping[str, Any]) -> tuple[()]:
    return ()
