"""A SQLite file system whose disk can be full: writes fail as they do with ENOSPC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw


class Disk:
    """How many more bytes fit; None is plenty. A write that does not fit writes nothing."""

    def __init__(self) -> None:
        self.free_bytes: int | None = None
        self.refused = 0

    def take(self, size_bytes: int) -> None:
        """Raises FullError when so many bytes do not fit."""
        if self.free_bytes is None:
            return
        if size_bytes > self.free_bytes:
            self.refused += 1
            raise apsw.FullError("the disk of this test is full")
        self.free_bytes -= size_bytes


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 (SQLite's name)
        self._disk.take(len(data))
        super().xWrite(data, offset)


class _FullDiskVFS(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self._disk = disk
        super().__init__(name, "")

    def xOpen(  # noqa: N802
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        return _File(self._disk, name, flags)


@contextmanager
def full_disk_vfs(name: str = "full_disk") -> Iterator[Disk]:
    """Register the file system called `name` for as long as this lasts."""
    disk = Disk()
    vfs = _FullDiskVFS(name, disk)
    try:
        yield disk
    finally:
        vfs.unregister()
