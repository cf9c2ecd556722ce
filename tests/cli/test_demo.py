"""The demo: whole, honest in its numbers, kept by a second run."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from tests.cli.commands import clean_environment, vacancy
from tests.hotels import HandClock
from tests.runnable import Statement
from vacancy.bootstrap import House, open_house
from vacancy.config import Settings
from vacancy.errors import Internal
from vacancy.hotel.calendar import business_date
from vacancy.hotel.demo import NIGHTS_AHEAD, make_demo
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.model import Status
from vacancy.hotel.queries import get_all_room_availability, list_properties
from vacancy.hotel.verify import verify_inventory

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
"""An instant at which the two hotels are not on the same day."""


class StatusCount(msgspec.Struct, frozen=True):
    property: str
    status: Status
    bookings: int


COUNT_STATUSES = Statement(
    "test.count_statuses",
    """
    SELECT p.code, b.status, COUNT(*)
    FROM bookings AS b
    JOIN properties AS p ON p.id = b.property_id
    GROUP BY p.code, b.status
    """,
    row=StatusCount,
)


def demo(*arguments: str) -> dict[str, Any]:
    document = vacancy("demo", "--no-serve", "--json", *arguments).document
    assert isinstance(document, dict)
    return document


async def status_counts(house: House) -> dict[tuple[str, Status], int]:
    found = await house.db.fetch_all(COUNT_STATUSES)
    return {(row.property, row.status): row.bookings for row in found}


@pytest.mark.parametrize("hour", [0, 6, 10, 12, 23])
def test_the_demo_is_whole_and_agrees_with_itself_at_any_hour(database_url: str, hour: int) -> None:
    async def story() -> None:
        clock = HandClock(NOON.replace(hour=hour))
        await migrate_database(database_url)
        async with open_house(Settings(database_url=database_url), clock) as house:
            await make_demo(house.db, house.admission, house.ids.next)
            report = await verify_inventory(house.db)
            assert report.ok, report.differences
            counts = await status_counts(house)
            expected = {(p, s) for p in ("alpine", "harbour") for s in get_args(Status)}
            assert set(counts) == expected

            await make_demo(house.db, house.admission, house.ids.next)
            assert await status_counts(house) == counts

    asyncio.run(story())


def test_each_hotel_sells_400_nights_from_its_own_today(database_url: str) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        async with open_house(Settings(database_url=database_url), HandClock(NOON)) as house:
            db = house.db
            await make_demo(db, house.admission, house.ids.next)
            places = {place.code: place for place in await list_properties(db)}
            today = {code: business_date(NOON, place.time_zone) for code, place in places.items()}
            assert today["alpine"] < today["harbour"]
            assert places["alpine"].currency != places["harbour"].currency
            for code, first in today.items():
                end = first + timedelta(days=NIGHTS_AHEAD)
                day = timedelta(days=1)
                last_night = await get_all_room_availability(db, code, end - day, end)
                assert all(kind.sellable for kind in last_night)
                after = await get_all_room_availability(db, code, end, end + day)
                assert not any(kind.available for kind in after)
                if code == "alpine":
                    assert {"single", "double"} <= {kind.room_type for kind in last_night}

    asyncio.run(story())


def test_a_demo_that_was_killed_half_way_is_completed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        async with open_house(Settings(database_url=database_url), HandClock(NOON)) as house:

            async def killed(*given: object, **named: object) -> None:
                raise Internal("KILLED", "the process ends here")

            with monkeypatch.context() as planted:
                planted.setattr("vacancy.hotel.demo.write_past_bookings", killed)
                with pytest.raises(Internal, match="KILLED"):
                    await make_demo(house.db, house.admission, house.ids.next)
            before = await status_counts(house)
            await make_demo(house.db, house.admission, house.ids.next)
            after = await status_counts(house)
            assert after["alpine", "provisional"] == before["alpine", "provisional"]
            assert after["alpine", "confirmed"] == before["alpine", "confirmed"]
            assert after["alpine", "checked_out"] > 0
            assert (await verify_inventory(house.db)).ok

    asyncio.run(story())


def test_a_second_run_keeps_data_and_key(empty_folder: Path) -> None:
    first = demo()
    file = empty_folder / "vacancy-data" / "demo.json"
    assert json.loads(file.read_text()) == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert first["url"] == "http://127.0.0.1:8000"
    assert first["properties"] == ["alpine", "harbour"]
    assert len(first["commands"]) == 3
    assert vacancy("keys", "list", "--json").document["items"][0]["user_id"] == first["user_id"]

    second = demo("--port", "8081")
    assert (second["key"], second["user_id"]) == (first["key"], first["user_id"])
    assert second["url"] == "http://127.0.0.1:8081"
    assert len(vacancy("keys", "list", "--json").document["items"]) == 1

    file.write_text("{")
    third = demo()
    assert third["key"] != first["key"]
    assert third["user_id"] == first["user_id"]
    assert vacancy("db", "verify-inventory").code == 0


def test_a_second_run_does_not_wait_for_migration_tools(empty_folder: Path) -> None:
    demo()
    program = (
        "import sys\n"
        "from vacancy.cli.main import run\n"
        "code = run(['demo', '--no-serve'])\n"
        "print(code, [name for name in ('alembic', 'sqlalchemy') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0 []"


def test_the_demo_goes_where_init_has_been_but_not_among_other_hotels(
    empty_folder: Path,
) -> None:
    assert vacancy("init", "--data-dir", "fresh").code == 0
    assert demo("--data-dir", "fresh")["properties"] == ["alpine", "harbour"]

    assert vacancy("init").code == 0
    (empty_folder / "mine.toml").write_text(
        'code = "mine"\nname = "Mine"\ncurrency = "EUR"\ntime_zone = "Europe/Rome"\n'
        '[[room_types]]\ncode = "double"\nname = "Double"\nprice_minor = 1\n'
        "max_adults = 2\ncapacity = 1\n"
    )
    assert vacancy("properties", "create", "mine.toml").code == 0
    said = vacancy("demo", "--no-serve", "--json")
    assert (said.code, said.refusal["code"]) == (5, "DEMO_REFUSED")
    items = vacancy("properties", "list", "--json").document["items"]
    assert [item["code"] for item in items] == ["mine"]


def test_production_has_no_demo(empty_folder: Path) -> None:
    said = vacancy("demo", "--env", "production", "--json")
    assert (said.code, said.refusal["code"]) == (3, "DEMO_IN_PRODUCTION")
    assert list(empty_folder.iterdir()) == []


def test_a_port_that_is_taken_is_said_before_anything_is_made(empty_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = vacancy("demo", "--json", "--port", str(other.getsockname()[1]))
    assert (said.code, said.refusal["code"]) == (3, "PORT_TAKEN")
    assert "--port" in said.refusal["hint"]
    assert list(empty_folder.iterdir()) == []
