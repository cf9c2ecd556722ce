"""Reads what PostgreSQL itself has counted, by pg_stat_statements, into the same records. Works on
any database where the extension is, whoever asks it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vacancy.db.database import Database
from vacancy.db.statement import AnyStatement, SetStatement
from vacancy.errors import Unsupported, VacancyError
from vacancy.perf.queries.record import StatementRecord

SHOWN_CHARACTERS = 60
MOST = 5_000
"""As many texts as PostgreSQL keeps when nobody tells it otherwise."""
_EXTENSION = """
    SELECT quote_ident(n.nspname)
    FROM pg_extension AS e
    JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_stat_statements'
    """
# As JSON, because the columns have other names in other versions: `total_exec_time` was
# `total_time` before 13, and `toplevel` came with 14. Statements inside functions are in the time
# of those that call them.
_STORED = """
    SELECT
        s.queryid,
        COALESCE(max(s.query), ''), -- PostgreSQL may have lost the file of its texts
        sum(s.calls)::bigint,
        sum(s.rows)::bigint,
        sum(COALESCE(to_jsonb(s) ->> 'total_exec_time', to_jsonb(s) ->> 'total_time')::float8)
    FROM {schema}.pg_stat_statements AS s
    WHERE s.dbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
        AND to_jsonb(s) ->> 'toplevel' IS DISTINCT FROM 'false'
        AND s.queryid IS NOT NULL -- as it is in what others ask, for who may not see it
    GROUP BY s.queryid
    ORDER BY 5 DESC
    """
_TABLES = """
    SELECT
        c.relname,
        -- A table that was never analysed tells nothing; a page holds some eighty rows.
        max(
            CASE WHEN c.reltuples < 0 THEN pg_relation_size(c.oid) / 100 ELSE c.reltuples END
        )::bigint
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm')
        AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    GROUP BY c.relname
    """
_VALUE = re.compile(
    r"'(?:[^']|'')*'|\$\d+|\b\d+(?:\.\d+)?\b|\b(?:true|false|null)\b", re.IGNORECASE
)
_NEGATIVE = re.compile(r"([=<>(,]\s*)-\s*\?")
_PLACE = "\x00"
_ROWS = re.compile(r"\brows_\d+\b")
_QUESTION = re.compile(r"\s*\(*\s*(?:select|with|insert|update|delete|merge|values)\b", re.I)
_OF_THE_COUNTER = "pg_stat_statements"


async def has_stored(db: Database) -> bool:
    """Whether the extension is in this database; never on SQLite."""
    return db.engine == "postgresql" and bool(await db.adhoc(_EXTENSION))


async def stored_records(
    db: Database, statements: Iterable[AnyStatement] = ()
) -> list[StatementRecord]:
    """What ran in this database since its counts were last reset, with the names of those that are
    among `statements`. What costs most comes first. Changes nothing.

    Raises `Unsupported` STATEMENTS_NOT_RECORDED where the extension is not, or was not loaded.
    """
    found = await db.adhoc(_EXTENSION) if db.engine == "postgresql" else []
    if not found:
        raise _not_recorded(f"This {_engine(db)} database keeps no record of its statements.")
    try:
        rows = await db.adhoc(_STORED.replace("{schema}", str(found[0][0])), limit=MOST)
    except VacancyError as error:
        if "shared_preload_libraries" in error.detail:
            raise _not_recorded("pg_stat_statements is here and was not loaded.") from error
        raise
    names = Names(statements)
    records: dict[str, StatementRecord] = {}
    for query_id, text, calls, counted_rows, total_ms in rows:
        if not _QUESTION.match(text) or _OF_THE_COUNTER in text:
            continue
        name = names.find(text)
        label = name or shortened(text)
        if label in records:
            label = f"{label} ({query_id})"
        records[label] = StatementRecord(
            name=label,
            source="pg_stat_statements",
            calls=calls,
            rows=counted_rows,
            total_ns=round(total_ms * 1_000_000),
            query_id=query_id,
            text="" if name else text,
        )
    return list(records.values())


async def table_rows(db: Database) -> dict[str, int]:
    """About how many rows each table has, those of all schemas; of several that share a name, the
    largest. The database's own tables are not among them."""
    return {str(name): int(rows) for name, rows in await db.adhoc(_TABLES)}


def _engine(db: Database) -> str:
    return "PostgreSQL" if db.engine == "postgresql" else "SQLite"


def _not_recorded(detail: str) -> Unsupported:
    return Unsupported(
        "STATEMENTS_NOT_RECORDED",
        detail,
        hint="On PostgreSQL put pg_stat_statements into shared_preload_libraries, start it anew,"
        " and run CREATE EXTENSION pg_stat_statements; or ask a running `vacancy serve`.",
    )


def shortened(text: str) -> str:
    """A text on one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 1]}…"


class Names:
    """Finds our names by texts in which every value has become a parameter of any number."""

    def __init__(self, statements: Iterable[AnyStatement]) -> None:
        self._names: dict[str, str] = {}
        self._sets: list[tuple[str, str, str]] = []
        for statement in statements:
            if isinstance(statement, SetStatement):
                # Its rows are written in several ways, which make several texts.
                begin, _, end = canonical(statement.postgresql_given(_PLACE)).partition(_PLACE)
                self._sets.append((begin, end, statement.name))
            else:
                self._names[canonical(statement.postgresql)] = statement.name

    def find(self, text: str) -> str | None:
        """The name; several with commas between them, where they went in one round trip."""
        plain = canonical(text)
        name = self._names.get(plain)
        if name is not None:
            return name
        if plain.startswith("WITH rows_? AS ("):
            parts = [
                (plain.find(f"{begin}SELECT * FROM rows_?{end}"), name)
                for begin, end, name in self._sets
            ]
            return ", ".join(name for at, name in sorted(parts) if at >= 0) or None
        fitting = [
            (len(begin) + len(end), name)
            for begin, end, name in self._sets
            if plain.startswith(f"{begin}SELECT ") and plain.endswith(end)
        ]
        return max(fitting)[1] if fitting else None


def canonical(text: str) -> str:
    """The text on one line, with `?` for every value."""
    plain = _ROWS.sub("rows_?", _VALUE.sub("?", " ".join(text.split())))
    return _NEGATIVE.sub(r"\1?", plain).rstrip("; ")
