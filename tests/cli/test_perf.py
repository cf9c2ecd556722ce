"""`vacancy perf contracts` on databases as users have them."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import vacancy
from tests.cli.test_db import change


def generated(url: str) -> tuple[str, ...]:
    options = ("--database-url", url, "--json")
    assert vacancy("db", "migrate", *options).code == 0
    made = vacancy(
        "db", "generate", "--properties", "2", "--bookings", "200", "--seed", "3", *options
    )
    assert made.document["bookings"] == 200
    return options


def test_every_helper_holds(database_url: str) -> None:
    options = generated(database_url)
    document = vacancy("perf", "contracts", *options).document
    assert document["holds"] is True
    assert document["findings"] == []
    helpers = {helper["name"]: helper for helper in document["helpers"]}
    assert len(helpers) >= 18
    page = helpers["get_user_bookings_with_room_type"]
    assert page["statements"] == page["measured"]["statements"] == 1
    assert all(helper["measured"] is not None for helper in helpers.values())
    ways = {
        statement["name"]: statement["indexes"][engine]
        for statement in page["uses"]
        for engine in ("sqlite", "postgresql")
    }
    named = ways["bookings.get_user_bookings_of_status"]["bookings"]
    assert "ix_bookings_user_status (user_id, status, id)" in named


def test_a_dropped_index_is_told_and_ends_with_1(database_url: str) -> None:
    options = generated(database_url)
    change(database_url, "DROP INDEX ix_bookings_user_status")
    said = vacancy("perf", "contracts", *options)
    assert said.code == 1
    assert '"holds": false' in said.stdout
    assert '"kind": "INDEX_MISSING"' in said.stdout
    told = vacancy("perf", "contracts", "--database-url", database_url)
    assert told.code == 1
    assert "does not hold" in told.stdout
    assert "bookings has no valid index ix_bookings_user_status" in told.stdout


def test_an_empty_database_is_judged_without_running_helpers(database_url: str) -> None:
    options = ("--database-url", database_url, "--json")
    assert vacancy("db", "migrate", *options).code == 0
    document = vacancy("perf", "contracts", *options).document
    assert document["holds"] is True
    assert all(helper["measured"] is None for helper in document["helpers"])


def test_it_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "vacancy.db"
    options = generated(f"sqlite:///{path}")
    before = path.read_bytes()
    assert vacancy("perf", "contracts", *options).code == 0
    assert path.read_bytes() == before


def test_no_database_is_an_error_of_its_own(tmp_path: Path) -> None:
    said = vacancy(
        "perf", "contracts", "--database-url", f"sqlite:///{tmp_path / 'no.db'}", "--json"
    )
    assert said.refusal["code"] == "DATABASE_MISSING"
