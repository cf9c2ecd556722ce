"""Writes the triggers that log changes, for SQLite and for PostgreSQL.

Whoever changes a row, our code, a cascade or another program, leaves its tag in the log, in the
same transaction. The tag is made of the table and of parts of the row, from the most general on:
`orders/12/2026-03`. Where a change moves a row from one tag to another, both are logged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from vacancy.db.changes import LOG_TABLE, MAX_TAGS
from vacancy.db.statement import Engine


class Month(msgspec.Struct, frozen=True):
    """The month of a date column, `2026-03`."""

    column: str


class Key(msgspec.Struct, frozen=True):
    """Columns of which no two rows have the same values; `where` is a condition on `{row}` if that
    holds for some rows only."""

    columns: tuple[str, ...]
    where: str = ""


class Tracked(msgspec.Struct, frozen=True):
    """A table whose changes are logged, and which columns of a row make its tag; none of them may
    be NULL."""

    table: str
    parts: tuple[str | Month, ...]
    replaced_by: tuple[Key, ...] = ()
    """The keys by which a new row may take the place of one with another tag. SQLite's REPLACE
    fires no trigger for the row that goes where `recursive_triggers` is off, and in programs that
    are none of ours it is."""


def create_triggers(engine: Engine, tracked: Iterable[Tracked]) -> Iterator[str]:
    """The statements that make the triggers of these tables."""
    if engine == "sqlite":
        for one in tracked:
            for name, text in _sqlite_triggers(one):
                yield f"CREATE TRIGGER {name}\n{text}"
        return
    # For the rest of this transaction. A function keeps it for ever: whoever fires the trigger,
    # with whatever path of his own, can put nothing in the place of the log.
    yield "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"
    for one in tracked:
        yield from _postgres_triggers(one)


def drop_triggers(engine: Engine, tracked: Iterable[Tracked]) -> Iterator[str]:
    """The statements that take them away again."""
    for one in tracked:
        if engine == "sqlite":
            yield from (f"DROP TRIGGER {name}" for name, _ in _sqlite_triggers(one))
        else:
            yield f"DROP FUNCTION {_name(one.table)}() CASCADE"  # its triggers go with it


def _name(table: str, *event: str) -> str:
    return "_".join((LOG_TABLE, table, *event))


def _columns(one: Tracked) -> list[str]:
    return [part.column if isinstance(part, Month) else part for part in one.parts]


def _tag(one: Tracked, row: str, month: str) -> str:
    parts = [
        month.format(f"{row}.{part.column}") if isinstance(part, Month) else f"{row}.{part}"
        for part in one.parts
    ]
    return " || '/' || ".join([f"'{one.table}/' || {parts[0]}", *parts[1:]])


# -- SQLite: a trigger for each row


def _sqlite_triggers(one: Tracked) -> Iterator[tuple[str, str]]:
    """Their names and texts."""
    table = one.table
    new, old = _sqlite_tag(one, "NEW"), _sqlite_tag(one, "OLD")
    moved = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in _columns(one))
    log = f"INSERT INTO {LOG_TABLE} (tag)"
    for event, when, what in (
        ("insert", f"AFTER INSERT ON {table}", f"VALUES ({new})"),
        ("update", f"AFTER UPDATE ON {table}", f"VALUES ({new})"),
        ("move", f"AFTER {_update_of(_columns(one))} ON {table} WHEN {moved}", f"VALUES ({old})"),
        ("delete", f"AFTER DELETE ON {table}", f"VALUES ({old})"),
        *_when_replaced(one),
    ):
        yield _name(table, event), f"{when}\nBEGIN\n    {log} {what};\nEND"


def _when_replaced(one: Tracked) -> Iterator[tuple[str, str, str]]:
    for number, key in enumerate(one.replaced_by, 1):
        there = f"FROM {one.table} AS gone WHERE " + " AND ".join(
            f"gone.{column} = NEW.{column}" for column in key.columns
        )
        when = f"EXISTS (SELECT 1 {there})"
        if key.where:
            there += f" AND {key.where.format(row='gone')}"
            when = f"{key.where.format(row='NEW')} AND EXISTS (SELECT 1 {there})"
        what = f"SELECT {_sqlite_tag(one, 'gone')} {there}"
        yield f"replace_{number}", f"BEFORE INSERT ON {one.table} WHEN {when}", what
        changed = f"BEFORE {_update_of(key.columns)} ON {one.table} WHEN {when}"
        yield f"replace_by_update_{number}", changed, what


def _update_of(columns: Iterable[str]) -> str:
    # By any of its names a row's number may be set, and a column may be that number. SQLite asks
    # for no more than whether a name stands in the SET of an UPDATE.
    return f"UPDATE OF {', '.join(columns)}, rowid, oid, _rowid_"


def _sqlite_tag(one: Tracked, row: str) -> str:
    return _tag(one, row, "substr({}, 1, 7)")


# -- PostgreSQL: a trigger for each statement, one function for each table


def _postgres_triggers(one: Tracked) -> Iterator[str]:
    table, function = one.table, _name(one.table)
    tag = _tag(one, "row", "to_char({}, 'YYYY-MM')")
    # One row for a statement: a row and two entries of indexes for each tag made triggers half as
    # costly again. Its size has a bound, whatever a statement changes.
    log = f"""INSERT INTO {LOG_TABLE} (tag)
        SELECT CASE WHEN COUNT(*) > {MAX_TAGS} THEN '{table}/*' ELSE string_agg(tag, E'\\n') END
        FROM"""
    all_of_them = f"LIMIT {MAX_TAGS + 1}) AS one HAVING COUNT(*) > 0"
    yield f"""CREATE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        {log} (SELECT DISTINCT {tag} AS tag FROM new_rows AS row {all_of_them};
    ELSIF TG_OP = 'UPDATE' THEN
        {log} (SELECT {tag} AS tag FROM new_rows AS row UNION SELECT {tag} FROM old_rows AS row
        {all_of_them};
    ELSIF TG_OP = 'DELETE' THEN
        {log} (SELECT DISTINCT {tag} AS tag FROM old_rows AS row {all_of_them};
    ELSE
        INSERT INTO {LOG_TABLE} (tag) VALUES ('{table}/*');
    END IF;
    RETURN NULL;
END $$"""
    for event, rows in (
        ("insert", "REFERENCING NEW TABLE AS new_rows"),
        ("update", "REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows"),
        ("delete", "REFERENCING OLD TABLE AS old_rows"),
        ("truncate", ""),
    ):
        name = _name(table, event)
        yield (
            f"CREATE TRIGGER {name} AFTER {event.upper()} ON {table} {rows}\n"
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
        # In sessions that replay what happened elsewhere as well.
        yield f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
