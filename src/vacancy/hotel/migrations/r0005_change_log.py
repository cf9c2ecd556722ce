"""The log of changes, its triggers on the tables that are cached, and the row about it.

A server of an older version may go on writing: the triggers log what it changes.
"""

from __future__ import annotations

from typing import cast

from alembic import op
from sqlalchemy import CheckConstraint

from vacancy.db.change_triggers import Key, Month, Tracked, create_triggers, drop_triggers
from vacancy.db.changes import LOG_EVERYTHING
from vacancy.db.statement import Engine
from vacancy.hotel.columns import INTEGER, MARK, STRICT, TEXT, WRITERS_MARK, column, entry, key

revision = "0005"
down_revision = "0004"

TRACKED = (
    Tracked("properties", ("id",), (Key(("code",)),)),
    Tracked("room_types", ("property_id", "id"), (Key(("id",)), Key(("property_id", "code")))),
    Tracked("room_inventory", ("property_id", Month("night"), "room_type_id")),
    Tracked("users", ("id",), (Key(("email",)),)),
    Tracked(
        "bookings",
        ("user_id",),
        (Key(("id",)), Key(("property_id", "source_ref"), "{row}.source_ref <> ''")),
    ),
    Tracked("room_stays", ("booking_id",)),
    Tracked("arrival_counts", ("property_id", Month("arrival"))),
    Tracked("booking_counts", ("property_id", Month("arrival"))),
    Tracked("lead_time_counts", ("property_id", Month("arrival"))),
)

_INCARNATION = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "replace(CAST(gen_random_uuid() AS text), '-', '')",
}


def upgrade() -> None:
    engine = _engine()
    op.create_table(
        "change_log",
        entry(),
        column("mark", MARK, server_default=WRITERS_MARK),
        column("tag", TEXT),
        **STRICT,
    )
    if engine == "postgresql":
        op.create_index("ix_change_log_mark", "change_log", ["mark"])
    op.create_table(
        "change_state",
        key("only_row", INTEGER, CheckConstraint("only_row = 1", name="one")),
        column("incarnation", TEXT),
        column("pruned_below", MARK),
        **STRICT,
    )
    op.execute(f"INSERT INTO change_state VALUES (1, {_INCARNATION[engine]}, '0')")
    op.execute(LOG_EVERYTHING)
    for statement in create_triggers(engine, TRACKED):
        op.execute(statement)


def downgrade() -> None:
    for statement in drop_triggers(_engine(), TRACKED):
        op.execute(statement)
    op.drop_table("change_state")
    op.drop_table("change_log")


def _engine() -> Engine:
    return cast(Engine, op.get_context().dialect.name)
