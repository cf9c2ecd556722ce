"""Faults that a look at one database cannot find, each with the reason. Whoever finds one moves
it to the others."""

from __future__ import annotations

from tests.index_advice.mutant import POSTGRESQL, Mutant

UNSEEN: tuple[Mutant, ...] = (
    # The catalogue says valid, and a plan reads no row: only reading the whole index against its
    # table (amcheck) would tell.
    Mutant(
        name="index-that-lost-rows",
        family="index of another kind",
        why="A guest's page leaves out bookings: the index was built under another sort order.",
        postgresql=(
            "CREATE TABLE hotels_by_name (name text NOT NULL)",
            "INSERT INTO hotels_by_name VALUES ('a'), ('b')",
            "CREATE INDEX ix_hotels_by_name ON hotels_by_name (name)",
            "UPDATE pg_index SET indcollation = '950'"
            " WHERE indexrelid = 'ix_hotels_by_name'::regclass",
        ),
        table="hotels_by_name",
        index="ix_hotels_by_name",
        expects=("index_invalid", "index_cannot_serve"),
        engines=POSTGRESQL,
    ),
    # What is missing from a page that nobody asks for is not missing. A statement of tomorrow is in
    # no workload.
    Mutant(
        name="an-index-for-a-statement-of-next-week",
        family="index dropped",
        why="The list of refunds by day, which ships next week, will read all refunds.",
        ddl=("CREATE VIEW refunds_by_day AS SELECT created_at, amount_minor FROM refunds",),
        table="refunds",
        expects=("index_missing", "table_scanned"),
    ),
    # NOT ENFORCED is a choice that somebody wrote down; from the catalogue it looks as one.
    Mutant(
        name="a-check-that-nobody-enforces",
        family="not validated",
        why="A report trusts a check that refuses nothing.",
        postgresql=(
            "ALTER TABLE bookings ADD CONSTRAINT ck_bookings_channel CHECK (channel <> '')"
            " NOT ENFORCED",
        ),
        table="bookings",
        expects=("constraint_not_valid",),
        engines=POSTGRESQL,
    ),
    # Which values are frequent is known to statistics of real rows; a plan for all values does not
    # look at them.
    Mutant(
        name="one-agency-with-all-bookings",
        family="statistics",
        why="One guest owns nearly all bookings: for him alone the index of guests is a scan.",
        postgresql=(
            "CREATE TABLE stays_of_agencies (id bigint PRIMARY KEY, agency bigint NOT NULL)",
            "CREATE INDEX ix_stays_of_agencies ON stays_of_agencies (agency, id)",
            "INSERT INTO stays_of_agencies SELECT i, 1 FROM generate_series(1, 1000) AS i",
            "ANALYZE stays_of_agencies",
        ),
        table="stays_of_agencies",
        expects=("table_scanned", "index_unneeded"),
        engines=POSTGRESQL,
    ),
    # SQLite keeps no number of what changed since ANALYZE: the count is right, the values are not.
    Mutant(
        name="values-that-are-gone-on-sqlite",
        family="statistics",
        why="Each row has been changed since the last look, and their number is the same.",
        ddl=(
            "CREATE TABLE meters (id INTEGER PRIMARY KEY, place INTEGER NOT NULL)",
            "CREATE INDEX ix_meters_place ON meters (place)",
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO meters SELECT i, 1 FROM n",
            "ANALYZE meters",
            "UPDATE meters SET place = id",
        ),
        table="meters",
        expects=("statistics_stale",),
        engines=("sqlite",),
    ),
)
