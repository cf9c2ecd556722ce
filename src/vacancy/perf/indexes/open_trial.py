"""The copy of a schema for the kind of database that a URL names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.plan import Sizes
from vacancy.perf.indexes.trial import Trial


@asynccontextmanager
async def open_trial(url: str, sizes: Sizes | None) -> AsyncIterator[Trial]:
    """A copy of the schema of the URL's database. Plans are made for tables of the sizes; where
    none are given, for the statistics of the database.

    Raises `Missing` DATABASE_MISSING, and what connecting raises.
    """
    if engine_of(url) == "sqlite":
        from vacancy.perf.indexes.sqlite_trial import SqliteTrial

        yield SqliteTrial.of_file(sqlite_path(url), sizes)
    else:
        from vacancy.perf.indexes.postgres_trial import open_postgres_trial

        async with open_postgres_trial(url, sizes) as trial:
            yield trial
