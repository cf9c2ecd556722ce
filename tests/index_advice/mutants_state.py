"""Mutants of a database's state: keys near their end, constraints that nobody has validated, rows
that planners do not know of, space that is held for nothing, references without an index."""

from __future__ import annotations

from tests.index_advice.mutant import POSTGRESQL, SQLITE, Mutant
from vacancy.perf.indexes.finding import Rule

_OF_A_SIDE_TABLE: tuple[Rule, ...] = ("index_unneeded", "index_unused", "statistics_stale")

MANY = 60_000
"""Rows of a table that is large enough to need statistics: a few MB."""


def _numbers(count: int) -> str:
    """A table `n` of 1 … count, on SQLite."""
    return f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"


def _reference(name: str, why: str, table: str, parent: str, *ddl: str) -> Mutant:
    return Mutant(
        name=name,
        family="foreign key without an index",
        why=why,
        ddl=ddl,
        table=table,
        expects=("foreign_key_unindexed",),
        harmless=_OF_A_SIDE_TABLE,
        deletes=(parent,),
    )


REFERENCES = (
    _reference(
        "answers-kept-for-audits",
        "Each night's clean-up of old keys reads the whole side table once for each key.",
        *("key_audits", "idempotency_keys"),
        "CREATE TABLE key_audits (id bigint PRIMARY KEY,"
        " entry bigint NOT NULL REFERENCES idempotency_keys (entry), seen text)",
    ),
    _reference(
        "answers-kept-by-cascade",
        "The clean-up deletes what hangs on a key, and reads the whole side table to find it.",
        *("key_notes", "idempotency_keys"),
        "CREATE TABLE key_notes (id bigint PRIMARY KEY,"
        " entry bigint NOT NULL REFERENCES idempotency_keys (entry) ON DELETE CASCADE)",
    ),
    _reference(
        "reviews-of-guests",
        "A guest who asks to be forgotten costs one look at all reviews.",
        *("reviews", "users"),
        "CREATE TABLE reviews (id bigint PRIMARY KEY,"
        " user_id bigint NOT NULL REFERENCES users (id), stars integer NOT NULL)",
    ),
    _reference(
        "reviews-with-the-guest-last",
        "The index has the guest as its second column: of no use when a guest is deleted.",
        *("reviews", "users"),
        "CREATE TABLE reviews (id bigint PRIMARY KEY,"
        " user_id bigint NOT NULL REFERENCES users (id), stars integer NOT NULL)",
        "CREATE INDEX ix_reviews_stars ON reviews (stars, user_id)",
    ),
    _reference(
        "minibar-of-rooms",
        "The key is of two columns, the index of neither: each deleted line reads the minibar.",
        *("minibar", "room_stays"),
        "CREATE TABLE minibar (id bigint PRIMARY KEY, booking_id bigint NOT NULL,"
        " line bigint NOT NULL, item text,"
        " FOREIGN KEY (booking_id, line) REFERENCES room_stays (booking_id, line))",
    ),
    _reference(
        "reviews-with-an-index-of-a-part",
        "The index holds good reviews alone: a guest with a bad one is looked for in all.",
        *("reviews", "users"),
        "CREATE TABLE reviews (id bigint PRIMARY KEY,"
        " user_id bigint NOT NULL REFERENCES users (id), stars integer NOT NULL)",
        "CREATE INDEX ix_reviews_good ON reviews (user_id) WHERE stars > 3",
    ),
    Mutant(
        name="payments-lose-the-index-of-their-bookings",
        family="foreign key without an index",
        why="Old bookings are deleted, and each reads all payments.",
        ddl=("DROP INDEX ix_payments_booking",),
        table="payments",
        index="ix_payments_booking",
        expects=("index_missing", "foreign_key_unindexed"),
        harmless=("table_scanned", "rows_sorted"),
        deletes=("bookings",),
    ),
)

