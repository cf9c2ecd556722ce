"""The log of changes and the row about it. Loaded with `schema.py`; the triggers that write the log
stand in `tracked.py`."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, MetaData, Table

from vacancy.hotel.columns import INTEGER, MARK, STRICT, TEXT, WRITERS_MARK, column, entry, key


def add_change_tables(metadata: MetaData) -> None:
    """Adds them to the tables of the hotel."""
    change_log = Table(
        "change_log",
        metadata,
        entry(),
        column("mark", MARK, server_default=WRITERS_MARK),
        column("tag", TEXT),
        **STRICT,
    )
    # On SQLite marks are random, and the log is read by its entries.
    Index("ix_change_log_mark", change_log.c.mark).ddl_if(dialect="postgresql")

    Table(
        "change_state",
        metadata,
        key("only_row", INTEGER, CheckConstraint("only_row = 1", name="one")),
        column("incarnation", TEXT),
        column("pruned_below", MARK),
        **STRICT,
    )
