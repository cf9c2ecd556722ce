"""Mutants of the triggers, on the tables of the checker."""

from __future__ import annotations

from tests.cache.mutant import POSTGRESQL, SQLITE, Drop, Edit, Mutant

TRIGGER_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="an-insert-is-not-logged",
        breaks="A row that is new is told, and an answer without it goes.",
        drops=(Drop("books", "insert"),),
    ),
    Mutant(
        name="an-update-is-not-logged",
        breaks="A row that was changed is told.",
        drops=(Drop("shelves", "update"),),
    ),
    Mutant(
        name="a-delete-is-not-logged",
        breaks="A row that is gone is told, whether somebody deleted it or a cascade.",
        drops=(Drop("books", "delete"),),
    ),
    Mutant(
        name="a-truncate-is-not-logged",
        breaks="A table that was emptied is told.",
        drops=(Drop("leaves", "truncate"),),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-row-that-moves-is-told-at-its-new-place-alone",
        breaks="A row that moves from one tag to another is told under both.",
        drops=(Drop("books", "move"),),
        engines=SQLITE,
    ),
    Mutant(
        name="only-inserts-are-logged",
        breaks="Every kind of change is told.",
        drops=(Drop("books", "update"), Drop("books", "delete")),
    ),
    Mutant(
        name="an-update-tells-only-the-new-place",
        breaks="A row that moves from one tag to another is told under both.",
        edits=(
            Edit(
                "db/change_triggers.py",
                " UNION SELECT {tag} FROM old_rows AS row",
                "",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-replace-is-not-logged",
        breaks="A row that REPLACE throws out is told, though SQLite fires no trigger for it.",
        drops=(Drop("books", "replace_1"), Drop("books", "replace_2")),
        engines=SQLITE,
    ),
    Mutant(
        name="a-replacing-update-is-not-logged",
        breaks="A row that UPDATE OR REPLACE throws out is told.",
        drops=(Drop("books", "replace_by_update_1"), Drop("books", "replace_by_update_2")),
        engines=SQLITE,
    ),
    Mutant(
        name="replayed-changes-are-not-logged",
        breaks="A session that replays changes leaves its tags as well.",
        postgresql_ddl=(
            "ALTER TABLE books ENABLE TRIGGER change_log_books_update",
            "ALTER TABLE shelves ENABLE TRIGGER change_log_shelves_update",
        ),
        engines=POSTGRESQL,
    ),
)