KEYS_NEAR_THEIR_END = (
    Mutant(
        name="idempotency-keys-in-int4",
        family="key near its end",
        why="At 2,147,483,647 no booking is taken any more, at whatever hour that is.",
        postgresql=(
            "ALTER TABLE idempotency_keys ALTER COLUMN entry TYPE integer",
            "SELECT setval(pg_get_serial_sequence('idempotency_keys', 'entry'), 2040000000)",
        ),
        table="idempotency_keys",
        expects=("key_near_end",),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="history-in-int4",
        family="key near its end",
        why="Each change writes history: at the last number nothing can be changed.",
        postgresql=(
            "ALTER TABLE audit_entries ALTER COLUMN entry TYPE integer",
            "SELECT setval(pg_get_serial_sequence('audit_entries', 'entry'), 2100000000)",
        ),
        table="audit_entries",
        expects=("key_near_end",),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="serial-of-a-side-table",
        family="key near its end",
        why="The next 100 million reviews are the last.",
        postgresql=(
            "CREATE TABLE reviews (id serial PRIMARY KEY, stars integer NOT NULL)",
            "SELECT setval('reviews_id_seq', 2045000000)",
        ),
        table="reviews",
        expects=("key_near_end",),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="small-serial",
        family="key near its end",
        why="At 32,767 no shift can be written down.",
        postgresql=(
            "CREATE TABLE shifts (id smallserial PRIMARY KEY, name text NOT NULL)",
            "SELECT setval('shifts_id_seq', 31500)",
        ),
        table="shifts",
        expects=("key_near_end",),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="wide-sequence-narrow-column",
        family="key near its end",
        why="The sequence would go on; the column it fills cannot hold its next numbers.",
        postgresql=(
            "CREATE TABLE reviews (id serial PRIMARY KEY, stars integer NOT NULL)",
            "ALTER SEQUENCE reviews_id_seq AS bigint MAXVALUE 9223372036854775807",
            "SELECT setval('reviews_id_seq', 2110000000)",
        ),
        table="reviews",
        expects=("key_near_end",),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="sequence-with-an-end-of-its-own",
        family="key near its end",
        why="The column would take more; the sequence ends at 10,000.",
        postgresql=(
            "CREATE SEQUENCE vouchers_seq MAXVALUE 10000",
            "CREATE TABLE vouchers (id bigint PRIMARY KEY DEFAULT nextval('vouchers_seq'))",
            "ALTER SEQUENCE vouchers_seq OWNED BY vouchers.id",
            "SELECT setval('vouchers_seq', 9700)",
        ),
        table="vouchers",
        expects=("key_near_end",),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="autoincrement-at-its-end",
        family="key near its end",
        why="AUTOINCREMENT never takes a number twice: at the last one each insert fails.",
        ddl=(
            "CREATE TABLE vouchers (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT)",
            "INSERT INTO vouchers VALUES (9000000000000000000, 'summer')",
        ),
        table="vouchers",
        expects=("key_near_end",),
        engines=SQLITE,
    ),
    Mutant(
        name="outbox-at-its-end",
        family="key near its end",
        why="After the last number SQLite takes any free one: events go out in any order.",
        ddl=(
            "INSERT INTO outbox_events VALUES"
            " (9100000000000000000, 1, 'k', 1, '{}', '2027-01-01T00:00:00.000000Z')",
        ),
        table="outbox_events",
        expects=("key_near_end",),
        engines=SQLITE,
    ),
)


def _not_validated(name: str, why: str, table: str, constraint: str) -> Mutant:
    return Mutant(
        name=name,
        family="not validated",
        why=why,
        postgresql=(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} NOT VALID",),
        table=table,
        expects=("constraint_not_valid",),
        harmless=("foreign_key_unindexed",),
        engines=POSTGRESQL,
    )


