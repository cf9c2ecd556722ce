"""The revisions of the schema that a server of this version works on."""

from __future__ import annotations

from pathlib import Path

from vacancy.db.revision import RevisionRange

# With 0006 all counts of an arrival moved into one table: a server that counted on an older schema
# would have nowhere to write them.
REVISIONS = RevisionRange(
    known=("0001", "0002", "0003", "0004", "0005", "0006"), oldest_accepted="0006"
)
MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"
