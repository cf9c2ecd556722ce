"""The log of SQLite is copied beside the writer, stays short and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import apsw

from vacancy.db.sqlite.checkpoints import Checkpoints
from vacancy.db.sqlite.session import open_connection, use_wal

AHEAD, FULL = 30, 50
PAGES_OF_A_COMMIT = 12
"""Ten of a blob, and those of the table around it."""


@contextmanager
def a_log(path: Path) -> Iterator[tuple[apsw.Connection, Checkpoints]]:
    writer = open_connection(path)
    use_wal(writer)
    writer.execute("CREATE TABLE blobs (number INTEGER PRIMARY KEY, bytes BLOB)")
    log = Checkpoints(lambda: open_connection(path), ahead_pages=AHEAD, full_pages=FULL)
    log.begin(writer)
    try:
        yield writer, log
    finally:
        log.close()
        writer.close()


def write(writer: apsw.Connection, log: Checkpoints, times: int) -> list[int]:
    """How many pages the log had after each commit; each copy ahead ends before the next."""
    pages = []
    for _ in range(times):
        writer.execute("INSERT INTO blobs (bytes) VALUES (zeroblob(40000))")
        log.after_commit(writer)
        if log._ahead is not None:
            log._ahead.result()
        pages.append(log._pages)
    return pages


def test_the_log_is_copied_ahead_and_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with a_log(path) as (writer, log):
        pages = write(writer, log, 200)
        assert max(pages) <= FULL + PAGES_OF_A_COMMIT
        assert sum(later < earlier for earlier, later in pairwise(pages)) > 20
        assert path.stat().st_size > 100 * 40_000, "the file itself has what was committed"
        found = writer.execute("SELECT COUNT(*), SUM(length(bytes)) FROM blobs").fetchone()
        assert found == (200, 200 * 40_000)
    assert apsw.Connection(str(path)).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_most_of_it_is_copied_beside_the_writer(tmp_path: Path) -> None:
    with a_log(tmp_path / "some.db") as (writer, log):
        write(writer, log, 3)
        assert AHEAD <= log._pages < FULL
        copied = writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        assert log._ahead is not None
        assert copied == (log._pages, log._pages)


def test_a_reader_holds_the_log_up_and_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with a_log(path) as (writer, log):
        reader = open_connection(path, read_only=True)
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM blobs").fetchall()
        held = write(writer, log, 20)
        assert held == sorted(held)
        assert held[-1] > 4 * FULL
        reader.execute("COMMIT")
        assert write(writer, log, 3)[-1] < FULL
        reader.close()


def test_a_copy_that_fails_is_made_good_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with a_log(path) as (writer, log):
        log._open = lambda: open_connection(tmp_path / "nowhere" / "some.db")
        assert max(write(writer, log, 50)) <= FULL + PAGES_OF_A_COMMIT
