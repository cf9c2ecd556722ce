"""Folders of revisions made by a test, to see migrations fail, wait and be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from vacancy.db.migrate import HEAD, Migrations, Step, migrate
from vacancy.db.migration_door import MigrationDoor, open_migration_door
from vacancy.db.read_catalog import read_catalog

FIRST = 'op.create_table("parents", sa.Column("id", sa.Integer(), primary_key=True))'
SECOND = """op.create_table(
        "children",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("parent_id", sa.Integer(), sa.ForeignKey("parents.id"), nullable=False),
    )"""


@asynccontextmanager
async def a_door(url: str) -> AsyncIterator[MigrationDoor]:
    door = await open_migration_door(url)
    try:
        yield door
    finally:
        await door.close()


def write_revision(
    folder: Path, number: int, upgrade: str, downgrade: str, *, transactional: bool = True
) -> None:
    """Adds a revision to a scratch folder, after the one before."""
    before = f'"{number - 1:04}"' if number > 1 else "None"
    (folder / f"r{number:04}_scratch.py").write_text(
        f'"""Revision {number}."""\n'
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f'revision = "{number:04}"\ndown_revision = {before}\ntransactional = {transactional}\n'
        f"def upgrade() -> None:\n    {upgrade}\n"
        f"def downgrade() -> None:\n    {downgrade}\n"
    )


async def migrate_scratch(url: str, folder: Path, target: str = HEAD) -> list[Step]:
    async with a_door(url) as door:
        return await migrate(door, Migrations(folder, {}), target)


async def revision_of(url: str) -> str | None:
    async with a_door(url) as door:
        return await door.revision()


async def tables_of(url: str) -> list[str]:
    return [table.name for table in (await read_catalog(url)).tables]


def write_family(folder: Path) -> None:
    """Two good revisions: parents, and children that refer to them."""
    write_revision(folder, 1, FIRST, 'op.drop_table("parents")')
    write_revision(folder, 2, SECOND, 'op.drop_table("children")')
