"""Reads the catalog of the database that a URL names."""

from __future__ import annotations

from vacancy.db.catalog import Catalog
from vacancy.db.connect import engine_of, sqlite_path
from vacancy.errors import Missing


async def read_catalog(url: str) -> Catalog:
    """Reads the catalog of the database that a URL names; changes nothing.

    Raises `Missing` DATABASE_MISSING for a file that is not there.
    """
    if engine_of(url) == "sqlite":
        from vacancy.db.sqlite.catalog import read_sqlite_file

        path = sqlite_path(url)
        if not path.exists():
            raise Missing("DATABASE_MISSING", f"There is no database at {path}.")
        return read_sqlite_file(path)
    from vacancy.db.postgres.catalog import read_postgres_database

    return await read_postgres_database(url)
