"""Keeps the log of changes short. Who has not looked for longer than the log reaches back finds
that everything has changed."""

from __future__ import annotations

from vacancy.db.changes import LOG_TABLE, STATE_TABLE
from vacancy.db.database import Database, Transaction
from vacancy.db.gate import register
from vacancy.db.statement import Access, NoRow, Statement

KEEP_ROWS = 100_000
"""On SQLite: some seconds of a busy program's changes; a look answers at most a fifth of it."""
KEEP_STATEMENTS = 20_000
"""On PostgreSQL, where a row holds the tags of a statement, which may be a kilobyte and more."""
AT_ONCE = 5_000
"""About so many rows go in one transaction: a few milliseconds in which nobody else writes."""

# Below what the log ends is noted first, in the same transaction. On SQLite this is an entry. On
# PostgreSQL it is a mark: entries may become visible in another order than they were given in, but
# below the eldest transaction that is still under way there is none to come. A look whose snapshot
# is at least as new needs nothing from there.
NOTE_PRUNING = Statement(
    "db.note_pruning",
    f"""
    UPDATE {STATE_TABLE}
    SET pruned_below = bound.entry
    FROM (
        SELECT MAX(0, MIN(
            (SELECT MIN(entry) FROM {LOG_TABLE}) + {AT_ONCE},
            (SELECT MAX(entry) FROM {LOG_TABLE}) - {KEEP_ROWS}
        )) AS entry
    ) AS bound
    WHERE pruned_below <> bound.entry
    """,
    postgresql=f"""
    UPDATE {STATE_TABLE}
    SET pruned_below = bound.mark
    FROM (
        SELECT LEAST(oldest.mark, newest.mark, pg_snapshot_xmin(pg_current_snapshot())) AS mark
        FROM
            (
                SELECT mark
                FROM {LOG_TABLE}
                WHERE entry >= (SELECT MIN(entry) FROM {LOG_TABLE}) + {AT_ONCE}
                ORDER BY entry
                LIMIT 1
            ) AS oldest,
            (
                SELECT mark
                FROM {LOG_TABLE}
                WHERE entry <= (SELECT MAX(entry) FROM {LOG_TABLE}) - {KEEP_STATEMENTS}
                ORDER BY entry DESC
                LIMIT 1
            ) AS newest
    ) AS bound
    WHERE pruned_below < bound.mark
    """,
    row=NoRow,
    reads=(LOG_TABLE,),
    writes=(STATE_TABLE,),
    access=Access(
        served_by={LOG_TABLE: f"pk_{LOG_TABLE} (entry)"},
        may_scan={STATE_TABLE: "it has one row", LOG_TABLE: "its ends"},
    ),
)
PRUNE_LOG = Statement(
    "db.prune_log",
    f"DELETE FROM {LOG_TABLE} WHERE entry < (SELECT pruned_below FROM {STATE_TABLE})",
    # What was taken away stands in the index until a vacuum: it is gone through one entry after the
    # other unless the scan begins behind it.
    postgresql=f"""
    DELETE FROM {LOG_TABLE}
    WHERE mark >= (SELECT mark FROM {LOG_TABLE} ORDER BY mark LIMIT 1)
        AND mark < (SELECT pruned_below FROM {STATE_TABLE})
    """,
    row=NoRow,
    reads=(STATE_TABLE,),
    writes=(LOG_TABLE,),
    access=Access(
        served_by={LOG_TABLE: f"pk_{LOG_TABLE} (entry)"},
        postgresql_served_by={LOG_TABLE: f"ix_{LOG_TABLE}_mark (mark)"},
        may_scan={STATE_TABLE: "it has one row", LOG_TABLE: "its end"},
    ),
)
register((NOTE_PRUNING, PRUNE_LOG))


async def prune_log(db: Database) -> bool:
    """Takes away some of the oldest rows beyond those that are kept; answers whether there are
    likely to be more."""

    async def unit(tx: Transaction) -> int:
        return await tx.execute(PRUNE_LOG) if await tx.execute(NOTE_PRUNING) else 0

    return await db.transact(unit) > AT_ONCE // 2
