"""Opens databases for commands: one that must be ready, or one that may still be empty."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vacancy.bootstrap import open_database
from vacancy.config import Settings
from vacancy.db.database import Database
from vacancy.db.read_revision import read_revision
from vacancy.db.revision import require_revision
from vacancy.errors import Missing
from vacancy.hotel.revisions import REVISIONS


@asynccontextmanager
async def open_ready(settings: Settings) -> AsyncIterator[Database]:
    """A database at a revision that we work on, for commands that only read: without admission,
    and without taking a number for ids. Raises `Missing`, `Unsupported`."""
    async with open_database(settings) as database:
        await require_revision(database, REVISIONS)
        yield database


async def ensure_schema(settings: Settings) -> None:
    """Migrates an empty database. One that has tables may be in use: `vacancy db migrate` is its
    own decision. Raises `Unsupported` DATABASE_FOREIGN for one that is somebody else's."""
    if REVISIONS.standing(await _find_revision(settings)) == "empty":
        # Alembic takes a moment to load, and a second `vacancy demo` need not wait for it.
        from vacancy.hotel.migrating import migrate_database

        await migrate_database(settings.direct_url)


async def _find_revision(settings: Settings) -> str | None:
    try:
        return await read_revision(settings.direct_url)
    except Missing:
        return None
