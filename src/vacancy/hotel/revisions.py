"""The revisions of the schema that a server of this version works on."""

from __future__ import annotations

from pathlib import Path

from vacancy.db.revision import RevisionRange

REVISIONS = RevisionRange(known=("0001",), oldest_accepted="0001")
MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"
