"""The kinds of column that tables and migrations are written with, once for both databases.

On SQLite tables are strict, and dates, instants and JSON are text (see `db/values.py`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Date, DateTime, Identity, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import UserDefinedType

INTEGER = BigInteger().with_variant(Integer(), "sqlite")
TEXT = Text()
DATE = Date().with_variant(Text(), "sqlite")
INSTANT = DateTime(timezone=True).with_variant(Text(), "sqlite")
JSON = JSONB().with_variant(Text(), "sqlite")


class _Xid8(UserDefinedType[int]):
    """The number of a transaction on PostgreSQL, which never comes again."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class _WritersMark(FunctionElement[int]):
    """Who writes a row: on PostgreSQL his transaction; on SQLite a number that nobody guesses."""

    inherit_cache = True


@compiles(_WritersMark, "postgresql")
def _transaction(*_: Any, **__: Any) -> str:
    return "pg_current_xact_id()"


@compiles(_WritersMark, "sqlite")
def _random(*_: Any, **__: Any) -> str:
    return "random()"


MARK = _Xid8().with_variant(Integer(), "sqlite")
WRITERS_MARK = _WritersMark()
ZERO = text("0")
EMPTY = text("''")

NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
"""How constraints are called, so that a later migration can name them."""

STRICT: dict[str, Any] = {"sqlite_strict": True}
CLUSTERED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}
"""A table that is its own primary key index: one look-up instead of two on SQLite."""


def column(name: str, kind: Any, *parts: Any, **options: Any) -> Column[Any]:
    """A column that is NOT NULL unless it says otherwise."""
    return Column(name, kind, *parts, nullable=options.pop("nullable", False), **options)


def key(name: str, kind: Any, *parts: Any) -> Column[Any]:
    """One column of a primary key whose values we give ourselves."""
    return column(name, kind, *parts, primary_key=True, autoincrement=False)


def entry() -> Column[Any]:
    """The number that the database gives a row of an append-only table."""
    return column("entry", INTEGER, Identity(always=True), primary_key=True)
