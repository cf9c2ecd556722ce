"""What every database of ours can do. SQLite and PostgreSQL each have a file that does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from vacancy.db.adhoc import ADHOC_ROWS, AnyRow
from vacancy.db.changes import Feed
from vacancy.db.statement import Engine, Row, SetStatement, Statement
from vacancy.db.trace import Trace
from vacancy.db.waits import PoolRecord

T = TypeVar("T")
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of a running server. Everything that needs the time is handed one."""
    return datetime.now(UTC)


ATTEMPTS = 5
"""How often a repeatable unit is run before the caller is told that the database is busy."""


class Repeat(Exception):
    """Raised by a repeatable unit that has met a change it must see: run me again."""


class Reader(Protocol):
    """Runs statements. Rows come as structs, in the statement's order."""

    engine: Engine

    async def fetch_all(self, statement: Statement[Row], **params: Any) -> list[Row]: ...

    async def fetch_one(self, statement: Statement[Row], **params: Any) -> Row | None: ...

    async def fetch_set(
        self, statement: SetStatement[Row], rows: Sequence[Sequence[Any]]
    ) -> list[Row]: ...


class ClockedReader(Reader, Protocol):
    """One that knows what time it is, for questions about today."""

    clock: Clock


SetChange = tuple[SetStatement[Any], Sequence[Sequence[Any]]]
"""A set statement and its rows."""


class Transaction(Reader, Protocol):
    """One transaction. `now` is fixed at its start, so that all it writes bears one instant."""

    now: datetime

    async def execute(self, statement: Statement[Any], **params: Any) -> int:
        """Runs a change; answers how many rows it touched."""
        ...

    async def execute_set(
        self, statement: SetStatement[Any], rows: Sequence[Sequence[Any]]
    ) -> int: ...

    async def execute_sets(self, changes: Sequence[SetChange]) -> list[int | None]:
        """Several changes at once, in one round trip where there are round trips. They must not
        touch each other's rows. Rows given to two changes, the very same list, are sent once.

        Answers how many rows each has changed; None may stand for one that is not `counted`."""
        ...


Unit = Callable[[Transaction], Awaitable[T]]


class Database(Reader, Protocol):
    """One database. `transact` runs a unit of work and commits it, or undoes it whole.

    A unit that is `repeatable` (it has no effect outside its transaction) is run again after a
    serialization failure or a deadlock. Whoever gives up waiting does not undo a commit: once
    begun, the unit runs to its end.
    """

    trace: Trace
    clock: Clock
    commits: int
    """Units that were committed through this handle."""
    after_commit: Callable[[], Awaitable[None]] | None
    """Called on PostgreSQL after a unit that has sent changes is committed and before its caller
    is answered. What it raises is logged: the unit stays done. On SQLite nobody needs it, for there
    every exact read can afford a look."""

    def pool_record(self) -> PoolRecord:
        """Its connections as they are now, and how long callers have waited for one."""
        ...

    def open_feed(self) -> Feed:
        """Tells what is committed from now on, by whomever. It ends with the database."""
        ...

    async def adhoc(self, sql: str, *, limit: int = ADHOC_ROWS, **params: Any) -> list[AnyRow]:
        """The one door for text that is no registered statement, for tools that look at a database:
        one question that only reads, at most `limit` of its rows, values as the driver gives them.

        Raises `Invalid` ADHOC_REFUSED for what is no question, `Unavailable` ADHOC_TOO_SLOW after
        `ADHOC_S`, and what the database says.
        """
        ...

    async def transact(
        self, unit: Unit[T], *, repeatable: bool = True, wait_s: float | None = None
    ) -> T: ...

    async def settle(self) -> None:
        """For who learns of a commit in another way than from `transact`: waits, as that does, for
        `after_commit`."""
        ...

    async def close(self) -> None: ...
