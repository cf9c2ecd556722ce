"""Generated hotel groups, on both databases: equal plans give equal tables, all of it adds up, and
a run that was killed is completed by the next one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import pytest

from tests.cli.commands import vacancy
from tests.hotels import a_hotel
from vacancy.bootstrap import open_database
from vacancy.config import Settings
from vacancy.db.connect import sqlite_path
from vacancy.db.database import Database
from vacancy.db.values import instant_text
from vacancy.errors import Conflict
from vacancy.hotel.generate.group import GenerateReport, generate_group
from vacancy.hotel.generate.plan import FIRST_NIGHT, NIGHTS, GroupPlan, written_at
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.queries import get_kpi_report, list_properties
from vacancy.hotel.schema import metadata
from vacancy.hotel.verify import verify_inventory

SMALL = GroupPlan(properties=3, bookings=600, seed=7, room_types=2)
TABLES = sorted(metadata.tables.keys() - {"installation", "change_log", "change_state"})
"""All but the counter of processes, and the log of how the rows came there."""
JSON_COLUMNS = {"prices_minor", "detail", "payload"}


@asynccontextmanager
async def a_database(url: str, plan: GroupPlan) -> AsyncIterator[Database]:
    await migrate_database(url)
    settings = Settings(database_url=url, env="test")
    async with open_database(settings, lambda: written_at(plan)) as db:
        yield db


async def generated(url: str, plan: GroupPlan, at_once: int = 250) -> GenerateReport:
    async with a_database(url, plan) as db:
        report = await generate_group(db, plan, at_once=at_once)
        assert (await verify_inventory(db)).ok
        return report


def plain(column: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if column in JSON_COLUMNS:
        return json.loads(value)
    return value


def as_json(columns: list[str], row: Any) -> str:
    values = [plain(*pair) for pair in zip(columns, row, strict=True)]
    return json.dumps(values, sort_keys=True)  # PostgreSQL keeps objects in an order of its own


async def digests(url: str, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Of every table: its rows as JSON, ordered."""
    found = {}
    for table in TABLES:
        columns = [one.name for one in metadata.tables[table].columns if one.name not in without]
        sql = f"SELECT {', '.join(columns)} FROM {table}"
        if url.startswith("sqlite"):
            connection = apsw.Connection(str(sqlite_path(url)), flags=apsw.SQLITE_OPEN_READONLY)
            rows: list[Any] = connection.execute(sql).fetchall()
            connection.close()
        else:
            server = await asyncpg.connect(url)
            rows = [tuple(row) for row in await server.fetch(sql)]
            await server.close()
        texts = sorted(as_json(columns, row) for row in rows)
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        found[table] = f"{len(texts)}:{digest}"
    return found


def test_equal_plans_give_equal_tables_on_both(tmp_path: Path, postgres_url: str) -> None:
    async def story() -> None:
        url, other = (f"sqlite:///{tmp_path / name}" for name in ("one.db", "other.db"))
        reports = [await generated(place, SMALL) for place in (url, postgres_url)]
        for report in reports:
            assert (report.bookings, report.new, report.properties) == (600, 600, 3)
        tables = await digests(url)
        assert tables["bookings"].startswith("600:")
        assert tables["room_inventory"].startswith(f"{3 * 2 * NIGHTS}:")
        assert await digests(postgres_url) == tables

        others = GroupPlan(properties=3, bookings=600, seed=8, room_types=2)
        await generated(other, others)
        differing = await digests(other)
        for table in ("bookings", "room_stays", "night_ledger", "booking_counts"):
            assert differing[table] != tables[table]

    asyncio.run(story())


@pytest.mark.parametrize("bookings", [0, 1, 2, 11])
def test_small_groups_add_up(database_url: str, bookings: int) -> None:
    async def story() -> None:
        plan = GroupPlan(properties=3, bookings=bookings, seed=bookings, room_types=3)
        async with a_database(database_url, plan) as db:
            report = await generate_group(db, plan)
            assert (report.bookings, report.new) == (bookings, bookings)
            verified = await verify_inventory(db)
            assert (verified.ok, verified.bookings) == (True, bookings)
            assert len(await list_properties(db)) == 3

    asyncio.run(story())


def test_a_second_run_changes_nothing(database_url: str) -> None:
    async def story() -> None:
        first = await generated(database_url, SMALL)
        before = await digests(database_url)
        told: list[tuple[int, int]] = []
        async with a_database(database_url, SMALL) as db:
            again = await generate_group(
                db, SMALL, at_once=250, progress=lambda done, of: told.append((done, of))
            )
        assert (again.bookings, again.new, again.users) == (600, 0, first.users)
        assert told == [(600, 600)]
        assert await digests(database_url) == before

    asyncio.run(story())


