"""Reads what the database of a URL tells of itself."""

from __future__ import annotations

from vacancy.db.connect import engine_of, sqlite_path
from vacancy.errors import Missing
from vacancy.perf.indexes.facts import Facts


async def read_facts(url: str) -> Facts:
    """Reads the facts of the database of the URL. Changes nothing, counts no table and takes no
    lock that a writer would feel.

    Raises `Missing` DATABASE_MISSING for a file that is not there, and what connecting raises.
    """
    if engine_of(url) == "sqlite":
        from vacancy.perf.indexes.sqlite_facts import read_sqlite_facts

        path = sqlite_path(url)
        if not path.exists():
            raise Missing("DATABASE_MISSING", f"There is no database at {path}.")
        return read_sqlite_facts(path)
    from vacancy.perf.indexes.postgres_facts import read_postgres_facts

    return await read_postgres_facts(url)
