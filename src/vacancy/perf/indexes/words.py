"""Sizes, columns and changes in words and in SQL, the same in every finding."""

from __future__ import annotations

from vacancy.db.statement import Engine
from vacancy.perf.indexes.facts import IndexFacts, TableFacts


def in_bytes(size: int) -> str:
    """As `12.3 MB`, with the smallest unit that keeps it below 1,024."""
    value = float(size)
    for unit in ("bytes", "KB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


def in_time(seconds: float) -> str:
    """As `3 days`, `5 hours`, `7 minutes` or `9 seconds`."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def columns_of(index: IndexFacts) -> str:
    """Its columns, with what it includes and the rows it holds."""
    told = ", ".join(part.text + (" DESC" if part.descending else "") for part in index.parts)
    if index.included:
        told += f"; includes {', '.join(index.included)}"
    return told + (f"; where {index.predicate}" if index.predicate else "")


def named(index: IndexFacts) -> str:
    """Its name, with what it carries."""
    if not index.name:
        return f"the {index.constraint}"
    return f"the {index.constraint} {index.name}" if index.constraint else index.name


def drop(engine: Engine, table: TableFacts, index: IndexFacts) -> str:
    """The SQL that takes the index away."""
    if index.constraint:
        return f"ALTER TABLE {table.sql_name} DROP CONSTRAINT {index.constraint_sql_name};"
    beside = "CONCURRENTLY " if engine == "postgresql" and not index.is_partitioned else ""
    return f"DROP INDEX {beside}{index.sql_name};"


def rebuild(engine: Engine, index: IndexFacts) -> str:
    """The SQL that builds it anew."""
    if engine == "sqlite":
        return f"REINDEX {index.sql_name};"
    return f"REINDEX INDEX CONCURRENTLY {index.sql_name};"