NOT_VALIDATED = (
    _not_validated(
        "channel-not-validated",
        "Old bookings may have no channel, and a report that trusts the check is wrong.",
        *("bookings", "ck_bookings_channel CHECK (channel <> '')"),
    ),
    _not_validated(
        "ledger-not-validated",
        "Old lines of the ledger may belong to bookings that are not there.",
        *(
            "night_ledger",
            "fk_night_ledger_booking_id FOREIGN KEY (booking_id) REFERENCES bookings (id)",
        ),
    ),
    _not_validated(
        "refund-reason-not-validated",
        "The planner takes no help of it, and old refunds may break it.",
        *("refunds", "ck_refunds_reason CHECK (length(reason) < 1000)"),
    ),
)

_FILLED_POSTGRESQL = (
    "CREATE TABLE readings (id bigint PRIMARY KEY, meter bigint NOT NULL, at timestamptz NOT NULL)"
    " WITH (autovacuum_enabled = off)",
    "CREATE INDEX ix_readings_meter ON readings (meter, id)",
)
_FILLED_SQLITE = (
    "CREATE TABLE readings (id INTEGER PRIMARY KEY, meter INTEGER NOT NULL, at TEXT NOT NULL)",
    "CREATE INDEX ix_readings_meter ON readings (meter, id)",
)

STATISTICS = (
    Mutant(
        name="statistics-never-made",
        family="statistics",
        why="The planner guesses about a large table that nobody has ever analyzed.",
        ddl=(
            *_FILLED_SQLITE,
            f"INSERT INTO readings {_numbers(MANY)} SELECT i, i % 50, 'x' FROM n",
        ),
        postgresql=(
            *_FILLED_POSTGRESQL,
            f"INSERT INTO readings SELECT i, i % 50, now() FROM generate_series(1, {MANY}) AS i",
        ),
        table="readings",
        expects=("statistics_stale",),
        harmless=("index_unneeded", "index_unused"),
    ),
    Mutant(
        name="statistics-of-a-small-table",
        family="statistics",
        why="The planner thinks of 100 rows where 60,000 stand: it joins the wrong way round.",
        ddl=(
            *_FILLED_SQLITE,
            f"INSERT INTO readings {_numbers(100)} SELECT i, i % 50, 'x' FROM n",
            "ANALYZE readings",
            f"INSERT INTO readings {_numbers(MANY)} SELECT 1000 + i, i % 50, 'x' FROM n",
        ),
        postgresql=(
            *_FILLED_POSTGRESQL,
            "INSERT INTO readings SELECT i, i % 50, now() FROM generate_series(1, 100) AS i",
            "ANALYZE readings",
            "INSERT INTO readings SELECT 1000 + i, i % 50, now()"
            f" FROM generate_series(1, {MANY}) AS i",
        ),
        table="readings",
        expects=("statistics_stale",),
        harmless=("index_unneeded", "index_unused"),
    ),
    Mutant(
        name="statistics-before-everything-changed",
        family="statistics",
        why="Each row has been changed since the last look: the planner knows what is gone.",
        postgresql=(
            *_FILLED_POSTGRESQL,
            f"INSERT INTO readings SELECT i, 1, now() FROM generate_series(1, {MANY}) AS i",
            "ANALYZE readings",
            "UPDATE readings SET meter = id",
        ),
        table="readings",
        expects=("statistics_stale",),
        harmless=("index_unneeded", "index_unused", "table_bloated", "index_bloated"),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="guests-imported-and-never-counted",
        family="statistics",
        why="60,000 guests came in one night, and the planner still thinks of an empty table.",
        ddl=(
            "INSERT INTO users (id, name, email, created_at)"
            f" {_numbers(MANY)} SELECT i, 'n', 'e' || i, '2027-01-01T00:00:00.000000Z' FROM n",
        ),
        postgresql=(
            "ALTER TABLE users SET (autovacuum_enabled = off)",
            "INSERT INTO users (id, name, email, created_at)"
            f" SELECT i, 'n', 'e' || i, now() FROM generate_series(1, {MANY}) AS i",
        ),
        table="users",
        expects=("statistics_stale",),
    ),
)

