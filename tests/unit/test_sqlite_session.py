"""The settings that every SQLite connection of ours has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw

from vacancy.db.sqlite.session import open_connection


def test_a_statement_is_planned_once_for_all_values(tmp_path: Path) -> None:
    connection = open_connection(tmp_path / "things.db")
    connection.execute(
        "CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
        "CREATE TABLE things (owner_id INTEGER, name TEXT, UNIQUE (owner_id, name));"
        "INSERT INTO owners VALUES (1, 'ada'), (2, 'eve');"
        "INSERT INTO things VALUES (1, 'a'), (2, 'b');"
    )
    plans: list[int] = []

    def seen(event: dict[str, Any]) -> None:
        plans.append(event["stmt_status"]["SQLITE_STMTSTATUS_REPREPARE"])

    connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, seen)
    question = (
        "SELECT t.name FROM owners AS o JOIN things AS t ON t.owner_id = o.id WHERE o.name = ?"
    )
    found = [connection.execute(question, (name,)).fetchall() for name in ("ada", "eve", "bob")]
    assert found == [[("a",)], [("b",)], []]
    assert plans == [0, 0, 0]
    connection.close()
