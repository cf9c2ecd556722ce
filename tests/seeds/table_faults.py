"""Faults of tables: keys and constraints that a migration loses or turns round."""

from __future__ import annotations

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from tests.seeds.seed import Edit, SchemaFault
from vacancy.hotel.schema import metadata


def _rebuilt(table: str, *edits: Edit, indexes: bool = True) -> tuple[str, ...]:
    """The way of SQLite to change what ALTER TABLE cannot: a new table in the place of the old."""
    dialect = sqlite.dialect()
    shape = metadata.tables[table]
    sql = str(CreateTable(shape).compile(dialect=dialect))
    edits = (Edit(f"CREATE TABLE {table} (", f"CREATE TABLE rebuilt_{table} ("), *edits)
    for edit in edits:
        sql = edit.apply(sql, f"rebuilding {table}")
    wanted = sorted(shape.indexes, key=lambda index: str(index.name)) if indexes else []
    return (
        sql,
        f"DROP TABLE {table}",
        f"ALTER TABLE rebuilt_{table} RENAME TO {table}",
        *(str(CreateIndex(index).compile(dialect=dialect)) for index in wanted),
    )


def _other_key(table: str, was: str, columns: str) -> tuple[str, ...]:
    key = f"CONSTRAINT pk_{table} PRIMARY KEY"
    return _rebuilt(table, Edit(f"{key} ({was})", f"{key} ({columns})"))


def _other_key_postgresql(table: str, columns: str) -> tuple[str, ...]:
    return (
        f"ALTER TABLE {table} DROP CONSTRAINT pk_{table}",
        f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({columns})",
    )


def _without(table: str, constraint: str, columns: str) -> tuple[str, ...]:
    """The table without a unique constraint, which is never its last line but for foreign keys."""
    return _rebuilt(table, Edit(f"CONSTRAINT {constraint} UNIQUE ({columns})", "CHECK (TRUE)"))


CONSTRAINTS = (
    SchemaFault(
        name="email-no-longer-unique",
        family="constraint lost",
        why="A booking scans all users for its guest, and one address gets two accounts.",
        at="accounts.get_users",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=_without("users", "uq_users_email", "email"),
        postgresql=("ALTER TABLE users DROP CONSTRAINT uq_users_email",),
    ),
    SchemaFault(
        name="property-code-no-longer-unique",
        family="constraint lost",
        why="Every request reads all hotels to find its own.",
        at="availability.check_room_availability",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=_without("properties", "uq_properties_code", "code"),
        postgresql=("ALTER TABLE properties DROP CONSTRAINT uq_properties_code",),
    ),
    SchemaFault(
        name="room-type-code-no-longer-unique",
        family="constraint lost",
        why="Every look at a hotel reads the room types of all hotels.",
        at="catalogue.list_room_types",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=_without("room_types", "uq_room_types_property_id_code", "property_id, code"),
        postgresql=("ALTER TABLE room_types DROP CONSTRAINT uq_room_types_property_id_code",),
    ),
    SchemaFault(
        name="idempotency-key-no-longer-unique",
        family="constraint lost",
        why="Every booking reads all stored answers, and a repeated one is made twice.",
        at="admission.get_answers",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=_without("idempotency_keys", "uq_idempotency_keys_user_id_key", 'user_id, "key"'),
        postgresql=(
            "ALTER TABLE idempotency_keys DROP CONSTRAINT uq_idempotency_keys_user_id_key",
        ),
    ),
    SchemaFault(
        name="secret-no-longer-unique",
        family="constraint lost",
        why="Every request with a key reads all keys.",
        at="accounts.find_key",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=_without("api_keys", "uq_api_keys_secret_sha256", "secret_sha256"),
        postgresql=("ALTER TABLE api_keys DROP CONSTRAINT uq_api_keys_secret_sha256",),
    ),
)

