"""Migrating, standing and verifying through the command line, on both databases."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import clean_environment, vacancy
from tests.contract.test_foreign import make_foreign
from vacancy.db.migration_door import open_migration_door
from vacancy.db.sqlite.locks import WriteTurn
from vacancy.hotel.revisions import REVISIONS


def change(url: str, *statements: str) -> None:
    """Raw SQL, as some other program might run it."""

    async def run() -> None:
        door = await open_migration_door(url)
        try:
            await door.run(statements, transactional=True)
        finally:
            await door.close()

    asyncio.run(run())


def test_an_empty_database_is_migrated_up_and_down(database_url: str) -> None:
    url = ("--database-url", database_url, "--json")
    planned = vacancy("db", "migrate", "--dry-run", *url).document
    assert planned["dry_run"] is True
    assert [step["revision"] for step in planned["steps"]] == list(REVISIONS.known)
    assert any("CREATE TABLE bookings" in sql for sql in planned["steps"][0]["statements"])

    done = vacancy("db", "migrate", *url)
    assert [step["direction"] for step in done.document["steps"]] == ["up"] * len(REVISIONS.known)
    assert f"up {REVISIONS.known[0]}: " in done.stderr
    assert vacancy("db", "migrate", *url).document["steps"] == []

    down = vacancy("db", "migrate", "--to", "base", "--yes", *url).document
    assert [step["direction"] for step in down["steps"]] == ["down"] * len(REVISIONS.known)
    status = vacancy("db", "status", *url)
    assert (status.code, status.refusal["code"]) == (8, "SCHEMA_MISSING")


def test_going_down_is_asked_for(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = ("--database-url", database_url)
    assert vacancy("db", "migrate", *url).code == 0
    down = ("db", "migrate", "--to", "base", *url)

    refused = vacancy(*down, "--json")
    assert (refused.code, refused.refusal["code"]) == (2, "NOT_CONFIRMED")
    assert " tables with all rows" in refused.refusal["detail"]
    assert "--yes" in refused.refusal["hint"]
    assert "DROP TABLE bookings" in vacancy(*down, "--dry-run").stdout
    # Up, or nowhere, needs no yes.
    assert vacancy("db", "migrate", "--to", REVISIONS.newest, *url).code == 0

    for said, code, standing in (("no", 2, "current"), ("", 2, "current"), ("yes", 0, "empty")):
        monkeypatch.setattr("sys.stdin", _Terminal(f"{said}\n"))
        done = vacancy(*down)
        assert (done.code, "Go on? [y/N]: " in done.stderr) == (code, True)
        assert f'"standing": "{standing}"' in vacancy("db", "status", *url, "--json").stdout


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_database_of_somebody_else_is_refused_by_every_command(
    database_url: str, empty_folder: Path, tmp_path: Path
) -> None:
    asyncio.run(make_foreign(database_url))
    before = contents_of_files(tmp_path)
    url = ("--database-url", database_url, "--json")
    looks = (("db", "status"), ("db", "migrate"), ("db", "migrate", "--dry-run"), ("init",))
    writes = (("demo", "--no-serve"), ("db", "migrate", "--to", "base"))
    for command in (*looks, *writes):
        said = vacancy(*command, *url)
        assert (said.code, said.refusal["code"]) == (8, "DATABASE_FOREIGN"), command
        assert "invoices" in said.refusal["detail"]
        assert contents_of_files(tmp_path) == before, command
    # The others may leave lock files beside a SQLite file; the file itself stays as it was.
    for command in (("keys", "list"), ("properties", "list"), ("db", "verify-inventory")):
        said = vacancy(*command, *url)
        assert (said.code, said.refusal["code"]) == (8, "DATABASE_FOREIGN"), command
        after = contents_of_files(tmp_path)
        assert {name: after[name] for name in before} == before, command


def contents_of_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_database_in_a_folder_that_is_not_there_is_refused(empty_folder: Path) -> None:
    url = ("--database-url", "sqlite:///nowhere/vacancy.db", "--json")
    for command in (("db", "migrate"), ("init",)):
        said = vacancy(*command, *url)
        assert (said.code, said.refusal["code"]) == (75, "STORAGE_FAILED"), command
        assert "nowhere/vacancy.db" in said.refusal["detail"]
        assert "folder" in said.refusal["hint"]


def test_a_command_gives_up_waiting_for_the_turn(empty_folder: Path) -> None:
    """In a process of its own: it must end, and not only say so."""
    assert vacancy("init", "--data-dir", "data").code == 0
    program = (
        "from vacancy.db.sqlite import database\n"
        "database.WAIT_S = 0.1\n"
        "from vacancy.cli.main import main\n"
        "main()\n"
    )
    turn = WriteTurn(empty_folder / "data" / "vacancy.db")
    turn.take()
    try:
        ended = subprocess.run(
            [
                sys.executable,
                "-c",
                program,
                "keys",
                "create",
                "--role",
                "staff",
                "--data-dir",
                "data",
            ],
            capture_output=True,
            text=True,
            timeout=30,
            env=clean_environment(),
            check=False,
        )
    finally:
        turn.close()
    assert (ended.returncode, ended.stdout) == (75, "")
    assert ended.stderr.startswith("error DATABASE_BUSY: ")


def test_a_dry_run_leaves_no_file_behind(empty_folder: Path) -> None:
    said = vacancy("db", "migrate", "--dry-run", "--data-dir", "data")
    assert said.code == 0
    assert said.stdout.startswith("-- up 0001: ")
    assert "BEGIN;\nCREATE TABLE" in said.stdout
    assert list(empty_folder.iterdir()) == []


def test_status_says_where_it_stands_and_whether_it_can_serve(database_url: str) -> None:
    url = ("--database-url", database_url, "--json")
    assert vacancy("db", "migrate", *url).code == 0
    status = vacancy("db", "status", *url).document
    assert status["engine"] == ("sqlite" if database_url.startswith("sqlite") else "postgresql")
    assert (status["current"], status["newest"]) == (REVISIONS.newest, REVISIONS.newest)
    assert (status["standing"], status["can_serve"], status["pending"]) == ("current", True, [])

    change(database_url, "UPDATE alembic_version SET version_num = '9999'")
    ahead = vacancy("db", "status", *url)
    assert (ahead.code, ahead.refusal["code"]) == (8, "SCHEMA_TOO_NEW")
    assert '"standing": "ahead"' in ahead.stdout
    for refused in (("keys", "list"), ("init",), ("db", "migrate"), ("db", "verify-inventory")):
        said = vacancy(*refused, *url)
        assert (said.code, said.refusal["code"]) == (8, "SCHEMA_TOO_NEW"), refused


def test_verify_inventory_says_each_difference(database_url: str) -> None:
    url = ("--database-url", database_url)
    assert vacancy("demo", "--no-serve", *url).code == 0
    clean = vacancy("db", "verify-inventory", *url, "--json").document
    assert (clean["ok"], clean["differences"]) == (True, [])
    assert clean["nights"] > 2 * 3 * 400
    assert clean["bookings"] > 50

    change(
        database_url,
        "UPDATE room_inventory SET reserved = reserved + 1"
        " WHERE room_type_id = (SELECT id FROM room_types WHERE code = 'suite')"
        " AND night = (SELECT MAX(i.night) FROM room_inventory AS i JOIN room_types AS t"
        " ON t.id = i.room_type_id WHERE t.code = 'suite')",
    )
    said = vacancy("db", "verify-inventory", *url)
    assert said.code == 1
    assert "The night of alpine suite on " in said.stdout
    assert "reserved is 1, by the bookings it is 0." in said.stdout
    assert "reserved is 1, by the ledger it is 0." in said.stdout
    assert said.stderr.startswith("error INVENTORY_DIFFERS: 2 ")
    only = vacancy("db", "verify-inventory", "--property", "harbour", *url, "--json").document
    assert only["ok"] is True


def test_migrations_go_past_a_pooler(database_url: str, empty_folder: Path) -> None:
    (empty_folder / "vacancy.toml").write_text(
        f'database_url = "postgresql://nobody@127.0.0.1:1/pooled"\n'
        f'database_direct_url = "{database_url}"\n'
    )
    assert vacancy("db", "migrate").code == 0
    assert vacancy("db", "status").code == 0
    assert vacancy("keys", "list").code == 75
