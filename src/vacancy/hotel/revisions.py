"""The revisions of the schema that a server of this version works on."""

from __future__ import annotations

from pathlib import Path

from vacancy.db.revision import RevisionRange

# From 0004 on bookings are counted by room type as they are made: a server that counted on an older
# schema would have nowhere to write it.
REVISIONS = RevisionRange(known=("0001", "0002", "0003", "0004"), oldest_accepted="0004")
MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"
