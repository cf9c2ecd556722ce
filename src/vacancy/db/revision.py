"""Which revision a database stands at, and whether this version of the program can work on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from vacancy.db.database import Reader
from vacancy.db.gate import register
from vacancy.db.statement import Access, Statement
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
    access=Access(),
)
GET_REVISION = Statement(
    "db.get_revision",
    f"SELECT version_num FROM {VERSION_TABLE}",
    row=_Name,
    reads=(VERSION_TABLE,),
    access=Access(may_scan={VERSION_TABLE: "it has one row"}),
)

LIST_TABLES = Statement(
    "db.list_tables",
    """
    SELECT name
    FROM sqlite_master
    WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    ORDER BY name
    """,
    # In the schema where ours would be made; what belongs to an extension is nobody's.
    postgresql="""
    SELECT c.relname::text AS name
    FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p', 'f')
        AND c.relnamespace = to_regnamespace(quote_ident(current_schema()))
        AND NOT EXISTS (
            SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        )
    ORDER BY c.relname
    """,
    row=_Name,
    access=Access(
        may_scan={"pg_class": "the system's own list of tables", "pg_depend": "the same"},
        may_sort="the names of tables",
    ),
)

register((FIND_VERSION_TABLE, GET_REVISION, LIST_TABLES))

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
    """The database's revision; None when it is empty.

    Raises `Unsupported` DATABASE_FOREIGN when it has tables and no revision: it is somebody else's.
    """
    if await db.fetch_one(FIND_VERSION_TABLE) is not None:
        row = await db.fetch_one(GET_REVISION)
        if row is not None:
            return row.name
    names = [table.name for table in await db.fetch_all(LIST_TABLES)]
    if names and VERSION_TABLE not in names:
        raise _foreign(names)
    return None


def _foreign(tables: Sequence[str]) -> Unsupported:
    some = ", ".join(tables[:3])
    more = f" and {len(tables) - 3} more" if len(tables) > 3 else ""
    return Unsupported(
        "DATABASE_FOREIGN",
        f"The database is not ours: it holds tables that we did not make ({some}{more}).",
        hint="Nothing was changed. Check the database URL, or name a database of Vacancy's own.",
    )


async def require_revision(db: Reader, accepted: RevisionRange) -> str:
    """Refuses a database that this version cannot work on. Raises `Unsupported`."""
    return require_accepted(await get_revision(db), accepted)


def require_accepted(revision: str | None, accepted: RevisionRange) -> str:
    """Refuses a revision that this version cannot work on. Raises `Unsupported`."""
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
