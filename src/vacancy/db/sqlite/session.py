"""One SQLite connection of ours: its settings, how it runs statements, what its errors mean."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import apsw

from vacancy.db.gate import admit
from vacancy.db.statement import NoRow, Row, SetStatement, Statement
from vacancy.db.trace import Trace
from vacancy.db.values import decoder, sqlite_parameters, sqlite_row_values
from vacancy.errors import (
    Conflict,
    Internal,
    Invalid,
    Misconfigured,
    Unavailable,
    Unsupported,
    VacancyError,
)

BUSY_TIMEOUT_MS = 5_000
"""How long to wait for a writer that is not one of ours and so does not queue."""
_CHECKPOINT_PAGES = 4_000  # 16 MB of log between two checkpoints
_PREPARED_STATEMENTS = 512
_MAPPED_BYTES = 1 << 30
"""What lies behind the first GiB of a file is read in the usual way."""
DRIVER_ERRORS = (apsw.Error, OverflowError)
"""An integer of more than 64 bits does not reach SQLite: the driver refuses it."""


class SqliteSession:
    """Runs statements on one connection, counts them and translates errors."""

    def __init__(self, connection: apsw.Connection, trace: Trace) -> None:
        self.connection = connection
        self.has_moved = watch_file(connection)
        self._execute = connection.cursor().execute
        self._trace = trace

    def command(self, sql: str) -> None:
        """Runs a word to SQLite itself (`BEGIN IMMEDIATE`, `COMMIT`); not a statement."""
        try:
            self._execute(sql)
        except apsw.Error as error:
            raise translated(error, sql) from error

    def fetch_all(self, statement: Statement[Row], params: dict[str, Any]) -> list[Row]:
        admit(statement)
        started_ns = perf_counter_ns()
        try:
            found = self._execute(statement.sqlite, sqlite_parameters(params)).fetchall()
        except DRIVER_ERRORS as error:
            self._trace.fail([(statement, params)], perf_counter_ns() - started_ns)
            raise translated(error, statement.name) from error
        rows = decoder(statement.row, "sqlite")(found)
        self._trace.add(statement, params, len(rows), perf_counter_ns() - started_ns)
        return rows

    def execute(self, statement: Statement[Any], params: dict[str, Any]) -> int:
        admit(statement)
        started_ns = perf_counter_ns()
        try:
            self._execute(statement.sqlite, sqlite_parameters(params)).fetchall()
        except DRIVER_ERRORS as error:
            self._trace.fail([(statement, params)], perf_counter_ns() - started_ns)
            raise translated(error, statement.name) from error
        changed = self.connection.changes()
        self._trace.add(statement, params, changed, perf_counter_ns() - started_ns)
        return changed

    def run_set(
        self, statement: SetStatement[Row], rows: Sequence[Sequence[Any]]
    ) -> tuple[list[Row], int]:
        """All rows through the statement: what it gives, and how many rows it changed."""
        admit(statement)
        started_ns = perf_counter_ns()
        found: list[Any] = []
        changed = position = 0
        try:
            while position < len(rows):
                size = statement.chunk(len(rows) - position)
                values = sqlite_row_values(statement, rows[position : position + size])
                found += self._execute(statement.sqlite(size), values)
                changed += self.connection.changes()  # what triggers changed is not among them
                position += size
        except DRIVER_ERRORS as error:
            self._trace.fail([(statement, rows)], perf_counter_ns() - started_ns)
            raise translated(error, statement.name) from error
        result = decoder(statement.row, "sqlite")(found) if found else []
        fetched = changed if statement.row is NoRow else len(result)
        self._trace.add(statement, rows, fetched, perf_counter_ns() - started_ns)
        return result, changed


def watch_file(connection: apsw.Connection) -> Callable[[], bool]:
    """A function that tells whether the file of a connection is gone from its path, be it that
    another one stands there or none. Where a VFS cannot tell, files stay."""
    # SQLite itself asks the system, for two thirds of what `os.stat` costs here.
    moved = ctypes.c_int(0)
    address = ctypes.addressof(moved)
    ask, question = connection.file_control, apsw.SQLITE_FCNTL_HAS_MOVED

    def has_moved() -> bool:
        ask("main", question, address)
        return moved.value != 0

    return has_moved


def open_connection(
    path: Path,
    *,
    vfs: str | None = None,
    read_only: bool = False,
    create: bool = True,
    synchronous: str = "FULL",
) -> apsw.Connection:
    """Opens a file with our settings. A file that is no database is refused, not overwritten, and
    none is changed by being opened: whoever writes calls `use_wal` first."""
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
    if create and not read_only:
        flags |= apsw.SQLITE_OPEN_CREATE
    try:
        connection = apsw.Connection(
            str(path), flags=flags, vfs=vfs, statementcachesize=_PREPARED_STATEMENTS
        )
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        # One plan for all values, as on PostgreSQL. The library is built to look at the values
        # bound to an index's columns, and so would plan most statements anew at every run: three
        # to six times the time of the statement itself.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        for pragma in (
            "schema_version",  # reads the file, and so finds out whether it is a database
            f"synchronous = {synchronous}",
            "foreign_keys = ON",
            "recursive_triggers = ON",
            "temp_store = MEMORY",
            "cache_size = -16000",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except apsw.Error as error:
        raise translated(error, f"opening {path}") from error
    return connection


def map_pages(connection: apsw.Connection) -> None:
    """Lets a connection that reads look at pages where the system keeps them, and copy none: half
    the time for what does not fit its own cache. See decision 0012 for the price."""
    connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}").fetchall()


def open_untouched(path: Path) -> apsw.Connection:
    """Opens a file to look at it for a moment; the file, and what stands beside it, stay as they
    are. Raises what `open_connection` raises."""
    path = path.resolve()  # its log stands beside the file itself, not beside a link to it
    if not _is_wal(path) or Path(f"{path}-wal").exists():
        return open_connection(path, read_only=True)
    # Nobody has it open: whoever does, has a log beside it. Read in the usual way it would be left
    # with two files more; an immutable one is not. In the other modes a writer may have no file.
    try:
        return apsw.Connection(
            f"{path.as_uri()}?immutable=1",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        )
    except apsw.Error as error:
        raise translated(error, f"opening {path}") from error


def _is_wal(path: Path) -> bool:
    """By the format that stands in its header (https://sqlite.org/fileformat.html, 1.3.3)."""
    try:
        with path.open("rb") as file:
            return file.read(20)[18:20] == b"\x02\x02"
    except OSError:
        return False  # opening it in the usual way says what is wrong


def use_wal(connection: apsw.Connection) -> None:
    """Readers and a writer side by side: it stands in the file from then on. Not in a
    transaction."""
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    except apsw.Error as error:
        raise translated(error, "PRAGMA journal_mode") from error


def translated(error: apsw.Error | OverflowError, doing: str) -> VacancyError:
    """A driver's error as one of ours, by its code."""
    match error:
        case apsw.BusyError() | apsw.LockedError():
            return Unavailable(
                "DATABASE_BUSY",
                f"Another program held the database for over {BUSY_TIMEOUT_MS} ms ({doing}).",
                hint="Try again; if it stays, find the program that keeps a transaction open.",
            )
        case apsw.FullError():
            return Unavailable(
                "STORAGE_FULL",
                f"The disk is full: nothing of this change was written ({doing}).",
                hint="Free space on the disk of the database; the server goes on by itself.",
            )
        case apsw.IOError() | apsw.CantOpenError() | apsw.ReadOnlyError() | apsw.PermissionsError():
            return Unavailable(
                "STORAGE_FAILED",
                f"The database file could not be read or written ({doing}): {error}.",
                hint="Check that the folder exists, its owner, its disk and its free space.",
            )
        case apsw.NotADBError():
            return Unsupported(
                "NOT_A_DATABASE",
                f"The file is not an SQLite database ({doing}).",
                hint="Nothing was changed. Check VACANCY_DATABASE_URL.",
            )
        case apsw.CorruptError():
            return Unsupported(
                "DATABASE_DAMAGED",
                f"The database file is damaged ({doing}): {error}.",
                hint="Stop the server and restore a backup; keep the damaged file beside it.",
            )
        case apsw.MismatchError() | OverflowError():
            return Invalid("VALUE_REFUSED", f"The database refused a value ({doing}): {error}.")
        case apsw.ConstraintError() if _extended_code(error) == apsw.SQLITE_CONSTRAINT_DATATYPE:
            return Invalid("VALUE_REFUSED", f"The database refused a value ({doing}): {error}.")
        case apsw.ConstraintError():
            return Conflict(
                "CONSTRAINT_VIOLATED",
                f"The database refused the change ({doing}): {error}.",
            )
        case (
            apsw.ThreadingViolationError() | apsw.ConnectionClosedError() | apsw.CursorClosedError()
        ):
            return Misconfigured("DATABASE_CLOSED", f"The database is closed ({doing}).")
        case _:
            return Internal("STATEMENT_FAILED", f"{doing} failed: {error}.")


def _extended_code(error: apsw.Error) -> int:
    # The driver's type stubs leave the attribute out.
    return int(getattr(error, "extendedresult", 0))
