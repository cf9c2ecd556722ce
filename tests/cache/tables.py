"""Three tables that no hotel knows, tracked as the product tracks its own, and what is asked of
them and changed in them: shelves, the books on them, and loose leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tests.runnable import SetStatement, Statement
from vacancy.cache.reader import Cached
from vacancy.cache.tags import tag
from vacancy.db.change_triggers import Key, Tracked, create_triggers
from vacancy.db.changes import LOG_EVERYTHING, LOG_TABLE, STATE_TABLE
from vacancy.db.migration_door import open_migration_door
from vacancy.db.statement import Engine, NoRow

TRACKED = (
    Tracked("shelves", ("id",)),
    Tracked("books", ("shelf_id",), replaced_by=(Key(("id",)), Key(("code",)))),
    Tracked("leaves", ("id",)),
)
TABLES: Mapping[Engine, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TABLE shelves (id INTEGER PRIMARY KEY, version INTEGER NOT NULL) STRICT",
        """CREATE TABLE books (
            id INTEGER PRIMARY KEY,
            shelf_id INTEGER NOT NULL REFERENCES shelves (id) ON DELETE CASCADE,
            code TEXT NOT NULL UNIQUE,
            version INTEGER NOT NULL
        ) STRICT""",
        "CREATE INDEX ix_books_shelf ON books (shelf_id)",
        "CREATE TABLE leaves (id INTEGER PRIMARY KEY, version INTEGER NOT NULL) STRICT",
    ),
    "postgresql": (
        "CREATE TABLE shelves (id bigint PRIMARY KEY, version bigint NOT NULL)",
        """CREATE TABLE books (
            id bigint PRIMARY KEY,
            shelf_id bigint NOT NULL REFERENCES shelves (id) ON DELETE CASCADE,
            code text NOT NULL UNIQUE,
            version bigint NOT NULL
        )""",
        "CREATE INDEX ix_books_shelf ON books (shelf_id)",
        "CREATE TABLE leaves (id bigint PRIMARY KEY, version bigint NOT NULL)",
    ),
}
ALL_TABLES = ("books", "shelves", "leaves", LOG_TABLE, STATE_TABLE)
"""In an order in which they can be dropped."""
_INCARNATION: Mapping[Engine, str] = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "replace(CAST(gen_random_uuid() AS text), '-', '')",
}


def table_ddl(engine: Engine) -> tuple[str, ...]:
    """The three tables."""
    return TABLES[engine]


def log_ddl(engine: Engine) -> list[str]:
    """The log and the row about it, as the product's own schema has them."""
    from sqlalchemy import MetaData
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.schema import CreateIndex, CreateTable

    from vacancy.hotel.schema_changes import add_change_tables

    metadata = MetaData()
    add_change_tables(metadata)
    dialect: Any = sqlite.dialect() if engine == "sqlite" else postgresql.dialect()  # type: ignore[no-untyped-call]
    log: list[str] = []
    for table in metadata.sorted_tables:
        log.append(str(CreateTable(table).compile(dialect=dialect)))
        if engine == "postgresql":
            log += [str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes]
    return log


def log_rows(engine: Engine) -> tuple[str, ...]:
    """The rows that a migration leaves in them."""
    return (f"INSERT INTO {STATE_TABLE} VALUES (1, {_INCARNATION[engine]}, '0')", LOG_EVERYTHING)


def trigger_ddl(engine: Engine) -> list[str]:
    return list(create_triggers(engine, TRACKED))


async def make_tables(url: str, more: Iterable[str] = ()) -> None:
    """In a database that is empty; `more` is run after them."""
    door = await open_migration_door(url)
    try:
        engine = door.engine
        parts = (table_ddl(engine), log_ddl(engine), log_rows(engine), trigger_ddl(engine), more)
        await door.run([sql for part in parts for sql in part], transactional=True)
    finally:
        await door.close()


class Found(msgspec.Struct, frozen=True):
    """A row of any of the three tables."""

    id: int
    version: int


class Code(msgspec.Struct, frozen=True):
    code: str


class Id(msgspec.Struct, frozen=True):
    id: int


def _asked(name: str, sql: str, *reads: str) -> Statement[Found]:
    return Statement(f"checker.{name}", sql, row=Found, reads=reads)


SHELF = _asked("shelf", "SELECT id, version FROM shelves WHERE id = :shelf", "shelves")
BOOKS_SQL = "SELECT id, version FROM books WHERE shelf_id = :shelf ORDER BY id"
BOOKS = _asked("books", BOOKS_SQL, "books")
BOTH_SQL = """
SELECT id, version FROM shelves WHERE id = :shelf
UNION ALL
SELECT id, version FROM books WHERE shelf_id = :shelf
"""
BOTH = _asked("both", BOTH_SQL, "shelves", "books")
ALL_BOOKS = _asked("all_books", "SELECT id, version FROM books ORDER BY id", "books")
LEAF = _asked("leaf", "SELECT id, version FROM leaves WHERE id = :leaf", "leaves")
LEAVES = _asked("leaves", "SELECT id, version FROM leaves ORDER BY id", "leaves")
SHELF_BOUNDED = _asked("shelf_bounded", SHELF.sqlite, "shelves")
BOTH_BOUNDED = _asked("both_bounded", BOTH_SQL, "shelves", "books")
LEAF_BOUNDED = _asked("leaf_bounded", LEAF.sqlite, "leaves")

