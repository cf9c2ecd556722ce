"""Whether what a database acknowledges is on disk."""

from __future__ import annotations

import msgspec

from vacancy.db.database import Database
from vacancy.db.gate import register
from vacancy.db.statement import Access, Statement
from vacancy.errors import Unsupported


class _Setting(msgspec.Struct, frozen=True):
    name: str
    value: str


LIST_DURABILITY_SETTINGS = Statement(
    "db.list_durability_settings",
    # Our SQLite connections set their own; see sqlite/session.py.
    "SELECT 'synchronous', 'on'",
    postgresql="""
    SELECT name, setting
    FROM pg_settings
    WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes')
    ORDER BY name
    """,
    row=_Setting,
    access=Access(may_sort="three settings"),
)
register((LIST_DURABILITY_SETTINGS,))


async def require_durability(db: Database) -> None:
    """Refuses a server that may forget commits. Raises `Unsupported` DURABILITY_OFF."""
    off = [row.name for row in await db.fetch_all(LIST_DURABILITY_SETTINGS) if row.value == "off"]
    if off:
        raise Unsupported(
            "DURABILITY_OFF",
            f"This PostgreSQL runs with {' and '.join(off)} off: a power cut loses commits.",
            hint="Turn it on, or set VACANCY_ALLOW_UNSAFE_DURABILITY=true to run all the same.",
        )
