"""Every named statement: prepared on both databases, and held to what it declares."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import types
import typing
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import apsw
import apsw.ext
import asyncpg
import msgspec
import pytest

import vacancy
from vacancy.db.changes import LOG_TABLE
from vacancy.db.connect import sqlite_path
from vacancy.db.revision import VERSION_TABLE
from vacancy.db.sqlite.catalog import read_sqlite_catalog
from vacancy.db.statement import NoRow, SetStatement, Statement
from vacancy.hotel.migrating import migrate_database

AnyStatement = Statement[Any] | SetStatement[Any]

_WRITES = ("SQLITE_INSERT", "SQLITE_UPDATE", "SQLITE_DELETE")
# What a column of a struct may be, by the type that PostgreSQL says the column has.
_POSTGRES_TYPES: dict[str, type] = {
    "bool": bool,
    "date": date,
    "float8": float,
    "int2": int,
    "int4": int,
    "int8": int,
    "text": str,
    "timestamptz": datetime,
    "varchar": str,
}


def _find_statements() -> list[tuple[AnyStatement, list[str]]]:
    """Every statement of the package, once, with the modules that know it by a name."""
    found: dict[int, tuple[AnyStatement, list[str]]] = {}
    for module in pkgutil.walk_packages(vacancy.__path__, "vacancy."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Statement | SetStatement):
                found.setdefault(id(value), (value, []))[1].append(module.name)
    return sorted(found.values(), key=lambda pair: pair[0].name)


FOUND = _find_statements()
ALL = pytest.mark.parametrize("statement", [one for one, _ in FOUND], ids=lambda one: one.name)


class Databases(msgspec.Struct):
    """The newest schema on both."""

    sqlite: apsw.Connection
    postgres_url: str
    tables: frozenset[str]


@pytest.fixture(scope="module")
def databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Databases]:
    spare = request.getfixturevalue("spare_databases")
    name = spare.take()
    url = f"sqlite:///{tmp_path_factory.mktemp('statements') / 'vacancy.db'}"
    postgres_url = request.getfixturevalue("postgres").url(name)
    asyncio.run(migrate_database(url))
    asyncio.run(migrate_database(postgres_url))
    connection = apsw.Connection(str(sqlite_path(url)))
    tables = frozenset(table.name for table in read_sqlite_catalog(connection).tables)
    yield Databases(connection, postgres_url, tables)
    connection.close()
    spare.give_back(name)


def test_there_are_statements() -> None:
    assert len(FOUND) > 25


def test_no_name_stands_twice() -> None:
    names = Counter(statement.name for statement, _ in FOUND)
    assert [name for name, count in names.items() if count > 1] == []


def test_a_name_begins_with_its_module() -> None:
    """`bookings.get_…` stands in statements/bookings.py, or in bookings_more.py where one file is
    too long; the name of an engine's own begins with the engine's."""
    for statement, modules in FOUND:
        prefix, _, rest = statement.name.partition(".")
        assert rest, statement.name
        homes = [module for module in modules if ".statements." in module] or modules
        assert all(f"{_home(module)}_".startswith(f"{prefix}_") for module in homes), homes


def _home(module: str) -> str:
    parts = module.split(".")
    return parts[-1] if parts[1] == "hotel" else parts[1]


@ALL
def test_it_touches_the_tables_that_it_declares_on_sqlite(
    databases: Databases, statement: AnyStatement
) -> None:
    reads: set[str] = set()
    writes: set[str] = set()
    actions = _sqlite_details(databases.sqlite, statement).actions or []
    for action in actions:
        if (action.trigger_or_view or "").startswith(f"{LOG_TABLE}_"):
            continue  # what triggers log, no statement knows of
        if action.table_name in databases.tables:  # not json_each, nor a name from WITH
            if action.action_name in _WRITES:
                writes.add(action.table_name)
            elif action.action_name == "SQLITE_READ":
                reads.add(action.table_name)
    assert _undeclared(statement, reads, writes) == []


@ALL
def test_it_touches_the_tables_that_it_declares_on_postgresql(
    databases: Databases, statement: AnyStatement
) -> None:
    """PostgreSQL locks every table that a text names while it reads the text."""

    async def story() -> list[str]:
        connection = await asyncpg.connect(databases.postgres_url)
        try:
            async with connection.transaction():
                await connection.prepare(statement.postgresql)
                locks = await connection.fetch(
                    """
                    SELECT c.relname, l.mode
                    FROM pg_locks AS l
                    JOIN pg_class AS c ON c.oid = l.relation
                    WHERE l.pid = pg_backend_pid()
                        AND c.relkind IN ('r', 'p')
                        AND c.relnamespace = 'public'::regnamespace
                    """
                )
        finally:
            await connection.close()
        writes = {lock["relname"] for lock in locks if lock["mode"] == "RowExclusiveLock"}
        reads = {lock["relname"] for lock in locks} - writes
        return _undeclared(statement, reads, writes)

    assert asyncio.run(story()) == []


def _undeclared(statement: AnyStatement, reads: set[str], writes: set[str]) -> list[str]:
    """What is not as it is declared, a sentence each. A change may read the table that it writes
    without saying so: tags hang on the write."""
    found = []
    if set(statement.writes) != writes:
        found.append(f"It writes {sorted(writes)} and declares {sorted(statement.writes)}.")
    declared = set(statement.reads) - writes
    if declared != reads - writes:
        found.append(f"It reads {sorted(reads - writes)} and declares {sorted(declared)}.")
    if len(set(statement.reads)) != len(statement.reads):
        found.append(f"It declares a table twice: {statement.reads}.")
    return found


def _sqlite_text(statement: AnyStatement) -> str:
    return statement.sqlite(2) if isinstance(statement, SetStatement) else statement.sqlite


def _sqlite_details(connection: apsw.Connection, statement: AnyStatement) -> Any:
    return apsw.ext.query_info(connection, _sqlite_text(statement), actions=True)


@ALL
def test_its_rows_are_as_wide_as_its_struct(databases: Databases, statement: AnyStatement) -> None:
    fields = typing.get_type_hints(statement.row)
    details = _sqlite_details(databases.sqlite, statement)
    assert len(details.description) == len(fields)

    async def attributes() -> list[Any]:
        connection = await asyncpg.connect(databases.postgres_url)
        try:
            prepared = await connection.prepare(statement.postgresql)
            return list(prepared.get_attributes())
        finally:
            await connection.close()

    columns = asyncio.run(attributes())
    assert len(columns) == len(fields)
    for (field, hint), column in zip(fields.items(), columns, strict=True):
        kind = column.type.name
        if kind in ("json", "jsonb"):
            continue
        assert kind in _POSTGRES_TYPES, f"{statement.name}: {field} would be a {kind}"
        assert _POSTGRES_TYPES[kind] in _plain_types(hint), f"{statement.name}: {field} is {kind}"


def _plain_types(hint: Any) -> set[type]:
    """`int | None` is int; `Literal["a"]` is str."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return {kind for part in typing.get_args(hint) for kind in _plain_types(part)}
    if typing.get_origin(hint) is typing.Literal:
        return {type(value) for value in typing.get_args(hint)}
    return {hint}