BOUND_MS = 200
TTL_S = 60.0


def _of_shelf(params: Mapping[str, Any], _: Sequence[Any]) -> Iterable[str]:
    return (tag("shelves", params["shelf"]),)


def _of_books(params: Mapping[str, Any], _: Sequence[Any]) -> Iterable[str]:
    return (tag("books", params["shelf"]),)


def _of_both(params: Mapping[str, Any], _: Sequence[Any]) -> Iterable[str]:
    return (tag("shelves", params["shelf"]), tag("books", params["shelf"]))


def _of_leaf(params: Mapping[str, Any], _: Sequence[Any]) -> Iterable[str]:
    return (tag("leaves", params["leaf"]),)


def _cached(statement: Statement[Found], tags: Any, bound_ms: int = 0) -> Cached:
    return Cached(statement=statement, ttl_s=TTL_S, tags=tags, bound_ms=bound_ms)


CACHED: tuple[Cached, ...] = (
    _cached(SHELF, _of_shelf),
    _cached(BOOKS, _of_books),
    _cached(BOTH, _of_both),
    _cached(ALL_BOOKS, lambda _, __: ("books",)),
    _cached(LEAF, _of_leaf),
    _cached(LEAVES, lambda _, __: ("leaves",)),
    _cached(SHELF_BOUNDED, _of_shelf, BOUND_MS),
    _cached(BOTH_BOUNDED, _of_both, BOUND_MS),
    _cached(LEAF_BOUNDED, _of_leaf, BOUND_MS),
)


def _change(name: str, sql: str, postgresql: str | None = None) -> Statement[NoRow]:
    return Statement(f"checker.{name}", sql, postgresql=postgresql, row=NoRow)


SET_SHELF = _change("set_shelf", "UPDATE shelves SET version = :version WHERE id = :id")
ADD_SHELF = _change("add_shelf", "INSERT INTO shelves (id, version) VALUES (:id, :version)")
DROP_SHELF = _change("drop_shelf", "DELETE FROM shelves WHERE id = :id")
SET_BOOK = _change(
    "set_book", "UPDATE books SET version = :version, shelf_id = :shelf WHERE id = :id"
)
SPOIL_BOOK = _change("spoil_book", "UPDATE books SET version = :version WHERE id = :id")
ADD_BOOK = _change(
    "add_book",
    "INSERT INTO books (id, shelf_id, code, version) VALUES (:id, :shelf, :code, :version)",
)
DROP_BOOK = _change("drop_book", "DELETE FROM books WHERE id = :id")
REPLACE_BOOK = _change(
    "replace_book",
    "INSERT OR REPLACE INTO books (id, shelf_id, code, version)"
    " VALUES (:id, :shelf, :code, :version)",
    """
    INSERT INTO books (id, shelf_id, code, version) VALUES (:id, :shelf, :code, :version)
    ON CONFLICT (id) DO UPDATE
    SET shelf_id = EXCLUDED.shelf_id, code = EXCLUDED.code, version = EXCLUDED.version
    """,
)
TAKE_CODE = _change(
    "take_code", "UPDATE OR REPLACE books SET code = :code, version = :version WHERE id = :id"
)
"""SQLite alone: throws out the book that had the code."""
SET_LEAF = _change(
    "set_leaf",
    "INSERT INTO leaves (id, version) VALUES (:id, :version)"
    " ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version",
)
EMPTY_LEAVES = _change("empty_leaves", "DELETE FROM leaves", "TRUNCATE leaves")
CODE_OF = Statement("checker.code_of", "SELECT code FROM books WHERE id = :id", row=Code)
BOOKS_ON = Statement("checker.books_on", "SELECT id FROM books WHERE shelf_id = :shelf", row=Id)


def _set(name: str, table: str) -> SetStatement[NoRow]:
    return SetStatement(
        f"checker.{name}",
        f"WITH given (id, version) AS ({{rows}}) UPDATE {table} SET version ="
        f" (SELECT g.version FROM given AS g WHERE g.id = {table}.id)"
        f" WHERE id IN (SELECT g.id FROM given AS g)",
        columns={"id": "integer", "version": "integer"},
        row=NoRow,
    )


SET_SHELVES = _set("set_shelves", "shelves")
SET_BOOKS = _set("set_books", "books")