_WIDE_POSTGRESQL = (
    "CREATE TABLE readings (id bigint PRIMARY KEY, meter bigint NOT NULL, note text NOT NULL)"
    " WITH (autovacuum_enabled = off)",
    "INSERT INTO readings SELECT i, (i * 7919) % 1000003, repeat('x', 200)"
    f" FROM generate_series(1, {MANY}) AS i",
)
_WIDE_SQLITE = (
    "CREATE TABLE readings (id INTEGER PRIMARY KEY, meter INTEGER NOT NULL, note TEXT NOT NULL)",
    f"INSERT INTO readings {_numbers(MANY)}"
    " SELECT i, (i * 7919) % 1000003, printf('%.*c', 200, 'x') FROM n",
)

BLOAT = (
    Mutant(
        name="rows-deleted-and-never-vacuumed",
        family="bloat",
        why="Nineteen of twenty rows are dead, and every scan still reads them.",
        postgresql=(
            *_WIDE_POSTGRESQL,
            "ANALYZE readings",
            "DELETE FROM readings WHERE id % 20 > 0",
        ),
        table="readings",
        expects=("table_bloated",),
        harmless=(*_OF_A_SIDE_TABLE, "index_bloated"),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="rows-changed-and-never-vacuumed",
        family="bloat",
        why="Each row was changed twice: the table is three times as large as what is in it.",
        postgresql=(
            *_WIDE_POSTGRESQL,
            "UPDATE readings SET meter = meter + 1",
            "UPDATE readings SET meter = meter + 1",
            "ANALYZE readings",
        ),
        table="readings",
        expects=("table_bloated",),
        harmless=(*_OF_A_SIDE_TABLE, "index_bloated"),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="pages-mostly-empty",
        family="bloat",
        why="Vacuum has run, the pages stay: one row on a page that could hold thirty.",
        postgresql=(
            *_WIDE_POSTGRESQL,
            "DELETE FROM readings WHERE id % 20 > 0",
            "VACUUM ANALYZE readings",
        ),
        table="readings",
        expects=("table_bloated",),
        harmless=(*_OF_A_SIDE_TABLE, "index_bloated"),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="index-mostly-empty",
        family="bloat",
        why="The table was made small again, its index was not: it fills memory with nothing.",
        postgresql=(
            *_WIDE_POSTGRESQL,
            "CREATE INDEX ix_readings_meter ON readings (meter, id)",
            "DELETE FROM readings WHERE id % 20 > 0",
            "VACUUM ANALYZE readings",
        ),
        table="readings",
        index="ix_readings_meter",
        expects=("index_bloated",),
        harmless=(*_OF_A_SIDE_TABLE, "table_bloated"),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="free-pages-in-the-file",
        family="bloat",
        why="Nearly all rows are gone, and each copy of the file still carries their pages.",
        ddl=(*_WIDE_SQLITE, "DELETE FROM readings WHERE id > 500"),
        table="readings",
        also=("",),
        expects=("table_bloated",),
        harmless=_OF_A_SIDE_TABLE,
        engines=SQLITE,
    ),
    Mutant(
        name="pages-with-one-row-each",
        family="bloat",
        why="One row in twenty is left, on a page of its own: each scan reads all pages.",
        ddl=(*_WIDE_SQLITE, "DELETE FROM readings WHERE id % 20 > 0"),
        table="readings",
        also=("",),
        expects=("table_bloated",),
        harmless=_OF_A_SIDE_TABLE,
        engines=SQLITE,
    ),
)

STATE_MUTANTS: tuple[Mutant, ...] = (
    *REFERENCES,
    *KEYS_NEAR_THEIR_END,
    *NOT_VALIDATED,
    *STATISTICS,
    *BLOAT,
)
