"""The revisions of the schema that a server of this version works on."""

from __future__ import annotations

from pathlib import Path

from vacancy.db.revision import RevisionRange

# From 0005 on triggers log what changes: on an older schema a server would cache what nobody tells
# it is old.
REVISIONS = RevisionRange(known=("0001", "0002", "0003", "0004", "0005"), oldest_accepted="0005")
MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"
