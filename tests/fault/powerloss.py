"""A recording SQLite file system that shows what a disk may hold after the power was lost.

Open a database through it, commit, mark what was acknowledged, then ask for crash images:

    with powerloss_vfs(path) as recording:
        connection = apsw.Connection(str(path), vfs="powerloss")
        ...
        recording.mark("booking 7 acknowledged")
        image = recording.crash_image(at, random.Random(seed), target)

The first half of this file is pure (a log of operations in, files out), the second half is the VFS
that writes the log while it passes every call on to the real files. Shared memory (`-shm`) is
inherited from the real VFS, so WAL mode works with several connections and threads of one process.
Other processes, and connections that do not use the VFS, are not recorded.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import msgspec

SECTOR_BYTES = 512
"""What the simulated disk writes whole: a longer write may be torn at multiples of this."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """These files, by name, were there before the recording: they count as being on the disk."""

    files: dict[str, bytes]


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """The file was made, empty."""

    file: str


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """`data` was written at the byte `offset`."""

    file: str
    offset: int
    data: bytes


class Truncate(msgspec.Struct, frozen=True, kw_only=True):
    """The file's length was set to `size_bytes`, shorter or longer than before."""

    file: str
    size_bytes: int


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """A sync of the file came to its end.

    It covers the operations numbered below `begun_at`: one that another thread did while the sync
    ran may have missed it. `directory`: the directory was synced too.
    """

    file: str
    begun_at: int
    directory: bool


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """The file was deleted. `directory`: the directory was synced after it."""

    file: str
    directory: bool


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something a test wants to remember at this place of the log; it changes no file."""

    label: str


Change = Write | Truncate
Operation = Found | Create | Write | Truncate | Sync | Delete | Mark


@dataclass
class _Content:
    """One life of a file, from its creation to its deletion."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, Change]] = field(default_factory=list)


# What a name may stand for after the loss, oldest first, each with the number of the operation that
# made it so; None is "no such file". The first entry is on the disk, the later ones are not yet.
_Entry = list[tuple[int, _Content | None]]


def crash_files(operations: Sequence[Operation], at: int, rng: random.Random) -> dict[str, bytes]:
    """Return the files, by name, as a disk may hold them after power was lost right after `at`.

    All that a completed sync covers is there. Of a file's later writes any part is there, in any
    order, torn at sector boundaries; its length is one it had since that sync. Creating a file is
    durable with the first sync of that file, deleting one with the next sync of the directory.
    The same log, `at` and state of `rng` give the same files. Operations after `at` do not matter.

    Raises IndexError when there is no operation number `at`.
    """
    if not 0 <= at < len(operations):
        message = f"operation {at} is not in the log: it holds {len(operations)}, counted from 0"
        raise IndexError(message)
    names: dict[str, _Entry] = {}
    for number, operation in enumerate(operations[: at + 1]):
        _replay(names, number, operation)
    files: dict[str, bytes] = {}
    for name in sorted(names):
        _, content = rng.choice(names[name])
        if content is not None:
            changes = [change for _, change in content.pending]
            files[name] = surviving_content(bytes(content.durable), changes, rng)
    return files


def _replay(names: dict[str, _Entry], number: int, operation: Operation) -> None:
    match operation:
        case Found(files=files):
            for name, content in files.items():
                names[name] = [(number, _Content(durable=bytearray(content)))]
        case Create(file=file):
            names.setdefault(file, [(-1, None)]).append((number, _Content()))
        case Write(file=file) | Truncate(file=file):
            content_now = names[file][-1][1]
            # A handle may outlive its file's name; what it writes can no longer be found.
            if content_now is not None:
                content_now.pending.append((number, operation))
        case Sync(file=file, begun_at=begun_at, directory=directory):
            for name in names if directory else (file,):
                names[name] = _settled(names[name], begun_at)
            _flush(names[file][0][1], begun_at)
        case Delete(file=file, directory=directory):
            names.setdefault(file, [(-1, None)]).append((number, None))
            if directory:
                for name in names:
                    names[name] = _settled(names[name], number + 1)
        case Mark():
            pass


def _settled(entry: _Entry, covers: int) -> _Entry:
    """Return the entry once all that was done to it before operation `covers` is on the disk."""
    older = [state for state in entry if state[0] < covers]
    newer = [state for state in entry if state[0] >= covers]
    return older[-1:] + newer


