"""The first admin key and all others, on both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.cli.commands import vacancy
from vacancy.bootstrap import open_database
from vacancy.config import Settings
from vacancy.errors import Unauthenticated
from vacancy.hotel.accounts import find_actor
from vacancy.hotel.model import Actor

LAKESIDE = """
code = "lakeside"
name = "Lakeside Inn"
currency = "EUR"
time_zone = "Europe/Zurich"
first_night = 2027-01-01
nights = 3
[[room_types]]
code = "double"
name = "Double room"
price_minor = 12000
max_adults = 2
capacity = 20
"""


def actor_of(url: str, key: str) -> Actor:
    async def ask() -> Actor:
        async with open_database(Settings(database_url=url)) as db:
            return await find_actor(db, key)

    return asyncio.run(ask())


def test_init_makes_a_folder_a_database_and_a_key_once(empty_folder: Path) -> None:
    said = vacancy("init", "--data-dir", "data")
    assert said.code == 0
    folder = empty_folder / "data"
    assert folder.stat().st_mode & 0o777 == 0o700
    key = said.stdout.strip()
    assert key.startswith("vac_")
    assert key not in said.stderr
    url = f"sqlite:///{folder / 'vacancy.db'}"
    assert actor_of(url, key).role == "superadmin"

    again = vacancy("init", "--data-dir", "data", "--json")
    assert (again.code, again.refusal["code"]) == (5, "ALREADY_INITIALISED")
    another = vacancy("init", "--data-dir", "data", "--another-key", "--role", "admin", "--json")
    assert actor_of(url, another.document["key"]).role == "admin"
    listed = vacancy("keys", "list", "--data-dir", "data", "--json").document["items"]
    assert [item["role"] for item in listed] == ["superadmin", "admin"]


def test_init_completes_what_was_begun(database_url: str) -> None:
    """A database that is migrated and has no admin key yet gets one; a revoked one is none."""
    assert vacancy("db", "migrate", "--database-url", database_url).code == 0
    first = vacancy("init", "--database-url", database_url, "--json").document
    assert vacancy("init", "--database-url", database_url).code == 5
    assert vacancy("keys", "revoke", first["id"], "--database-url", database_url).code == 0
    second = vacancy("init", "--database-url", database_url, "--json").document
    assert actor_of(database_url, second["key"]).role == "superadmin"


def test_keys_are_made_listed_and_revoked(database_url: str, empty_folder: Path) -> None:
    url = ("--database-url", database_url)
    assert vacancy("init", *url).code == 0
    (empty_folder / "lakeside.toml").write_text(LAKESIDE)
    assert vacancy("properties", "create", "lakeside.toml", *url).code == 0

    unknown = vacancy("keys", "create", "--role", "staff", "--property", "nowhere", *url, "--json")
    assert (unknown.code, unknown.refusal["code"]) == (4, "PROPERTY_UNKNOWN")
    made = vacancy(
        "keys", "create", "--role", "staff", "--property", "lakeside",
        "--email", "desk@example.org", "--label", "front desk", *url, "--json",
    ).document  # fmt: skip
    assert (made["role"], made["property"]) == ("staff", "lakeside")
    actor = actor_of(database_url, made["key"])
    assert (str(actor.user_id), actor.role) == (made["user_id"], "staff")
    assert actor.property_id is not None

    listed = vacancy("keys", "list", *url, "--json").document["items"]
    assert [item["id"] for item in listed][1:] == [made["id"]]
    assert (listed[1]["email"], listed[1]["label"]) == ("desk@example.org", "front desk")
    assert made["key"] not in vacancy("keys", "list", *url).stdout

    assert vacancy("keys", "revoke", made["id"], *url).code == 0
    with pytest.raises(Unauthenticated, match="KEY_INVALID"):
        actor_of(database_url, made["key"])
    for key_id in (made["id"], "12345", "no number"):
        said = vacancy("keys", "revoke", key_id, *url, "--json")
        assert (said.code, said.refusal["code"]) == (4, "KEY_UNKNOWN")


def test_guests_do_not_share_a_user_unless_they_are_told_to(database_url: str) -> None:
    url = ("--database-url", database_url, "--json")
    assert vacancy("init", *url).code == 0
    guests = [vacancy("keys", "create", "--role", "guest", *url).document for _ in range(2)]
    assert guests[0]["user_id"] != guests[1]["user_id"]
    same = [
        vacancy("keys", "create", "--role", "guest", "--email", "a@example.org", *url).document
        for _ in range(2)
    ]
    assert same[0]["user_id"] == same[1]["user_id"]
    assert same[0]["key"] != same[1]["key"]
