"""Opens the database that a URL names."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from vacancy.db.database import Clock, Database, utc_now
from vacancy.db.statement import Engine
from vacancy.errors import Misconfigured

_PASSWORD_PARAMETER = re.compile(r"(?i)([?&](?:ssl)?password=)[^&\s]*")
_USER_AND_PASSWORD = re.compile(r"(\w://[^:/\s]*):\S*@")
"""Up to the last @, for a password may hold some. It rather hides too much."""


def without_passwords(text: str) -> str:
    """The text, or the URL, with a mask for each password of a URL in it."""
    # Parameters first: what is left then of an @ stands before the host.
    return _USER_AND_PASSWORD.sub(r"\1:***@", _PASSWORD_PARAMETER.sub(r"\1***", text))


def engine_of(url: str) -> Engine:
    """Which of the two databases a URL names."""
    match urlsplit(url).scheme:
        case "sqlite":
            return "sqlite"
        case "postgresql" | "postgres":
            return "postgresql"
        case scheme:
            raise Misconfigured(
                "DATABASE_URL_UNKNOWN",
                f"A database URL cannot begin with {scheme or 'nothing'!r}.",
                hint="Use sqlite:///path or postgresql://user@host/name.",
            )


def sqlite_path(url: str) -> Path:
    """`sqlite:///relative` and `sqlite:////absolute`, as in other tools of the field."""
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise Misconfigured(
            "DATABASE_URL_UNKNOWN",
            f"{url!r} names no file.",
            hint="Write sqlite:///path/to/file.db, with three slashes; four for an absolute path.",
        )
    return Path(path)


async def connect(
    url: str, *, clock: Clock = utc_now, connections: int = 8, synchronous: str = "FULL"
) -> Database:
    """Opens the database. The file is created when it is not there; its folder is not."""
    # One driver is loaded, not both: a command on one database starts faster.
    if engine_of(url) == "sqlite":
        from vacancy.db.sqlite.database import SqliteDatabase

        return SqliteDatabase(sqlite_path(url), clock=clock, synchronous=synchronous)
    from vacancy.db.postgres.database import open_postgres

    return await open_postgres(url, clock=clock, connections=connections)