REBUILT = (
    SchemaFault(
        name="inventory-with-row-ids",
        family="table rebuilt",
        why="Each night is found in an index and then looked up in the table: twice the work.",
        at="availability.check_room_availability",
        expects=("INDEX_NOT_USED",),
        engines=("sqlite",),
        ddl=_rebuilt("room_inventory", Edit(" WITHOUT ROWID,\n", "")),
    ),
    SchemaFault(
        name="bookings-rebuilt-without-their-indexes",
        family="table rebuilt",
        why="A migration made the table anew and forgot what hung on it: every list is a scan.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=_rebuilt("bookings", indexes=False),
        postgresql=(
            "DROP INDEX ix_bookings_user, ix_bookings_user_status, ix_bookings_due,"
            " uq_bookings_source_ref, ix_bookings_arrival",
        ),
    ),
    SchemaFault(
        name="booking-id-of-another-type",
        family="table rebuilt",
        why="Room stays are compared as numeric, which their key is not: all of them are read.",
        at="bookings.get_booking_details",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        engines=("postgresql",),
        postgresql=("ALTER TABLE bookings ALTER COLUMN id TYPE numeric",),
    ),
)

KEYS = (
    SchemaFault(
        name="inventory-by-night-first",
        family="key reordered",
        why="A week in one room type reads that week in all room types of all hotels.",
        at="availability.check_room_availability",
        expects=("INDEX_NOT_USED",),
        ddl=_other_key(
            "room_inventory",
            "property_id, room_type_id, night",
            "night, property_id, room_type_id",
        ),
        postgresql=_other_key_postgresql("room_inventory", "night, property_id, room_type_id"),
    ),
    SchemaFault(
        name="inventory-by-room-type-first",
        family="key reordered",
        why="A report of one hotel reads the nights of all hotels.",
        at="reports.sum_period",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        ddl=_other_key(
            "room_inventory",
            "property_id, room_type_id, night",
            "room_type_id, night, property_id",
        ),
        postgresql=_other_key_postgresql("room_inventory", "room_type_id, night, property_id"),
    ),
    SchemaFault(
        name="inventory-without-a-key",
        family="key reordered",
        why="Each booking reads a hundred thousand nights under its lock.",
        at="admission.lock_nights",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=_rebuilt(
            "room_inventory",
            Edit(
                "CONSTRAINT pk_room_inventory PRIMARY KEY (property_id, room_type_id, night)",
                "CHECK (TRUE)",
            ),
            Edit(" WITHOUT ROWID,\n", ""),
        ),
        postgresql=("ALTER TABLE room_inventory DROP CONSTRAINT pk_room_inventory",),
    ),
    SchemaFault(
        name="room-stays-by-line-first",
        family="key reordered",
        why="The rooms of one booking are looked for among the first lines of all bookings.",
        at="admission.list_stays",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        ddl=_other_key("room_stays", "booking_id, line", "line, booking_id"),
        postgresql=_other_key_postgresql("room_stays", "line, booking_id"),
    ),
    SchemaFault(
        name="arrivals-by-day-first",
        family="key reordered",
        why="A report of one hotel reads the arrivals of all.",
        at="reports.sum_period",
        expects=("INDEX_NOT_USED",),
        ddl=_other_key(
            "booking_counts",
            "property_id, arrival, room_type_id, status",
            "arrival, property_id, room_type_id, status",
        ),
        postgresql=_other_key_postgresql(
            "booking_counts", "arrival, property_id, room_type_id, status"
        ),
    ),
    SchemaFault(
        name="lead-times-by-days-first",
        family="key reordered",
        why="The median lead time of a month reads all lead times that there are.",
        at="reports.sum_period",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        ddl=_other_key(
            "lead_time_counts",
            "property_id, month, lead_days",
            "lead_days, month, property_id",
        ),
        postgresql=_other_key_postgresql("lead_time_counts", "lead_days, month, property_id"),
    ),
    SchemaFault(
        name="booking-counts-by-status-first",
        family="key reordered",
        why="The numbers of one hotel read the counts of all.",
        at="statistics.get_booking_statistics",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        ddl=_other_key(
            "booking_counts",
            "property_id, arrival, room_type_id, status",
            "status, arrival, room_type_id, property_id",
        ),
        postgresql=_other_key_postgresql(
            "booking_counts", "status, arrival, room_type_id, property_id"
        ),
    ),
)

TABLE_FAULTS: tuple[SchemaFault, ...] = (*CONSTRAINTS, *REBUILT, *KEYS)
