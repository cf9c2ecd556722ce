"""Remembers the last figures of every worker in `run/figures.json`, so that a sum over all workers
does not go backward when one of them dies, or says nothing for once.

Whoever collects tells the file; what nobody has asked for is written nowhere. What a worker counts
between the last look and its death is lost.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import msgspec

from vacancy.web.figures import Figures, total_of
from vacancy.web.run_folder import living_pids

FILE = "figures.json"
LOCK = "figures.lock"
_ASIDE = "figures.json.new"
NAMES_KEPT = 1_000
"""A name comes back only from who has asked before its death and tells after it, seconds later."""

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds."""

    workers: dict[str, Figures] = {}
    """The last figures of those who live, by `Figures.worker`."""
    departed: Figures | None = None
    """Those of all who have died, as one."""
    departed_names: list[str] = []
    """Who they are, the last to die at the end, so that nobody is added to them twice."""

    def counted(self) -> list[Figures]:
        """All that belongs into a sum of counts."""
        return [*self.workers.values(), *([self.departed] if self.departed else [])]


class Memory:
    """What one process remembers: the file, and what it would hold had every write succeeded."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._lock = Lock()  # guards `_seen` between the threads of this process, the file included

    def remember(self, folder: Path, told: Sequence[Figures]) -> Seen:
        """Adds what workers have told, and moves those who have died to the departed. May wait for
        another process that does the same. Where the file is of no use, a warning says so, and the
        answer is from what this process remembers."""
        with self._lock:
            seen: Seen | None = None
            try:
                with _locked(folder):
                    before = join(_read(folder), self._seen)
                    # Under the lock, so that nobody's life is judged by an older look than was
                    # written; the process itself lives, though it may have found no place.
                    living = {*living_pids(folder), os.getpid()}
                    self._seen = seen = follow(before, told, living)
                    _write(folder, seen)
            except OSError as error:
                _log.warning(
                    "the figures of the workers cannot be remembered in %s, those of who dies now"
                    " may be lost: %s",
                    folder / FILE,
                    error,
                )
                if seen is None:
                    self._seen = seen = follow(self._seen, told, None)
        return seen


def follow(before: Seen, told: Sequence[Figures], living: Collection[int] | None) -> Seen:
    """What is to be remembered now. `living` are the numbers of the workers that live; without
    them nobody is taken for dead.

    Who tells nothing may live, and who has told may be dead by now: others collect meanwhile. Where
    none of those who were seen before lives any more, this is another server: all begins anew, and
    whoever draws rates sees every count begin at nothing at once.
    """
    latest = dict(before.workers)
    gone = set(before.departed_names)
    for figures in told:
        known = latest.get(figures.worker)
        # Two who collect at the same time may tell in the other order.
        if figures.worker not in gone and (known is None or known.age_ms <= figures.age_ms):
            latest[figures.worker] = figures
    # The system gives a number again: of two who have it, the one that began last may live.
    newest: dict[int, Figures] = {}
    for figures in latest.values():
        other = newest.get(figures.pid)
        if other is None or other.began_ms < figures.began_ms:
            newest[figures.pid] = figures
    workers = {
        worker: figures
        for worker, figures in latest.items()
        if newest[figures.pid] is figures and (living is None or figures.pid in living)
    }
    dead = [worker for worker in latest if worker not in workers]
    # The names stay, also where their sum does not: one who tells later must not bring them back.
    names = [*before.departed_names, *dead][-NAMES_KEPT:]
    if not before.workers.keys() & workers.keys():
        return Seen(workers=workers, departed_names=names)
    departed = [latest[worker] for worker in dead]
    if before.departed is not None:
        departed.append(before.departed)
    return Seen(
        workers=workers,
        departed=total_of(departed) if departed else None,
        departed_names=names,
    )


def join(file: Seen, ours: Seen) -> Seen:
    """What the file and this process know together. They differ where the file was lost, or where
    somebody could not write it."""
    # A sum cannot be taken apart again, so it is the one of whoever knows of more deaths.
    kept, departed = set(file.departed_names), set(ours.departed_names)
    dead = ours if kept < departed else file
    names = kept if dead is file else departed
    workers = {name: figures for name, figures in file.workers.items() if name not in names}
    for name, figures in ours.workers.items():
        known = workers.get(name)
        if name not in names and (known is None or known.age_ms < figures.age_ms):
            workers[name] = figures
    return Seen(workers=workers, departed=dead.departed, departed_names=dead.departed_names)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time reads, works out and writes. The lock is on a file of its own, because
    `figures.json` is another file after each write."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _read(folder: Path) -> Seen:
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Seen)
    except (FileNotFoundError, msgspec.DecodeError):  # new, or of another version
        return Seen()


def _write(folder: Path, seen: Seen) -> None:
    """Aside first: a full disk, or an end in the middle, leaves what was there."""
    aside = folder / _ASIDE
    file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "wb") as opened:
        opened.write(_encode(seen))
    aside.replace(folder / FILE)
