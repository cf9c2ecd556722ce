"""What was committed to a PostgreSQL database since the last look.

Each row of the log bears the number of its transaction. A look answers the rows of all transactions
that its own snapshot sees and that of the last look did not. No sequence and no clock is trusted:
commits may become visible in any order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from vacancy.db.changes import (
    LOG_TABLE,
    MAX_ROWS,
    MAX_TAGS,
    STATE_TABLE,
    Changes,
    changes_of,
    no_state,
)
from vacancy.db.postgres.errors import CONNECTING_ERRORS, translated
from vacancy.db.postgres.pool import Connection
from vacancy.errors import Misconfigured, Unsupported

LOOK_S = 2.0
"""A look that takes longer has failed: its caller goes to the database himself meanwhile."""

# One statement, and so one snapshot for all that it answers. What the last look did not see: the
# transactions that began after it, and those that were under way. Both are found by the index,
# however long a transaction lasts. A row holds the tags of a statement, a line each. On the first
# look $1 is NULL, and no row is new.
LOOK = f"""
WITH new_rows AS MATERIALIZED (
    SELECT unnest(string_to_array(tag, E'\\n')) AS tag
    FROM (
        SELECT tag
        FROM {LOG_TABLE}
        WHERE mark >= pg_snapshot_xmax($1::text::pg_snapshot)
        UNION ALL
        SELECT tag
        FROM {LOG_TABLE}
        WHERE mark = ANY (ARRAY(SELECT pg_snapshot_xip($1::text::pg_snapshot)))
    ) AS rows
    LIMIT {MAX_ROWS + 1}
)
SELECT
    pg_is_in_recovery() AS is_replica,
    pg_current_snapshot()::text AS snapshot,
    ARRAY['{LOG_TABLE}'::regclass::oid::text, s.tableoid::text, s.incarnation] AS state,
    pg_snapshot_xmin($1::text::pg_snapshot) < s.pruned_below AS is_behind,
    (SELECT COUNT(*) FROM new_rows) AS rows,
    ARRAY(SELECT DISTINCT tag FROM new_rows LIMIT {MAX_TAGS + 1}) AS tags
FROM {STATE_TABLE} AS s
"""


class PostgresFeed:
    """Looks at one database, on a connection of its own that is made when it is needed."""

    instant = False

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._is_looking = False
        self._closed = False
        self._why_all = "the first look"
        # What the last look has seen.
        self._snapshot: str | None = None
        self._state: list[str] | None = None

    async def look(self) -> Changes:
        assert not self._is_looking, "one look at a time"
        self._is_looking = True
        try:
            async with asyncio.timeout(LOOK_S):
                return await self._look()
        except CONNECTING_ERRORS as error:
            self._forget()
            raise translated(error, "looking for changes") from error
        except BaseException:
            self._forget()
            raise
        finally:
            self._is_looking = False

    async def _look(self) -> Changes:
        if self._closed:
            raise Misconfigured("DATABASE_CLOSED", "The database is closed (looking for changes).")
        if self._connection is not None and self._connection.is_closed():
            self._forget()
        if self._connection is None:
            self._connection = await self._connect()
        found = await self._connection.fetchrow(LOOK, self._snapshot)
        if found is None:
            raise no_state()
        if found["is_replica"]:
            raise Unsupported(
                "CHANGES_INEXACT",
                "This PostgreSQL is a standby: what was committed cannot be told from it exactly.",
                hint="Let VACANCY_DATABASE_URL name the primary. Until then nothing is cached.",
            )
        changes = changes_of(frozenset(found["tags"]), found["rows"])
        if self._why_all:
            changes = Changes(everything=self._why_all)
        elif found["state"] != self._state:
            changes = Changes(everything="the tables were made anew, or the database restored")
        elif found["is_behind"]:
            changes = Changes(everything="the log was pruned beyond the last look")
        self._snapshot, self._state, self._why_all = found["snapshot"], found["state"], ""
        return changes

    def _forget(self) -> None:
        """A look that failed has seen nothing, and the next one begins anew. What the connection
        is still at, if it is there at all, nobody waits for."""
        self._why_all = "the first look after one that failed"
        self._snapshot = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        self._closed = True
        self._forget()
