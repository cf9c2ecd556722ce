"""Brings a database to a revision of our schema. Loaded only by the commands that migrate."""

from __future__ import annotations

from collections.abc import Callable

from vacancy.db.connect import engine_of
from vacancy.db.migrate import HEAD, Migrations, Step, migrate
from vacancy.db.migration_door import open_migration_door
from vacancy.db.read_revision import read_revision
from vacancy.errors import Missing
from vacancy.hotel.columns import NAMES
from vacancy.hotel.revisions import MIGRATIONS_FOLDER


def our_migrations() -> Migrations:
    """Every revision of the hotel's schema."""
    return Migrations(MIGRATIONS_FOLDER, NAMES)


async def migrate_database(
    url: str, target: str = HEAD, *, progress: Callable[[Step], None] = lambda step: None
) -> list[Step]:
    """Runs what is missing up to the target (or undoes what is beyond it); answers what ran."""
    door = await open_migration_door(url)
    try:
        return await migrate(door, our_migrations(), target, progress=progress)
    finally:
        await door.close()


async def plan_migration(url: str, target: str = HEAD) -> list[Step]:
    """What `migrate_database` would run now. Leaves the database as it was, and makes none."""
    try:
        current = await read_revision(url)
    except Missing:
        current = None
    return our_migrations().plan(engine_of(url), current, target)