def _flush(content: _Content | None, covers: int) -> None:
    """Move the changes numbered below `covers` to the disk, in their order."""
    if content is None:
        return
    for number, change in content.pending:
        if number < covers:
            _apply(content.durable, change)
    content.pending = [(number, change) for number, change in content.pending if number >= covers]


def _apply(content: bytearray, change: Change) -> None:
    if isinstance(change, Truncate):
        _resize(content, change.size_bytes)
    else:
        end = change.offset + len(change.data)
        _resize(content, max(len(content), end))
        content[change.offset : end] = change.data


def _resize(content: bytearray, size_bytes: int) -> None:
    if size_bytes < len(content):
        del content[size_bytes:]
    else:
        content.extend(bytes(size_bytes - len(content)))


def surviving_content(durable: bytes, pending: Sequence[Change], rng: random.Random) -> bytes:
    """Return one content that a file may have when the power is lost before the next sync.

    `durable` is the content at the last sync, `pending` are the changes since, in their order.
    """
    content = bytearray(durable)
    # Independent coin tosses alone would nearly never give the plain cases, and those are the ones
    # that real disks produce most: nothing written back, all of it, all up to some moment.
    manner = rng.choice(("nothing", "everything", "prefix", "writes", "sectors"))
    if manner == "nothing" or not pending:
        return durable
    kept = _kept(manner, pending, rng)
    for change in kept:
        _apply(content, change)
    if manner != "everything" and rng.random() < 0.5:
        # The length is written apart from the data: it can be behind it, or ahead of it (zeros).
        _resize(content, rng.choice(_lengths(durable, pending, kept)))
    return bytes(content)


def _kept(manner: str, pending: Sequence[Change], rng: random.Random) -> Sequence[Change]:
    if manner == "everything":
        return pending
    if manner == "prefix":
        end = rng.randrange(len(pending))
        return [*pending[:end], *(piece for piece in _sectors(pending[end]) if rng.random() < 0.5)]
    whole = manner == "writes"
    changes = pending if whole else [piece for change in pending for piece in _sectors(change)]
    share = rng.choice((0.1, 0.5, 0.9))
    kept = [change for change in changes if rng.random() < share]
    if rng.random() < 0.5:
        rng.shuffle(kept)
    return kept


def _sectors(change: Change) -> list[Change]:
    """Cut a write at the sector boundaries of the file; a truncate stays whole."""
    if isinstance(change, Truncate):
        return [change]
    pieces: list[Change] = []
    start, end = change.offset, change.offset + len(change.data)
    while start < end:
        stop = min(end, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
        data = change.data[start - change.offset : stop - change.offset]
        pieces.append(Write(file=change.file, offset=start, data=data))
        start = stop
    return pieces


def _lengths(durable: bytes, pending: Sequence[Change], kept: Sequence[Change]) -> list[int]:
    """Return the lengths in bytes that the file had since its last sync and may still have.

    A truncate that was kept frees what lay behind it: no length from before it comes back.
    """
    lengths = [len(durable)]
    for change in pending:
        if isinstance(change, Write):
            lengths.append(max(lengths[-1], change.offset + len(change.data)))
        elif any(change is other for other in kept):
            lengths = [change.size_bytes]
        else:
            lengths.append(change.size_bytes)
    return lengths


class Recording:
    """The log of one database, its `-wal` and its `-journal`. Any thread may use it."""

    def __init__(self, database: Path) -> None:
        # SQLite hands the VFS resolved paths, so ours must be resolved to be recognised.
        self.database = database.resolve()
        self._operations: list[Operation] = []
        self._live: set[str] = set()
        # Guards the two fields above. It is also held while a file is opened or deleted, because
        # "did it exist before" and the log's answer must not be parted by another thread. A sync
        # runs outside it: one thread's slow disk must not stop the others.
        self._lock = threading.RLock()

    def __len__(self) -> int:
        """Return how many operations are recorded; they are numbered from 0."""
        with self._lock:
            return len(self._operations)

    def mark(self, label: str) -> int:
        """Put a marker into the log and return its number."""
        return self._append(Mark(label=label))

    def operations(self) -> list[Operation]:
        """Return the log so far."""
        with self._lock:
            return list(self._operations)

    def marked(self, at: int) -> list[str]:
        """Return the labels that were marked up to and including operation `at`, in order."""
        return [op.label for op in self.operations()[: at + 1] if isinstance(op, Mark)]

    def crash_image(self, at: int, rng: random.Random, target: Path) -> Path:
        """Write the files of `crash_files` into `target` and return where the database would be.

        It is missing there when nothing of it survived. Open the image with the ordinary VFS.
        Raises IndexError when there is no operation `at`, FileExistsError when `target` holds
        anything: files of an older image would be taken for part of this one.
        """
        files = crash_files(self.operations(), at, rng)
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()):
            message = f"{target} is not empty: give each crash image a directory of its own"
            raise FileExistsError(message)
        for name, content in files.items():
            (target / name).write_bytes(content)
        return target / self.database.name

    def _append(self, operation: Operation) -> int:
        with self._lock:
            self._operations.append(operation)
            return len(self._operations) - 1

    def _covers(self, path: Path) -> bool:
        name = self.database.name
        ours = (name, f"{name}-wal", f"{name}-journal")
        return path.parent == self.database.parent and path.name in ours

    def _open(self, base: str, name: str | apsw.URIFilename, flags: list[int]) -> _RecordedFile:
        path = _path(name)
        file = path.name
        with self._lock:
            existed = path.exists()
            opened = _RecordedFile(self, base, name, flags)
            if not existed:
                self._append(Create(file=file))
            elif file not in self._live:
                # Read through SQLite: a plain open and close here would drop SQLite's own locks.
                size_bytes = opened.xFileSize()
                found = {file: opened.xRead(size_bytes, 0) if size_bytes else b""}
                if path == self.database:
                    found |= self._companions()
                self._append(Found(files=found))
                self._live.update(found)
            self._live.add(file)
        return opened

    def _companions(self) -> dict[str, bytes]:
        """Return what is left in the WAL and the journal, which SQLite opens later if at all."""
        paths = [Path(f"{self.database}{suffix}") for suffix in ("-wal", "-journal")]
        # SQLite keeps no locks on these two, so a plain read does no harm.
        return {path.name: path.read_bytes() for path in paths if path.exists()}


