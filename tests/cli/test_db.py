"""Migrating, standing and verifying through the command line, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.cli.commands import vacancy
from vacancy.db.migration_door import open_migration_door
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

    down = vacancy("db", "migrate", "--to", "base", *url).document
    assert [step["direction"] for step in down["steps"]] == ["down"] * len(REVISIONS.known)
    status = vacancy("db", "status", *url)
    assert (status.code, status.refusal["code"]) == (8, "SCHEMA_MISSING")


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
