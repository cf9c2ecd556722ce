"""Reads the revision of the database that a URL names, and leaves all there as it was."""

from __future__ import annotations

from pathlib import Path

from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.database import utc_now
from vacancy.db.revision import get_revision
from vacancy.db.trace import Trace
from vacancy.errors import Missing


async def read_revision(url: str) -> str | None:
    """The database's revision; None when it is empty.

    Raises `Missing` DATABASE_MISSING, `Unsupported` DATABASE_FOREIGN and NOT_A_DATABASE, and what
    connecting raises.
    """
    if engine_of(url) == "sqlite":
        return await _read_of_file(sqlite_path(url))
    from vacancy.db.postgres.database import open_postgres

    db = await open_postgres(url, connections=1)
    try:
        return await get_revision(db)
    finally:
        await db.close()


async def _read_of_file(path: Path) -> str | None:
    from vacancy.db.sqlite.database import SqliteTransaction
    from vacancy.db.sqlite.locks import PresenceLock, is_known
    from vacancy.db.sqlite.session import SqliteSession, open_untouched

    if not path.exists():
        raise Missing(
            "DATABASE_MISSING",
            f"There is no database at {path}.",
            hint="Run `vacancy init`, or check VACANCY_DATABASE_URL and VACANCY_DATA_DIR.",
        )
    path = path.resolve()
    # Where no lock stands beside the file, none of ours works on it, and none is left there.
    presence = PresenceLock(path) if is_known(path) else None
    try:
        connection = open_untouched(path)
        try:
            return await get_revision(
                SqliteTransaction(SqliteSession(connection, Trace("sqlite")), utc_now())
            )
        finally:
            connection.close()
    finally:
        if presence is not None:
            presence.release()