@ALL
def test_its_parameters_are_the_same_on_both(databases: Databases, statement: AnyStatement) -> None:
    async def count() -> int:
        connection = await asyncpg.connect(databases.postgres_url)
        try:
            return len((await connection.prepare(statement.postgresql)).get_parameters())
        finally:
            await connection.close()

    wanted = asyncio.run(count())
    if isinstance(statement, SetStatement):
        assert wanted == len(statement.columns)
        assert "{rows}" not in statement.postgresql
        return
    assert wanted == len(statement.order)
    names: set[str] = set()
    plan = f"EXPLAIN {statement.sqlite}"
    databases.sqlite.execute(plan, _Asked(names)).fetchall()
    assert names == set(statement.order)


class _Asked(dict[str, Any]):
    """Bindings that note which names the text asks for; all are NULL."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, name: str) -> None:
        self._names.add(name)


@ALL
def test_a_question_writes_nothing_and_a_change_says_what(statement: AnyStatement) -> None:
    first = statement.postgresql.split(maxsplit=1)[0].upper()
    assert first in ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")
    if not statement.writes:
        assert statement.row is not NoRow, f"{statement.name} gives no rows and changes nothing"
    assert set(statement.reads) | set(statement.writes) or statement.name.startswith("db.")
    assert VERSION_TABLE not in statement.writes


def test_undeclared_tables_would_be_noticed() -> None:
    wrong: Statement[NoRow] = Statement(
        "test.wrong", "UPDATE users SET name = ''", row=NoRow, reads=("bookings",)
    )
    assert _undeclared(wrong, {"bookings"}, {"users"}) == ["It writes ['users'] and declares []."]
    assert _undeclared(wrong, {"properties"}, set()) == [
        "It reads ['properties'] and declares ['bookings']."
    ]
    assert _undeclared(wrong, {"bookings"}, set()) == []
