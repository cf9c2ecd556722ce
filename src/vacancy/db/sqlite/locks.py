"""The files beside a SQLite database through which processes agree about it.

`<file>.lock` is held shared by every process that has the database open; a restore takes it
exclusively. `<file>.queue` and `<file>.write` order the writers: SQLite itself lets writers of
several processes compete by busy-waiting, which is unfair and slow.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from vacancy.errors import Unavailable


class PresenceLock:
    """Says to other processes that this one has the database open."""

    def __init__(self, database: Path, *, exclusive: bool = False) -> None:
        self._descriptor = _open(database, "lock")
        mode = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(self._descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            held = "in use by another process" if exclusive else "being replaced by a restore"
            raise Unavailable(
                "DATABASE_IN_USE",
                f"The database {database} is {held}.",
                hint="Wait for it to end, then run the command again.",
            ) from None

    def release(self) -> None:
        os.close(self._descriptor)


class WriteTurn:
    """The turn to write, first come first served.

    Whoever waits holds `queue` until it has `write`. A writer that has just ended finds the queue
    taken and stands behind, so nobody overtakes however fast it comes back.
    """

    def __init__(self, database: Path) -> None:
        self._queue = _open(database, "queue")
        self._write = _open(database, "write")

    def take_at_once(self) -> bool:
        """Takes the turn if nobody has it and nobody waits."""
        try:
            fcntl.flock(self._queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            fcntl.flock(self._write, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)
        return True

    def take(self) -> None:
        """Waits for the turn. Blocks the thread."""
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._write, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    def give_back(self) -> None:
        fcntl.flock(self._write, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._queue)
        os.close(self._write)


def _open(database: Path, kind: str) -> int:
    return os.open(f"{database}.{kind}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
