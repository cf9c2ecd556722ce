"""A statement is a named value: readable SQL, the tables it reads and writes, the row it gives.

Parameters are written `:name`. A set statement takes many rows at once: `{rows}` in its text is a
list of rows with the declared columns, `VALUES` on SQLite and `unnest` on PostgreSQL, so that one
statement serves a whole batch on both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

import msgspec

Engine = Literal["sqlite", "postgresql"]
Column = Literal["integer", "text", "date", "instant", "json"]


class NoRow(msgspec.Struct, frozen=True):
    """The row type of a statement that gives none."""


Row = TypeVar("Row", bound=msgspec.Struct)

MAX_ROWS_AT_ONCE = 256
"""Longer sets are run in several statements of the same transaction."""

_SQLITE_MAX_PARAMETERS = 32_000  # SQLite refuses more than 32,766
_POSTGRES_TYPE: dict[Column, str] = {
    "integer": "bigint",
    "text": "text",
    "date": "date",
    "instant": "timestamptz",
    "json": "jsonb",
}
_PARAMETER = re.compile(r"(?<!:):([a-z][a-z0-9_]*)")


class Statement(Generic[Row]):
    """One question or one change, with named parameters.

    `postgresql` is a second text, only where the two databases really differ. `heavy` statements
    run on a thread of their own on SQLite, so that they do not hold up the quick ones.
    """

    __slots__ = ("_postgresql", "heavy", "name", "order", "reads", "row", "sqlite", "writes")

    def __init__(
        self,
        name: str,
        sql: str,
        *,
        row: type[Row],
        reads: tuple[str, ...] = (),
        writes: tuple[str, ...] = (),
        heavy: bool = False,
        postgresql: str | None = None,
    ) -> None:
        self.name = name
        self.row = row
        self.reads = reads
        self.writes = writes
        self.heavy = heavy
        self.sqlite = sql.strip()
        self._postgresql, self.order = _number_parameters((postgresql or sql).strip())

    @property
    def postgresql(self) -> str:
        """The text with `$1`, `$2`, …; `order` names the parameter behind each number."""
        return self._postgresql

    def __repr__(self) -> str:
        return f"Statement({self.name!r})"


class SetStatement(Generic[Row]):
    """One question or one change for many rows at once; its text holds `{rows}` once."""

    __slots__ = (
        "_postgresql",
        "_sqlite",
        "columns",
        "name",
        "postgresql",
        "reads",
        "row",
        "writes",
    )

    def __init__(
        self,
        name: str,
        sql: str,
        *,
        columns: Mapping[str, Column],
        row: type[Row],
        reads: tuple[str, ...] = (),
        writes: tuple[str, ...] = (),
        postgresql: str | None = None,
    ) -> None:
        self.name = name
        self.row = row
        self.reads = reads
        self.writes = writes
        self.columns = dict(columns)
        self._sqlite = sql.strip()
        self._postgresql = (postgresql or sql).strip()
        self.postgresql = self.postgresql_from(1)

    def sqlite(self, rows: int) -> str:
        """The text for so many rows; `chunk` keeps the number of different texts small."""
        one = f"({', '.join('?' * len(self.columns))})"
        return self._sqlite.replace("{rows}", f"VALUES {', '.join([one] * rows)}")

    def postgresql_from(self, first: int) -> str:
        """The text whose parameters, one array for each column, are numbered from `first`."""
        arrays = ", ".join(
            f"${number}::text::{_POSTGRES_TYPE[kind]}[]"
            for number, kind in enumerate(self.columns.values(), start=first)
        )
        given = f"SELECT * FROM unnest({arrays}) AS given ({', '.join(self.columns)})"
        return self._postgresql.replace("{rows}", given)

    def chunk(self, rows: int) -> int:
        """How many of the rows to take at once: a power of two, so that texts are few and stay
        prepared."""
        limit = min(MAX_ROWS_AT_ONCE, _SQLITE_MAX_PARAMETERS // len(self.columns))
        return 1 << (min(rows, limit).bit_length() - 1)

    def __repr__(self) -> str:
        return f"SetStatement({self.name!r})"


def together(statements: tuple[SetStatement[Any], ...]) -> str:
    """PostgreSQL text that makes several changes in one round trip and counts the rows of each.

    All of them see the tables as they were before; none may touch a row that another one does.
    """
    parts = []
    first = 1
    for number, statement in enumerate(statements):
        parts.append(f"change_{number} AS (\n{statement.postgresql_from(first)}\nRETURNING 1)")
        first += len(statement.columns)
    counts = ", ".join(f"(SELECT count(*) FROM change_{n})" for n in range(len(statements)))
    return f"WITH {', '.join(parts)}\nSELECT {counts}"


def _number_parameters(sql: str) -> tuple[str, tuple[str, ...]]:
    order: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in order:
            order.append(name)
        return f"${order.index(name) + 1}"

    return _PARAMETER.sub(number, sql), tuple(order)
