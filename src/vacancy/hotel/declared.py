"""The indexes and keys that the schema declares, as a fresh database has them: what a look at the
indexes of ours compares with. Loaded by that command alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint, create_mock_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from vacancy.db.plan import constraint_name
from vacancy.db.statement import Engine
from vacancy.hotel.schema import metadata
from vacancy.perf.indexes.trial import IndexMade


def declared_indexes(engine: Engine) -> tuple[IndexMade, ...]:
    """Every primary key, unique constraint and index, in the order in which they are made."""
    made: list[IndexMade] = []

    def take(element: Any, *_: Any, **__: Any) -> None:
        if isinstance(element, CreateTable):
            made.extend(_keys(element))
        elif isinstance(element, CreateIndex):
            made.append(_index(element, str(element.compile(dialect=recorder.dialect))))

    recorder = create_mock_engine(f"{engine}://", take)
    metadata.create_all(recorder, checkfirst=False)
    return tuple(made)


def _keys(created: CreateTable) -> Iterator[IndexMade]:
    table = created.element
    for one in table.constraints:
        columns = tuple(str(column.name) for column in getattr(one, "columns", ()))
        told = ", ".join(columns)
        if isinstance(one, PrimaryKeyConstraint):
            yield IndexMade(
                name=constraint_name(str(table.name), "primary key", columns),
                table=str(table.name),
                body=f"PRIMARY KEY ({told})",
                columns=columns,
                unique=True,
                kind="primary key",
            )
        elif isinstance(one, UniqueConstraint):
            yield IndexMade(
                name=constraint_name(str(table.name), "unique", columns),
                table=str(table.name),
                body=f"UNIQUE ({told})",
                columns=columns,
                unique=True,
                kind="unique",
            )


def _index(created: CreateIndex, sql: str) -> IndexMade:
    index = created.element
    assert index.table is not None
    return IndexMade(
        name=str(index.name),
        table=str(index.table.name),
        body=sql.partition(f" ON {index.table.name} ")[2],
        columns=tuple(str(column.name) for column in index.columns),
        unique=bool(index.unique),
    )
