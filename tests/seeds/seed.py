"""A seed: one regression as people make them, and how to bring it into the tree for a moment.

Faults of the schema are DDL for a database that is thrown away or rolled back. Faults of a
statement are edits of its text, faults of a helper a function in its place; both are undone.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any, Literal

import apsw
import asyncpg
import msgspec

from vacancy.contracts.contract import Contract
from vacancy.db.migration_door import open_migration_door
from vacancy.db.postgres import database as postgres_database
from vacancy.db.statement import Engine, SetStatement, Statement
from vacancy.hotel import queries
from vacancy.hotel import statements as home_of_statements

AnyStatement = Statement[Any] | SetStatement[Any]
Helper = Callable[..., Awaitable[Any]]

Kind = Literal[
    "ANSWER_DIFFERS",
    "INDEX_NOT_USED",
    "NO_CONTRACT",
    "REPEATED_STATEMENT",
    "ROWS_OVER",
    "ROWS_SORTED",
    "STATEMENTS_GROW",
    "STATEMENTS_OVER",
    "TABLES_DIFFER",
    "TABLE_SCANNED",
    "UNREGISTERED_STATEMENT",
    "WIDTH_DIFFERS",
]

Family = Literal[
    # the schema
    "index dropped",
    "index reordered",
    "index shortened",
    "index of a part",
    "index of another kind",
    "constraint lost",
    "table rebuilt",
    "key reordered",
    # a statement
    "function around a column",
    "cast of a column",
    "or",
    "negation",
    "pattern",
    "column unbound",
    "limit lost",
    "offset paging",
    "order changed",
    "cartesian join",
    "join changed",
    "undeclared table",
    "width",
    "grouping",
    "correlated subquery",
    "count from bookings",
    "promise lost",
    # a helper
    "loop",
    "sum in Python",
    "cut in Python",
    "one more statement",
    "grows late",
    "unregistered",
    # what only an oracle sees
    "answer",
]

BOTH: tuple[Engine, ...] = ("sqlite", "postgresql")


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """What every seed says of itself."""

    name: str
    family: Family
    why: str
    """What it does to people."""
    at: str
    """A statement or a helper that suffers: findings must name it, and may name others."""
    expects: tuple[Kind, ...]
    """A finding must be of one of these kinds."""
    engines: tuple[Engine, ...] = BOTH
    """Where it is a fault."""


class SchemaFault(Seed, frozen=True, kw_only=True):
    """DDL for a database that was just migrated and holds no rows."""

    ddl: tuple[str, ...] = ()
    postgresql: tuple[str, ...] | None = None
    """Only where it differs."""

    def ddl_of(self, engine: Engine) -> tuple[str, ...]:
        if engine == "postgresql" and self.postgresql is not None:
            return self.postgresql
        return self.ddl


class Edit(msgspec.Struct, frozen=True):
    """One replacement in a text."""

    old: str
    new: str
    times: int = 1
    """So often the old must stand there: a text that has moved on must not pass for broken."""

    def apply(self, text: str, where: str) -> str:
        found = text.count(self.old)
        if found != self.times:
            raise AssertionError(
                f"{where}: {self.old!r} stands {found} times, not {self.times}. Mend the seed."
            )
        return text.replace(self.old, self.new)


class StatementFault(Seed, frozen=True, kw_only=True):
    """Edits of the text of the statement `at`, and of what is declared beside it."""

    replace: tuple[Edit, ...] = ()
    postgresql: tuple[Edit, ...] | None = None
    """Only where the edits differ."""
    declares: Mapping[str, Any] = {}
    """Attributes of the statement that change: `access`, `reads`, …"""

    def edits_of(self, engine: Engine) -> tuple[Edit, ...]:
        if engine not in self.engines:
            return ()
        if engine == "postgresql" and self.postgresql is not None:
            return self.postgresql
        return self.replace


class HelperFault(Seed, frozen=True, kw_only=True):
    """A function in the place of the helper `at`. It answers the same, unless its family is
    `answer`: only its way there is bad."""

    faulty: Helper
    keeps_contract: bool = True
    """The promise stays, the function does not keep it; or the promise is gone."""


@cache
def statements_by_name() -> Mapping[str, AnyStatement]:
    """Every named statement of the hotel."""
    found: dict[str, AnyStatement] = {}
    for module in pkgutil.iter_modules(home_of_statements.__path__):
        home = importlib.import_module(f"{home_of_statements.__name__}.{module.name}")
        for value in vars(home).values():
            if isinstance(value, Statement | SetStatement):
                found[value.name] = value
    return found


async def break_schema(url: str, fault: SchemaFault) -> None:
    """Runs the DDL for good, on a database that is the caller's to throw away."""
    door = await open_migration_door(url)
    try:
        await door.run(fault.ddl_of(door.engine), transactional=True)
    finally:
        await door.close()


