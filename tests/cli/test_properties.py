"""Making hotels from files."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest

from tests.cli.commands import vacancy
from tests.cli.test_init_and_keys import LAKESIDE
from vacancy.bootstrap import open_database
from vacancy.config import Settings
from vacancy.hotel.queries import get_all_room_availability


def test_a_file_becomes_a_hotel_that_sells(database_url: str, empty_folder: Path) -> None:
    url = ("--database-url", database_url, "--json")
    (empty_folder / "lakeside.toml").write_text(LAKESIDE)
    assert vacancy("db", "migrate", *url).code == 0
    made = vacancy("properties", "create", "lakeside.toml", *url).document
    assert made == {
        "code": "lakeside",
        "room_types": ["double"],
        "first_night": "2027-01-01",
        "nights": 3,
    }
    items = vacancy("properties", "list", *url).document["items"]
    assert [(item["code"], item["max_stay_nights"]) for item in items] == [("lakeside", 90)]

    async def ask() -> None:
        async with open_database(Settings(database_url=database_url)) as db:
            first, last = date(2027, 1, 1), date(2027, 1, 4)
            (double,) = await get_all_room_availability(db, "lakeside", first, last)
            assert (double.available, double.total_minor) == (20, 36000)
            (beyond,) = await get_all_room_availability(db, "lakeside", last, date(2027, 1, 5))
            assert beyond.available == 0

    asyncio.run(ask())
    again = vacancy("properties", "create", "lakeside.toml", *url)
    assert (again.code, again.refusal["code"]) == (5, "PROPERTY_EXISTS")


@pytest.mark.parametrize(
    ("old", "new", "code", "word"),
    [
        ('currency = "EUR"', 'currency = "euro"', "PROPERTY_FILE_INVALID", "currency"),
        ("capacity = 20", "capacity = -1", "PROPERTY_FILE_INVALID", "capacity"),
        ("capacity = 20", 'capacity = "20"', "PROPERTY_FILE_INVALID", "capacity"),
        ("capacity = 20", "", "PROPERTY_FILE_INVALID", "capacity"),
        ("nights = 3", "nights = 99999", "PROPERTY_FILE_INVALID", "nights"),
        ("nights = 3", "stars = 5", "PROPERTY_FILE_INVALID", "stars"),
        ('code = "lakeside"', 'code = "Lake Side"', "PROPERTY_FILE_INVALID", "code"),
        ("[[room_types]]", "[[room_types]", "PROPERTY_FILE_INVALID", "TOML"),
        ("Europe/Zurich", "Europe/Nowhere", "TIME_ZONE_UNKNOWN", "Nowhere"),
    ],
)
def test_a_wrong_file_is_refused_by_its_field(
    empty_folder: Path, old: str, new: str, code: str, word: str
) -> None:
    assert vacancy("db", "migrate").code == 0
    (empty_folder / "wrong.toml").write_text(LAKESIDE.replace(old, new))
    said = vacancy("properties", "create", "wrong.toml", "--json")
    assert said.refusal["code"] == code
    assert word in said.refusal["detail"]
    assert vacancy("properties", "list", "--json").document == {"items": []}


def test_a_room_type_that_is_named_twice_is_refused(empty_folder: Path) -> None:
    assert vacancy("db", "migrate").code == 0
    room_types = LAKESIDE[LAKESIDE.index("[[room_types]]") :]
    (empty_folder / "wrong.toml").write_text(LAKESIDE + room_types)
    said = vacancy("properties", "create", "wrong.toml", "--json")
    assert said.refusal["code"] == "PROPERTY_FILE_INVALID"
    assert "'double' 2 times" in said.refusal["detail"]
