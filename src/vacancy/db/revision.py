"""Which revision a database stands at, and whether this version of the program can work on it."""

from __future__ import annotations

from typing import Literal

import msgspec

from vacancy.db.database import Reader
from vacancy.db.statement import Statement
from vacancy.errors import Unsupported

VERSION_TABLE = "alembic_version"


class _Name(msgspec.Struct, frozen=True):
    name: str


FIND_VERSION_TABLE = Statement(
    "db.find_version_table",
    f"SELECT name FROM sqlite_master WHERE type = 'table' AND name = '{VERSION_TABLE}'",
    postgresql=f"SELECT to_regclass('{VERSION_TABLE}')::text WHERE to_regclass('{VERSION_TABLE}')"
    " IS NOT NULL",
    row=_Name,
)
GET_REVISION = Statement(
    "db.get_revision",
    f"SELECT version_num FROM {VERSION_TABLE}",
    row=_Name,
    reads=(VERSION_TABLE,),
)

Standing = Literal["empty", "behind", "current", "accepted", "ahead"]


class RevisionRange(msgspec.Struct, frozen=True):
    """The revisions, oldest first, that this version of the program knows; from `oldest_accepted`
    on a server works on them, so that deployments can roll."""

    known: tuple[str, ...]
    oldest_accepted: str

    @property
    def newest(self) -> str:
        return self.known[-1]

    def standing(self, revision: str | None) -> Standing:
        if revision is None:
            return "empty"
        if revision not in self.known:
            return "ahead"
        if revision == self.newest:
            return "current"
        position = self.known.index(revision)
        return "accepted" if position >= self.known.index(self.oldest_accepted) else "behind"


async def get_revision(db: Reader) -> str | None:
    """The database's revision; None when it has never been migrated."""
    if await db.fetch_one(FIND_VERSION_TABLE) is None:
        return None
    row = await db.fetch_one(GET_REVISION)
    return row.name if row else None


async def require_revision(db: Reader, accepted: RevisionRange) -> str:
    """Refuses a database that this version cannot work on. Raises `Unsupported`."""
    revision = await get_revision(db)
    match accepted.standing(revision):
        case "empty":
            raise Unsupported(
                "SCHEMA_MISSING",
                "The database has no tables of ours yet.",
                hint="Run `vacancy db migrate`.",
            )
        case "behind":
            raise Unsupported(
                "SCHEMA_TOO_OLD",
                f"The database stands at revision {revision}; this version works on"
                f" {accepted.oldest_accepted} to {accepted.newest}.",
                hint="Run `vacancy db migrate`.",
            )
        case "ahead":
            raise Unsupported(
                "SCHEMA_TOO_NEW",
                f"The database stands at revision {revision}, which this version does not know;"
                f" its newest is {accepted.newest}.",
                hint="Install the version of Vacancy that made it, or a newer one.",
            )
    assert revision is not None
    return revision
