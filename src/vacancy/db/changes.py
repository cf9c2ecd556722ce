"""What has been committed since one last looked, by whomever: the log that triggers write, and the
feeds that read it.

The log is a table, `change_log`. Each of its rows names in a tag what was touched, such as
`things/12/2026-03`; `things/*` is all of that table, `*` is everything. On PostgreSQL a row may
hold several tags, a line each. A row bears a `mark`: on PostgreSQL the transaction's number, on
SQLite a random one. `change_state` is one row about the log itself.
"""

from __future__ import annotations

from typing import Protocol, TypeGuard

import msgspec

from vacancy.errors import Unsupported

LOG_TABLE = "change_log"
STATE_TABLE = "change_state"
EVERYTHING = "*"
LOG_EVERYTHING = f"INSERT INTO {LOG_TABLE} (tag) VALUES ('{EVERYTHING}')"
"""For who changes what no trigger tells, such as the tables themselves."""

MAX_TAGS = 5_000
"""A look that finds more answers "everything": to go through them would cost more than it saves."""
MAX_ROWS = 20_000
"""So many rows of the log are read by one look."""


class Changes(msgspec.Struct, frozen=True):
    """What was committed since the last look."""

    tags: frozenset[str] = frozenset()
    everything: str = ""
    """Why everything may have changed, in words; empty when the tags say it all."""


NOTHING = Changes()


class Feed(Protocol):
    """Looks at one database, one look at a time. A look answers all that was committed before it
    began and that the look before did not answer. The first one answers everything, and so does
    the first one after a look that failed."""

    instant: bool
    """Whether it is an `InstantFeed`."""

    async def look(self) -> Changes:
        """Raises `VacancyError` when the database cannot be asked."""
        ...

    async def close(self) -> None: ...


class InstantFeed(Feed, Protocol):
    """One whose looks cost microseconds and wait for nothing."""

    def look_now(self) -> Changes | None:
        """None when nothing was committed. Raises as `look` does."""
        ...


def is_instant(feed: Feed) -> TypeGuard[InstantFeed]:
    return feed.instant


def changes_of(tags: frozenset[str], rows: int) -> Changes:
    """The answer of a look that has read so many rows with these tags."""
    if EVERYTHING in tags:
        return Changes(everything="the log says that everything changed")
    if rows > MAX_ROWS:
        return Changes(everything=f"over {MAX_ROWS:,} changes since the last look")
    if len(tags) > MAX_TAGS:
        return Changes(everything=f"over {MAX_TAGS:,} tags since the last look")
    return Changes(tags) if tags else NOTHING


def no_state() -> Unsupported:
    """Without its state nobody can tell whether the log is still the same one."""
    return Unsupported(
        "SCHEMA_MISMATCH",
        f"The one row of {STATE_TABLE} is gone: what is committed cannot be told.",
        hint="Nothing is cached meanwhile. Restore a backup, or go down to the revision before"
        " the log with `vacancy db migrate --to 0004` and up again.",
    )
