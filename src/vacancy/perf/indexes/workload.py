"""The statements that a database is asked, for whoever judges its indexes by them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from vacancy.db.statement import AnyStatement, Engine, SetStatement

_DELETES = re.compile(r"\bDELETE\s+FROM\s+(\w+)", re.IGNORECASE)
_ROWS = 2
"""A set statement is planned for so many rows; more do not change its plan."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One statement as the database gets it; its parameters stay parameters."""

    name: str
    sql: str
    calls: int | None = None
    """How often it ran, where that is known."""
    statement: AnyStatement | None = None
    """What declares it, where it is one that is registered."""


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known to be asked."""

    questions: tuple[Question, ...] = ()
    source: str = ""
    """Where they come from, in words; empty for none."""
    closed: bool = False
    """Whether nothing else is ever asked: then what serves none of them is not needed."""

    @property
    def statements(self) -> list[AnyStatement]:
        """Those that declare their access."""
        found = [question.statement for question in self.questions]
        return [one for one in found if one is not None]

    @property
    def deletes(self) -> frozenset[str]:
        """The tables whose rows go: their children are looked for by foreign key."""
        return frozenset(
            table for question in self.questions for table in _DELETES.findall(question.sql)
        )


NO_WORKLOAD = Workload()


def workload_of_statements(engine: Engine, statements: Iterable[AnyStatement]) -> Workload:
    """The closed world of registered statements: nothing else runs."""
    questions = tuple(
        Question(name=one.name, sql=_text(engine, one), statement=one) for one in statements
    )
    source = f"the {len(questions)} statements that are registered; nothing else runs"
    return Workload(questions=questions, source=source, closed=True)


def _text(engine: Engine, statement: AnyStatement) -> str:
    if engine == "postgresql":
        return statement.postgresql
    return statement.sqlite(_ROWS) if isinstance(statement, SetStatement) else statement.sqlite
