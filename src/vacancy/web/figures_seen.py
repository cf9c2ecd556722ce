"""Remembers the last figures of every worker in `run/figures.json`, so that a sum over all workers
does not go backward when one of them dies, or says nothing for once.

Whoever collects tells the file; what nobody has asked for is written nowhere. What a worker counts
between the last look and its death is lost.
"""

from __future__ import annotations

import fcntl
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from vacancy.web.figures import Figures, total_of

FILE = "figures.json"
_encode = msgspec.json.Encoder().encode


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the file holds."""

    workers: dict[str, Figures] = {}
    """The last figures of those who live, by `Figures.worker`."""
    departed: Figures | None = None
    """Those of all who have died, as one."""

    def counted(self) -> list[Figures]:
        """All that belongs into a sum of counts."""
        return [*self.workers.values(), *([self.departed] if self.departed else [])]


def remember(folder: Path, told: Sequence[Figures], silent: Collection[int]) -> Seen:
    """Adds what living workers have told, and moves those who have died to the departed. `silent`
    are the numbers of those who live and said nothing. May wait for another process that does the
    same. Raises `OSError`."""
    with (folder / FILE).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (folder / FILE).chmod(0o600)
        seen = follow(_read(file), told, silent)
        file.truncate(0)
        file.write(_encode(seen))
    return seen


def follow(before: Seen, told: Sequence[Figures], silent: Collection[int]) -> Seen:
    """What is to be remembered now.

    Where none of those who were seen before lives any more, this is another server: all begins
    anew, and whoever draws rates sees every count begin at nothing at once.
    """
    workers: dict[str, Figures] = {}
    departed = [before.departed] if before.departed is not None else []
    now = {figures.worker for figures in told}
    for worker, figures in before.workers.items():
        if worker in now or figures.pid in silent:
            workers[worker] = figures
        else:
            departed.append(figures)
    if not workers:
        departed = []
    for figures in told:
        known = workers.get(figures.worker)
        # Two who collect at the same time may tell in the other order.
        if known is None or known.age_ms <= figures.age_ms:
            workers[figures.worker] = figures
    return Seen(workers=workers, departed=total_of(departed) if departed else None)


def _read(file: BinaryIO) -> Seen:
    file.seek(0)
    try:
        return msgspec.json.decode(file.read(), type=Seen)
    except msgspec.DecodeError:  # new, or of another version
        return Seen()