@contextmanager
def broken_sqlite(connection: apsw.Connection, fault: SchemaFault) -> Iterator[None]:
    """The schema is broken on this connection, until the transaction is rolled back at the end."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for sql in fault.ddl_of("sqlite"):
            connection.execute(sql)
        yield
    finally:
        connection.execute("ROLLBACK")


@asynccontextmanager
async def broken_postgres(
    connection: asyncpg.Connection[Any], fault: SchemaFault
) -> AsyncIterator[None]:
    """The same on PostgreSQL, at the level at which a catalog is read: asyncpg opens no transaction
    of another one inside."""
    transaction = connection.transaction(isolation="repeatable_read")
    await transaction.start()
    try:
        for sql in fault.ddl_of("postgresql"):
            await connection.execute(sql)
        yield
    finally:
        await transaction.rollback()


@contextmanager
def broken_statement(fault: StatementFault) -> Iterator[AnyStatement]:
    """The statement itself is changed, so that whoever holds it runs the faulty text; at the end
    it is as it was. Raises `AssertionError` when an edit does not fit the text."""
    statement = statements_by_name()[fault.at]
    broken = _broken(statement, fault)
    slots = [slot for slot in type(statement).__slots__ if slot != "registered"]
    was = {slot: getattr(statement, slot) for slot in slots}
    for slot in slots:
        setattr(statement, slot, getattr(broken, slot))
    # Texts of several changes in one are kept by statement, and it is the same one.
    postgres_database._together.cache_clear()
    try:
        yield statement
    finally:
        for slot, value in was.items():
            setattr(statement, slot, value)
        postgres_database._together.cache_clear()


def _broken(statement: AnyStatement, fault: StatementFault) -> AnyStatement:
    sqlite, postgresql = texts_of(statement)
    for edit in fault.edits_of("sqlite"):
        sqlite = edit.apply(sqlite, f"{fault.name} on SQLite")
    for edit in fault.edits_of("postgresql"):
        postgresql = edit.apply(postgresql, f"{fault.name} on PostgreSQL")
    declared: dict[str, Any] = {
        "row": statement.row,
        "reads": statement.reads,
        "writes": statement.writes,
        "access": statement.access,
    }
    if isinstance(statement, SetStatement):
        declared["columns"] = statement.columns
        declared["counted"] = statement.counted
    else:
        declared["heavy"] = statement.heavy
    declared |= fault.declares
    return type(statement)(statement.name, sqlite, postgresql=postgresql, **declared)


def texts_of(statement: AnyStatement) -> tuple[str, str]:
    """The texts for SQLite and for PostgreSQL as they were written: `:name`, `{rows}`."""
    if isinstance(statement, SetStatement):
        return statement._sqlite, statement._postgresql
    order = statement.order
    return statement.sqlite, re.sub(
        r"\$(\d+)", lambda number: f":{order[int(number[1]) - 1]}", statement.postgresql
    )


@contextmanager
def broken_helper(fault: HelperFault) -> Iterator[Helper]:
    """The faulty function stands wherever our modules know the helper by a name; at the end the
    helper is back."""
    original: Helper = getattr(queries, fault.at)
    promise = getattr(original, "contract", None)
    if fault.keeps_contract and isinstance(promise, Contract):
        faulty_promise = msgspec.structs.replace(promise, helper=fault.faulty)
        setattr(fault.faulty, "contract", faulty_promise)  # noqa: B010 - as `contract` does
    places = [
        (module, name)
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith("vacancy.")
        for name, value in list(vars(module).items())
        if value is original
    ]
    for module, name in places:
        setattr(module, name, fault.faulty)
    try:
        yield fault.faulty
    finally:
        for module, name in places:
            setattr(module, name, original)
        vars(fault.faulty).pop("contract", None)