@pytest.mark.parametrize(
    "other",
    [
        GroupPlan(properties=3, bookings=600, seed=8, room_types=2),
        GroupPlan(properties=3, bookings=601, seed=7, room_types=2),
        GroupPlan(properties=2, bookings=600, seed=7, room_types=2),
        GroupPlan(properties=3, bookings=600, seed=7, room_types=3),
        GroupPlan(properties=3, bookings=600, seed=7, room_types=2, first_night=date(2024, 1, 1)),
    ],
)
def test_another_group_is_not_mixed_in(tmp_path: Path, other: GroupPlan) -> None:
    async def story() -> None:
        url = f"sqlite:///{tmp_path / 'vacancy.db'}"
        await generated(url, SMALL)
        before = await digests(url)
        async with a_database(url, other) as db:
            with pytest.raises(Conflict, match="--bookings 600 --seed 7") as caught:
                await generate_group(db, other)
        assert caught.value.code == "GENERATE_DIFFERS"
        assert await digests(url) == before

    asyncio.run(story())


@pytest.mark.parametrize("day", ["2022-03-11", "0001-01-01", "9998-01-01"])
def test_a_period_without_ids_is_refused(tmp_path: Path, day: str) -> None:
    """Ids of bookings would meet those of hotels: the clock of ids begins in 2020."""
    url = ("--database-url", f"sqlite:///{tmp_path / 'vacancy.db'}", "--json")
    assert vacancy("db", "migrate", *url).code == 0
    sizes = ("--properties", "1", "--bookings", "5", "--seed", "1")
    said = vacancy("db", "generate", *sizes, "--from", day, *url)
    assert (said.code, said.refusal["code"]) == (2, "VALUE_OUT_OF_RANGE")
    assert vacancy("db", "generate", *sizes, "--from", "2022-03-12", *url).document["new"] == 5


def test_a_hotel_of_somebody_is_left_alone(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            with pytest.raises(Conflict, match="'alpine'") as caught:
                await generate_group(hotel.house.db, SMALL)
            assert caught.value.code == "GENERATE_REFUSED"
            assert [place.code for place in await list_properties(hotel.house.db)] == ["alpine"]
            assert (await verify_inventory(hotel.house.db)).bookings == 0

    asyncio.run(story())


def test_one_killed_half_way_is_completed(database_url: str, tmp_path: Path) -> None:
    plan = GroupPlan(properties=2, bookings=8_000, seed=3)
    at_once = 400
    asyncio.run(migrate_database(database_url))
    stood = _generate_and_kill(database_url, plan, at_once)

    async def story() -> None:
        async with a_database(database_url, plan) as db:
            cut = await verify_inventory(db)
            assert cut.ok
            assert stood <= cut.bookings < plan.bookings
            report = await generate_group(db, plan, at_once=at_once)
            assert (report.bookings, report.new) == (plan.bookings, plan.bookings - cut.bookings)
            assert (await verify_inventory(db)).ok
        whole = f"sqlite:///{tmp_path / 'whole.db'}"
        await generated(whole, plan, at_once)
        # A transaction that was cut off leaves a gap in PostgreSQL's own numbers, and only there.
        entries = ("entry",)
        assert await digests(database_url, without=entries) == await digests(whole, without=entries)

    asyncio.run(story())


def _generate_and_kill(url: str, plan: GroupPlan, at_once: int) -> int:
    """Kills a run after its fourth commit at the least; answers how many bookings stood by then."""
    numbers = (plan.properties, plan.bookings, plan.seed, at_once)
    command = [sys.executable, "-m", "tests.generate_process", url, *map(str, numbers)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        stood = 0
        for told in process.stdout:
            stood = int(told.split()[0])
            if stood >= 1_600:
                break
        process.kill()
    assert stood >= 1_600, "the run ended before it could be killed"
    return stood


def test_a_generated_year_makes_sense_to_the_reports(database_url: str) -> None:
    async def story() -> None:
        plan = GroupPlan(properties=1, bookings=3_000, seed=5)
        async with a_database(database_url, plan) as db:
            await generate_group(db, plan)
            start, end = FIRST_NIGHT, date(2026, 1, 1)
            report = await get_kpi_report(db, "hotel-001", start, end)
        assert report.bookings == 3_000
        assert report.cancellation_rate == pytest.approx(0.406, abs=0.03)
        assert report.lead_time_median_days == pytest.approx(74, abs=8)
        assert report.occupancy is not None
        assert 0.1 < report.occupancy < 0.9

    asyncio.run(story())


def test_the_command_answers_and_repeats(database_url: str, tmp_path: Path) -> None:
    url = ("--database-url", database_url, "--json")
    sizes = ("--properties", "2", "--bookings", "300", "--seed", "1", "--room-types", "3")
    assert vacancy("db", "generate", *sizes, *url).code != 0
    assert vacancy("db", "migrate", *url).code == 0
    said = vacancy("db", "generate", *sizes, *url)
    assert said.stderr == ""
    report = said.document
    assert (report["bookings"], report["new"], report["room_types"]) == (300, 300, 3)
    assert (report["first_night"], report["nights"]) == ("2023-01-01", NIGHTS)
    assert vacancy("db", "generate", *sizes, *url).document["new"] == 0
    assert vacancy("db", "verify-inventory", *url).document["bookings"] == 300
    other = vacancy("db", "generate", *sizes, "--from", "2024-02-29", *url)
    assert (other.code, other.refusal["code"]) == (5, "GENERATE_DIFFERS")
    refused = vacancy("db", "generate", *sizes, "--env", "production", *url)
    assert (refused.code, refused.refusal["code"]) == (3, "GENERATE_IN_PRODUCTION")
