"""What was committed to a SQLite file since the last look.

Three questions tell whether anything was, the cheapest first. Does SQLite's shared memory stand as
it stood (`wal_index.py`)? Then nobody has committed, and that is all, but for one time in a
millisecond. Is the file still the one that is open, and has the number moved that SQLite changes
for a connection whenever another one commits? The connection here never writes, so that all
writers are others, our own among them. Only then is the log read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import apsw

from vacancy.db.changes import (
    LOG_TABLE,
    MAX_ROWS,
    NOTHING,
    STATE_TABLE,
    Changes,
    changes_of,
    no_state,
)
from vacancy.db.sqlite.session import open_connection, translated, watch_file
from vacancy.db.sqlite.wal_index import watch_commits
from vacancy.errors import Misconfigured, Unavailable

_VERSION = "PRAGMA data_version"
_STATE = f"SELECT schema_version, incarnation FROM pragma_schema_version, {STATE_TABLE}"
_NEWEST = f"SELECT entry, mark FROM {LOG_TABLE} ORDER BY entry DESC LIMIT 1"
# The last row of the look before, which must still be there, and all after it.
_SINCE = f"""
SELECT entry, mark, tag
FROM {LOG_TABLE}
WHERE entry >= ?
ORDER BY entry
LIMIT {MAX_ROWS + 2}
"""

_PUT_AWAY_S = 0.001
"""So long another file may stand in the place of ours before it is noticed. A restore keeps away
from a file that is open; this is for hands that do not."""


class SqliteFeed:
    """Looks at one file, on the caller's thread. `on_opened` is called when it has opened the file
    at its path, the first time or because another one was put there."""

    instant = True
    __slots__ = (
        "_closed",
        "_connection",
        "_entry",
        "_execute",
        "_glance",
        "_glanced",
        "_mark",
        "_on_opened",
        "_path",
        "_peek",
        "_peek_at",
        "_state",
        "_version",
        "_why_all",
    )

    def __init__(self, path: Path, *, on_opened: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._on_opened = on_opened
        self._connection: apsw.Connection | None = None
        self._closed = False
        self._peek = _nothing_open
        self._glance: Callable[[], bytes] | None = None
        self._execute: Callable[..., Any]
        self._why_all = "the first look"
        # What the last look has seen.
        self._glanced: bytes | None = None
        self._peek_at = 0.0
        self._version = _NEVER
        self._state: Any = None
        self._entry = 0
        self._mark = 0

    def look_now(self) -> Changes | None:
        try:
            # Nearly every look ends here.
            glance = self._glance
            if glance is not None and glance() == self._glanced and monotonic() < self._peek_at:
                return None
            # Before all else is read: what is committed from here on is seen by the next look.
            glanced = glance and glance()
            if self._peek() == self._version:
                changes = None
            else:
                changes = self._look()
                if self._glance is not glance:
                    glanced = None
            self._glanced, self._peek_at = glanced, monotonic() + _PUT_AWAY_S
            return changes
        except apsw.Error as error:
            self._forget()
            raise translated(error, "looking for changes") from error
        except BaseException:
            self._forget()
            raise

    async def look(self) -> Changes:
        return self.look_now() or NOTHING

    def _look(self) -> Changes:
        why_all = self._why_all
        # Before the log is read: what is committed from here on moves it once more.
        version = self._peek()
        if version is None:
            why_all = why_all or "another file was put in the place of the database"
            self._open()
            version = self._peek()
            if version is None:
                raise Unavailable(
                    "STORAGE_FAILED",
                    f"The database file {self._path} was moved away again as it was opened.",
                    hint="Try again; if it stays, look for what replaces the file.",
                )
        # All rows, always: a statement that is not at its end keeps a snapshot, and the number
        # would stand still with it.
        state = self._execute(_STATE).fetchall()
        if not state:
            raise no_state()
        if not why_all and state != self._state:
            why_all = "the schema was changed, or the database restored"
        if not why_all:
            last, *rows = self._execute(_SINCE, (self._entry,)).fetchall() or [_NO_ROW]
            if last[:2] != (self._entry, self._mark):
                why_all = "the log does not hold the last look any more"
            else:
                changes = changes_of(frozenset([tag for _, _, tag in rows]), len(rows))
                why_all = changes.everything
        if why_all:
            changes = Changes(everything=why_all)
            newest = self._execute(_NEWEST).fetchall()
            self._entry, self._mark = newest[0] if newest else (0, 0)
        elif rows:
            self._entry, self._mark, _ = rows[-1]
        self._version, self._state, self._why_all = version, state, ""
        if self._glance is None and self._connection is not None:
            self._glance = watch_commits(self._connection)
        return changes

    def _open(self) -> None:
        if self._closed:
            raise Misconfigured("DATABASE_CLOSED", "The database is closed (looking for changes).")
        self._glance = None
        if self._connection is not None:
            self._connection.close()
        self._connection = open_connection(self._path, read_only=True)
        self._execute = self._connection.cursor().execute
        self._peek = _peeking(self._connection)
        self._on_opened()

    def _forget(self) -> None:
        """A look that failed has seen nothing, and the next one begins anew."""
        self._why_all = "the first look after one that failed"
        self._version = _NEVER
        self._peek = _nothing_open
        self._glance = None
        if self._connection is not None:
            self._connection.close(force=True)
            self._connection = None

    async def close(self) -> None:
        self._closed = True
        self._forget()


_NO_ROW = (None, None, "")
_NEVER = -1
"""The number that SQLite never has."""


def _nothing_open() -> int | None:
    return None


def _peeking(connection: apsw.Connection) -> Callable[[], int | None]:
    """A function that gives the number which others' commits change; None when the file is gone
    from its path."""
    has_moved = watch_file(connection)
    execute: Callable[[str], Any] = connection.cursor().execute

    def peek() -> int | None:
        if has_moved():
            return None
        number: int = execute(_VERSION).get
        return number

    return peek
