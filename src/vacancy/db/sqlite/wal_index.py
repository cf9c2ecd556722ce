"""Reads in SQLite's own shared memory whether anybody has committed: 0.05 µs.

In WAL mode every commit writes the header of the WAL index before it is acknowledged, and every
reader begins by comparing that header with the one it knows (https://sqlite.org/walformat.html,
section 2.1; `walIndexTryHdr`). We compare the same bytes at the same place. SQLite hands out the
address itself: to map the file a second time would mean to close it some day, and with that close
the system would take away the locks that SQLite holds on it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import apsw

HEADER_BYTES = 48
"""The header in use. Its copy, behind it, is written first and so says nothing sooner."""
_REGION_BYTES = 32_768
_POINTER = ctypes.sizeof(ctypes.c_void_p)
_SHM_MAP = 13
"""Which word of `sqlite3_io_methods` is xShmMap; the first holds the version."""
_HAS_SHM = 2
"""The first version of those methods that has it."""
_ShmMap = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_void_p),
)


def watch_commits(connection: apsw.Connection) -> Callable[[], bytes] | None:
    """A function that gives what changes with every commit to the file, by whomever; it must not be
    called once the connection is closed. None where the file is not in WAL mode, or its VFS has no
    shared memory. The connection must have read the file before."""
    if connection.execute("PRAGMA journal_mode").get != "wal":
        return None
    file = ctypes.c_void_p()
    known = connection.file_control("main", apsw.SQLITE_FCNTL_FILE_POINTER, ctypes.addressof(file))
    if not known or not file.value:
        return None
    methods = ctypes.c_void_p.from_address(file.value).value
    if not methods or ctypes.c_int.from_address(methods).value < _HAS_SHM:
        return None
    shm_map = ctypes.c_void_p.from_address(methods + _SHM_MAP * _POINTER).value
    if not shm_map:
        return None
    region = ctypes.c_void_p()
    code = _ShmMap(shm_map)(file.value, 0, _REGION_BYTES, 0, ctypes.byref(region))
    if code != apsw.SQLITE_OK or not region.value:
        return None
    header = (ctypes.c_char * HEADER_BYTES).from_address(region.value)
    return lambda: header.raw
