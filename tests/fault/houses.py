"""A house on a SQLite file system of the test's choosing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.hotels import HandClock
from vacancy.bootstrap import House
from vacancy.config import Settings
from vacancy.db.sqlite.database import SqliteDatabase
from vacancy.hotel.accounts import take_node
from vacancy.hotel.admission.batches import Admission
from vacancy.hotel.ids import IdSource


@asynccontextmanager
async def a_house(
    path: Path, *, vfs: str | None = None, synchronous: str = "FULL"
) -> AsyncIterator[House]:
    """What `open_house` builds, for a database that is migrated already."""
    db = SqliteDatabase(path, clock=HandClock(), vfs=vfs, synchronous=synchronous)
    try:
        ids = IdSource(await take_node(db), HandClock())
        admission = Admission(db, ids.next)
        settings = Settings(database_url=f"sqlite:///{path}", env="test")
        yield House(settings, db, db, None, ids, admission, "raise")
        await admission.finish()
    finally:
        await db.close()
