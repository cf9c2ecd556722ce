"""Asks a database about statements, and runs none of them: their plans, the tables they touch,
how wide their rows are. Changes nothing, so that it may look at a live one."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from vacancy.db.catalog import Catalog
from vacancy.db.plan import Plan
from vacancy.db.statement import Engine, SetStatement, Statement

AnyStatement = Statement[Any] | SetStatement[Any]


class Touched(msgspec.Struct, frozen=True):
    """The tables behind a statement, and how many columns its rows have."""

    reads: frozenset[str]
    """Without those that it also writes."""
    writes: frozenset[str]
    width: int


class Witness(Protocol):
    """One look at one database."""

    engine: Engine
    catalog: Catalog

    async def plan(self, statement: AnyStatement) -> Plan:
        """Raises our errors when the database does not take the text."""
        ...

    async def touched(self, statement: AnyStatement) -> Touched: ...

    def known_rows(self, table: str) -> int | None:
        """About how many rows the table really has, where plans are made for these; None where
        they are made for the sizes that were given."""
        ...
