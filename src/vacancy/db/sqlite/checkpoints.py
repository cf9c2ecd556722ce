"""Copies SQLite's log into the file, most of it beside those who go on writing.

Left to itself SQLite does so inside the commit that fills the log, and everybody waits. The log
begins anew only when all of it has been copied and nobody writes, so the rest, a tenth or a fifth,
is still copied behind a commit.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import apsw

from vacancy.errors import VacancyError

AHEAD_PAGES = 3_000
"""So many pages that have not been copied yet are copied beside the writer."""
FULL_PAGES = 4_000
"""16 MB of log: what is left is copied now, and the log begins anew."""


class Checkpoints:
    """The log of one writing connection. `begin` is called once for each connection, `after_commit`
    by whoever committed, before another process may write."""

    def __init__(
        self,
        open_connection: Callable[[], apsw.Connection],
        *,
        ahead_pages: int = AHEAD_PAGES,
        full_pages: int = FULL_PAGES,
    ) -> None:
        self._open = open_connection
        self._ahead_pages = ahead_pages
        self._full_pages = full_pages
        self._thread = ThreadPoolExecutor(1, "sqlite-checkpoint")
        self._connection: apsw.Connection | None = None
        self._ahead: Future[None] | None = None
        self._pages = 0
        self._copied = 0

    def begin(self, writer: apsw.Connection) -> None:
        """From here on SQLite tells how long the log is, and copies nothing by itself. The file may
        be another one than that of the writer before."""
        self._end_copy()
        self._pages = self._copied = 0
        writer.set_wal_hook(self._grew)

    def after_commit(self, writer: apsw.Connection) -> None:
        """Copies what has to be copied. A copy that fails is made good by a later one: what was
        committed stands in the log."""
        if self._pages < self._copied:
            self._copied = 0  # the log began anew
        if self._ahead is not None and not self._ahead.done():
            return
        if self._pages >= self._full_pages:
            self._copied = self._pages
            _copy(writer)
        elif self._pages - self._copied >= self._ahead_pages:
            self._copied = self._pages
            self._ahead = self._thread.submit(self._copy_ahead)

    def close(self) -> None:
        """Waits for a copy under way."""
        self._end_copy()
        self._thread.shutdown()

    def _end_copy(self) -> None:
        if self._ahead is not None:
            self._ahead.result()
            self._ahead = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _grew(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _copy_ahead(self) -> None:
        if self._connection is None:
            try:
                self._connection = self._open()
            except VacancyError:
                return
        _copy(self._connection)


def _copy(connection: apsw.Connection) -> None:
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.Error:  # another process copies, or the disk fails: the next commit tries again
        return