class _RecordedFile(apsw.VFSFile):
    """Passes every call on to the real file and records it once it has succeeded."""

    def __init__(
        self, recording: Recording, base: str, name: str | apsw.URIFilename, flags: list[int]
    ) -> None:
        super().__init__(base, name, flags)
        self._recording = recording
        self._file = _path(name).name
        # SQLite's Unix VFS syncs the directory with the first sync of a journal or WAL that it
        # opened with CREATE, and only then.
        kinds = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL
        self._directory_due = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & kinds)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 (SQLite's name)
        super().xWrite(data, offset)
        self._recording._append(Write(file=self._file, offset=offset, data=bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self._recording._append(Truncate(file=self._file, size_bytes=newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        begun_at = len(self._recording)
        super().xSync(flags)
        directory, self._directory_due = self._directory_due, False
        self._recording._append(Sync(file=self._file, begun_at=begun_at, directory=directory))

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        # An ordinary disk: it keeps the bytes around a write whole and promises nothing else. A
        # stronger promise of the real device would let SQLite skip syncs that the images miss.
        return super().xDeviceCharacteristics() & apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE


class _PowerLossVFS(apsw.VFS):
    """The default VFS, with the recorded database's files wrapped."""

    def __init__(self, name: str, recording: Recording) -> None:
        self._base = ""
        self._recording = recording
        super().__init__(name, self._base)

    def xOpen(  # noqa: N802
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        if name is None or not self._recording._covers(_path(name)):
            return apsw.VFSFile(self._base, name, flags)
        return self._recording._open(self._base, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        recording, file = self._recording, Path(filename).name
        with recording._lock:
            super().xDelete(filename, syncdir)
            if recording._covers(Path(filename)):
                recording._live.discard(file)
                recording._append(Delete(file=file, directory=syncdir))


def _path(name: str | apsw.URIFilename) -> Path:
    return Path(name.filename() if isinstance(name, apsw.URIFilename) else name)


@contextmanager
def powerloss_vfs(database: Path, name: str = "powerloss") -> Iterator[Recording]:
    """Register a VFS called `name` that records the files of `database`, for as long as it lasts.

    Two recordings at the same time need two names. Other databases pass through unrecorded.
    """
    recording = Recording(database)
    vfs = _PowerLossVFS(name, recording)
    try:
        yield recording
    finally:
        vfs.unregister()
