"""The folder `run` in the data directory: which workers of a server live, and where they listen.

A worker has a place there: `<pid>.lock`, which it keeps locked as long as it lives, and the socket
`<pid>.sock`. The system gives the lock up with the process, however it ends; so who can take the
lock knows that the worker is gone, whatever process has its number by now.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = "run"
_MAX_ADDRESS_BYTES = 100
"""What every system takes as the address of a socket; Linux has room for 107, macOS for 103."""


def run_folder(data_dir: str) -> Path:
    return Path(data_dir) / FOLDER


def make_run_folder(data_dir: str) -> Path:
    """The folder, for its owner alone, made where there is none. Raises `OSError`."""
    folder = run_folder(data_dir)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return folder


def socket_of(folder: Path, pid: int) -> Path:
    return folder / f"{pid}.sock"


class Place:
    """A worker's place in the folder, ours from `take_place` until `leave`."""

    def __init__(self, folder: Path, pid: int, lock: int) -> None:
        self.folder = folder
        self.pid = pid
        self.socket = socket_of(folder, pid)
        self._lock = lock

    def leave(self) -> None:
        """Removes the socket and the place."""
        # Still locked while they are removed: nobody takes the place and loses it again.
        with suppress(OSError):
            self.socket.unlink(missing_ok=True)
            _lock_file(self.folder, self.pid).unlink(missing_ok=True)
        os.close(self._lock)


def take_place(folder: Path, pid: int) -> Place | None:
    """The place of a number that no living worker has; None where one has it, or where somebody
    else is just clearing it away. Raises `OSError`."""
    path = _lock_file(folder, pid)
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _stands_at(path, lock):
                return Place(folder, pid, lock)
        except BlockingIOError:
            os.close(lock)
            return None
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # it was cleared away between opening and locking


def living_pids(folder: Path) -> list[int]:
    """The numbers of the workers that live. What dead ones have left behind is removed.

    Raises `OSError`, and `FileNotFoundError` where there is no folder.
    """
    found = {
        int(path.stem)
        for path in folder.iterdir()
        if path.suffix in (".lock", ".sock") and path.stem.isdecimal()
    }
    return [pid for pid in sorted(found) if is_alive(folder, pid)]


def is_alive(folder: Path, pid: int) -> bool:
    """Whether the worker of this number lives; if not, its place is cleared away."""
    place = take_place(folder, pid)
    if place is None:
        return True
    place.leave()
    return False


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address of this socket that the system takes, however deep it lies: for binding and
    connecting, which then go through a link in the folder for temporary files."""
    if len(os.fsencode(path)) <= _MAX_ADDRESS_BYTES:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="vac-") as folder:
        link = Path(folder) / "to"
        link.symlink_to(path.parent.resolve(), target_is_directory=True)
        yield str(link / path.name)


def _lock_file(folder: Path, pid: int) -> Path:
    return folder / f"{pid}.lock"


def _stands_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
