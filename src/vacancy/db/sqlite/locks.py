"""The files beside a SQLite database through which processes agree about it.

`<file>.lock` is held shared by every process that has the database open; a restore takes it
exclusively. `<file>.queue` and `<file>.write` order the writers: SQLite itself lets writers of
several processes compete by busy-waiting, which is unfair and slow.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from vacancy.errors import Unavailable


class PresenceLock:
    """Says to other processes that this one has the database open.

    Raises `Unavailable` DATABASE_IN_USE, and STORAGE_FAILED where the file cannot be made.
    """

    def __init__(self, database: Path, *, exclusive: bool = False) -> None:
        self._descriptor = _open(database, "lock")
        mode = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            is_ours = _lock(self._descriptor, mode | fcntl.LOCK_NB)
        except BaseException:
            os.close(self._descriptor)
            raise
        if not is_ours:
            os.close(self._descriptor)
            held = "in use by another process" if exclusive else "being replaced by a restore"
            raise Unavailable(
                "DATABASE_IN_USE",
                f"The database {database} is {held}.",
                hint="Wait for it to end, then run the command again.",
            )

    def release(self) -> None:
        os.close(self._descriptor)


class WriteTurn:
    """The turn to write, first come first served.

    Whoever waits holds `queue` until it has `write`. A writer that has just ended finds the queue
    taken and stands behind, so nobody overtakes however fast it comes back.
    """

    def __init__(self, database: Path) -> None:
        self._queue = _open(database, "queue")
        try:
            self._write = _open(database, "write")
        except BaseException:
            os.close(self._queue)
            raise

    def take_at_once(self) -> bool:
        """Takes the turn if nobody has it and nobody waits."""
        if not _lock(self._queue, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return False
        try:
            return _lock(self._write, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    def take(self) -> None:
        """Waits for the turn. Blocks the thread."""
        _lock(self._queue, fcntl.LOCK_EX)
        try:
            _lock(self._write, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    def give_back(self) -> None:
        fcntl.flock(self._write, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._queue)
        os.close(self._write)


def is_known(database: Path) -> bool:
    """Whether a process of ours has ever opened this database."""
    return Path(f"{database}.lock").exists()


def _open(database: Path, kind: str) -> int:
    name = f"{database}.{kind}"
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _failed(f"{name} cannot be opened", error) from error
    _belong_to(descriptor, database)
    return descriptor


def _belong_to(descriptor: int, database: Path) -> None:
    """Gives the file the owner and the mode of the database, as SQLite does with the files it puts
    there: a command that root ran must not shut out the server, which runs as somebody else."""
    # What is not permitted is not needed: then the file is somebody else's, and could be opened.
    with suppress(OSError):
        of_database, ours = database.stat(), os.fstat(descriptor)
        if (ours.st_uid, ours.st_gid) != (of_database.st_uid, of_database.st_gid):
            with suppress(PermissionError):
                os.fchown(descriptor, of_database.st_uid, of_database.st_gid)
        mode = of_database.st_mode & 0o666
        if ours.st_mode & 0o777 != mode:
            os.fchmod(descriptor, mode)


def _lock(descriptor: int, operation: int) -> bool:
    """Whether the lock was got; without LOCK_NB it waits until it is."""
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _failed("A lock beside the database cannot be taken", error) from error
    return True


def _failed(what: str, error: OSError) -> Unavailable:
    return Unavailable(
        "STORAGE_FAILED",
        f"{what}: {error.strerror}.",
        hint="Check that the folder of the database exists, who owns it and its files, and whether"
        " its file system has locks.",
    )
