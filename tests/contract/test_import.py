"""The import of hotel demand data, on both databases: a small file with every oddity, and the real
one where it is there."""

from __future__ import annotations

import asyncio
import csv
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from tests.hotel_demand import (
    REAL,
    SMALL,
    SMALL_REJECTED,
    WHY_SKIPPED,
    capacities,
    kpis,
    months,
    records,
)
from tests.runnable import Statement
from vacancy.bootstrap import House, open_house
from vacancy.config import Settings
from vacancy.db.database import Database, Transaction
from vacancy.errors import Conflict, Invalid, Misconfigured, Missing, VacancyError
from vacancy.hotel.importers.hotel_demand import ImportReport, import_hotel_demand
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.queries import get_kpi_report, list_properties
from vacancy.hotel.setup import NewProperty, create_property
from vacancy.hotel.verify import verify_inventory

FROM, TO = date(2015, 7, 1), date(2017, 9, 1)
HOTELS = ("city", "resort")
COUNTED = ("bookings", "room_stays", "night_ledger", "users", "audit_entries", "outbox_events")


class Imported(msgspec.Struct):
    """A booking that came from the file."""

    source_ref: str
    property: str
    status: str
    check_in: date
    check_out: date
    total_minor: int
    created_at: datetime
    changed_at: datetime
    lead_days: int
    segment: str
    channel: str
    email: str
    room_type: str
    adults: int
    prices_minor: tuple[int, ...]
    ledger: int


class Count(msgspec.Struct):
    number: int


class Capacity(msgspec.Struct):
    property: str
    room_type: str
    capacity: int
    nights: int


LIST_IMPORTED = Statement(
    "test.list_imported",
    """
    SELECT b.source_ref, p.code, b.status, b.check_in, b.check_out, b.total_minor, b.created_at,
        b.changed_at, b.lead_days, b.segment, b.channel, u.email, t.code, s.adults, s.prices_minor,
        (SELECT COUNT(*) FROM night_ledger AS n WHERE n.booking_id = b.id)
    FROM bookings AS b
    JOIN properties AS p ON p.id = b.property_id
    JOIN users AS u ON u.id = b.user_id
    JOIN room_stays AS s ON s.booking_id = b.id
    JOIN room_types AS t ON t.id = s.room_type_id
    """,
    row=Imported,
)
LIST_CAPACITIES = Statement(
    "test.list_capacities",
    """
    SELECT p.code, t.code, i.capacity, COUNT(*)
    FROM room_inventory AS i
    JOIN properties AS p ON p.id = i.property_id
    JOIN room_types AS t ON t.id = i.room_type_id
    GROUP BY p.code, t.code, i.capacity
    """,
    row=Capacity,
)


@asynccontextmanager
async def a_house(url: str) -> AsyncIterator[House]:
    await migrate_database(url)
    async with open_house(Settings(database_url=url, env="test")) as house:
        yield house


async def take_in(house: House, path: Path, folder: Path) -> ImportReport:
    return await import_hotel_demand(
        house.db, path, house.ids.next, rejects_path=folder / "rejects.csv"
    )


async def counts(db: Database) -> dict[str, int]:
    found = {}
    for table in COUNTED:
        rows = await db.fetch_all(
            Statement(f"test.count_{table}", f"SELECT COUNT(*) FROM {table}", row=Count)
        )
        found[table] = rows[0].number
    return found


async def assert_equals_oracle(db: Database, path: Path, rejected: frozenset[int]) -> None:
    """Capacities and every key figure, for the whole period and by month."""
    rows = records(path, rejected)
    most = capacities(rows)
    stored = await db.fetch_all(LIST_CAPACITIES)
    assert {(row.property, row.room_type): row.capacity for row in stored} == {
        (row["hotel"], row["type"]): most[(row["hotel"], row["type"])] for row in rows
    }
    for hotel in HOTELS:
        report = await get_kpi_report(db, hotel, FROM, TO, by="month")
        shown = msgspec.to_builtins(report)
        expected = kpis(rows, most, hotel, FROM, TO)
        assert {key: shown[key] for key in expected} == expected
        periods = list(months(FROM, TO))
        assert [item["month"] for item in shown["items"]] == [f"{m:%Y-%m}" for m, _ in periods]
        for item, (start, end) in zip(shown["items"], periods, strict=True):
            del item["month"]
            assert item == kpis(rows, most, hotel, start, end), f"{hotel} {start}"


def test_a_small_file_with_every_oddity(database_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with a_house(database_url) as house:
            told: list[tuple[int, int]] = []
            report = await import_hotel_demand(
                house.db,
                SMALL,
                house.ids.next,
                rejects_path=tmp_path / "rejects.csv",
                progress=lambda done, of: told.append((done, of)),
                timer=iter([10.0, 12.5]).__next__,
            )
            assert report == ImportReport(
                read=29,
                imported=20,
                rejected=9,
                new=20,
                seconds=2.5,
                rejects_file=str(tmp_path / "rejects.csv"),
            )
            assert (told[0], told[-1]) == ((0, 20), (20, 20))
            assert told == sorted(told)
            await assert_equals_oracle(house.db, SMALL, SMALL_REJECTED)
            assert (await verify_inventory(house.db)).ok

            found = {row.source_ref: row for row in await house.db.fetch_all(LIST_IMPORTED)}
            assert len(found) == 20
            _assert_oddities(
                {int(ref.removeprefix("hotel-demand:")): row for ref, row in found.items()}
            )

    asyncio.run(story())


def _assert_oddities(at: dict[int, Imported]) -> None:
    assert at[2].created_at == datetime(2013, 6, 24, 11, tzinfo=UTC)  # noon of summer time
    assert at[2].lead_days == 737
    assert at[2].prices_minor == (9850, 9850)
    assert msgspec.structs.replace(at[3], source_ref="") == msgspec.structs.replace(
        at[4], source_ref=""
    )
    for day_use in (at[5], at[6]):
        assert day_use.check_in == day_use.check_out == date(2015, 8, 5)
        assert (day_use.prices_minor, day_use.total_minor, day_use.ledger) == ((), 0, 1)
    assert (at[7].adults, at[7].total_minor, at[7].segment) == (0, 0, "Complementary")
    assert (at[8].prices_minor, at[9].prices_minor) == ((1000, 1000), (1002, 1002))
    assert (at[11].status, at[11].ledger) == ("cancelled", 6)
    assert (at[12].status, at[12].ledger) == ("checked_out", 3)
    assert (at[13].created_at, at[13].changed_at) == (at[14].created_at, at[14].created_at)
    assert (at[15].status, at[15].email) == ("no_show", "company-40@hotel-demand.invalid")
    assert at[16].changed_at == at[16].created_at == datetime(2015, 9, 6, 11, tzinfo=UTC)
    assert (at[17].email, at[17].channel) == ("agent-9@hotel-demand.invalid", "TA/TO")
    assert at[17].created_at == datetime(2016, 3, 26, 12, tzinfo=UTC)
    assert at[17].changed_at == datetime(2016, 3, 29, 11, tzinfo=UTC)
    assert at[19].check_out == date(2016, 3, 2)
    assert at[20].email == "direct-city@hotel-demand.invalid"
    assert at[20].total_minor == 4 * 19999
    assert at[31].status == "cancelled"


def test_the_capacity_is_the_most_that_was_on_the_books(database_url: str, tmp_path: Path) -> None:
    """Line 11 gives back before line 12 is booked that day; 13 and 14 were there together."""

    async def story() -> None:
        async with a_house(database_url) as house:
            await take_in(house, SMALL, tmp_path)
            rows = await house.db.fetch_all(LIST_CAPACITIES)
            found = {(row.property, row.room_type): (row.capacity, row.nights) for row in rows}
            resort_nights = (date(2015, 9, 11) - date(2015, 7, 1)).days
            assert found["resort", "a"] == (2, resort_nights)
            assert found["resort", "e"] == (2, resort_nights)
            assert found["resort", "p"] == (1, resort_nights)
            assert found["resort", "f"] == (1, resort_nights)
            assert found["city", "a"] == (1, (date(2016, 11, 1) - date(2015, 12, 30)).days)

    asyncio.run(story())


def test_rejects_say_line_reason_and_row(database_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with a_house(database_url) as house:
            await take_in(house, SMALL, tmp_path)

    asyncio.run(story())
    with (tmp_path / "rejects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["line"]) for row in rows} == SMALL_REJECTED
    lines = SMALL.read_text().splitlines()
    assert all(row["row"] == lines[int(row["line"]) - 1] for row in rows)
    assert [row["reason"] for row in rows] == [
        "adr -6.38 is negative",
        "hotel 'Beach Hotel' is neither of Resort Hotel, City Hotel",
        "arrival 30 February 2016 is no date",
        "reservation_status 'Checked' is none of Check-Out, Canceled, No-Show",
        "is_canceled '1' contradicts Check-Out",
        "lead_time '-6' is no whole number from 0 to 3660",
        "adr 'cheap' is no amount",
        "3 cells where the header has 32",
        "400 nights; the limit is 366",
    ]


def test_running_it_twice_changes_nothing(database_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with a_house(database_url) as house:
            first = await take_in(house, SMALL, tmp_path)
            before = await counts(house.db)
            again = await take_in(house, SMALL, tmp_path)
            assert (again.read, again.imported, again.rejected, again.new) == (29, 20, 9, 0)
            assert first.new == 20
            assert await counts(house.db) == before
            assert before["outbox_events"] == 0
            assert before["audit_entries"] == len(HOTELS)

    asyncio.run(story())


def test_the_rest_of_a_file_completes_it(database_url: str, tmp_path: Path) -> None:
    """As after a cut: some lines stand; nights and capacity that the rest needs are added."""

    async def story() -> None:
        head = tmp_path / "head.csv"
        head.write_text("".join(SMALL.read_text().splitlines(keepends=True)[:12]))
        async with a_house(database_url) as house:
            part = await take_in(house, head, tmp_path)
            assert (part.imported, part.rejected) == (10, 1)
            whole = await take_in(house, SMALL, tmp_path)
            assert (whole.imported, whole.new) == (20, 10)
            await assert_equals_oracle(house.db, SMALL, SMALL_REJECTED)
            assert (await verify_inventory(house.db)).ok

    asyncio.run(story())


HEADER = SMALL.read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (None, Missing, "FILE_MISSING"),
        (b"", Invalid, "FILE_EMPTY"),
        (HEADER.encode(), Invalid, "FILE_EMPTY"),
        (b"name,price\na,1\n", Invalid, "COLUMNS_MISSING"),
        (b"SQLite format 3\x00\x10\x00", Invalid, "COLUMNS_MISSING"),
        (SMALL.read_bytes() + b"Caf\xe9,1\n", Invalid, "FILE_NOT_UTF8"),
        (SMALL.read_bytes() + b"a" * 200_000, Invalid, "FILE_NOT_CSV"),
    ],
)
def test_a_file_that_is_no_such_csv_is_refused_whole(
    tmp_path: Path, content: bytes | None, kind: type[VacancyError], code: str
) -> None:
    async def story() -> None:
        path = tmp_path / "given.csv"
        if content is not None:
            path.write_bytes(content)
        async with a_house(f"sqlite:///{tmp_path / 'vacancy.db'}") as house:
            with pytest.raises(kind) as caught:
                await take_in(house, path, tmp_path)
            assert caught.value.code == code
            assert str(path) in caught.value.detail
            assert await list_properties(house.db) == []
        assert not (tmp_path / "rejects.csv").exists()

    asyncio.run(story())


def test_a_rejects_file_that_cannot_be_written_stops_the_import(tmp_path: Path) -> None:
    async def story() -> None:
        async with a_house(f"sqlite:///{tmp_path / 'vacancy.db'}") as house:
            with pytest.raises(Misconfigured, match="REJECTS_FILE_FAILED: The 9 refused rows"):
                await take_in(house, SMALL, tmp_path / "no such folder")
            assert await list_properties(house.db) == []

    asyncio.run(story())


def test_rejects_go_to_the_working_directory_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with a_house(f"sqlite:///{tmp_path / 'vacancy.db'}") as house:
            report = await import_hotel_demand(house.db, SMALL, house.ids.next)
            assert report.rejects_file == "hotel_demand_small.rejects.csv"

    monkeypatch.chdir(tmp_path)
    asyncio.run(story())
    assert (tmp_path / "hotel_demand_small.rejects.csv").exists()


def test_another_hotel_of_that_name_is_left_alone(database_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with a_house(database_url) as house:
            mine = NewProperty(
                code="city",
                name="My City Inn",
                currency="USD",
                time_zone="America/New_York",
                room_types=(),
                first_night=FROM,
                nights=0,
            )

            async def unit(tx: Transaction) -> None:
                await create_property(tx, mine, house.ids.next)

            await house.db.transact(unit)
            with pytest.raises(Conflict) as caught:
                await take_in(house, SMALL, tmp_path)
            assert caught.value.code == "PROPERTY_TAKEN"
            assert (await counts(house.db))["bookings"] == 0

    asyncio.run(story())


def test_another_file_does_not_mix_with_the_first(database_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        other = tmp_path / "other.csv"
        lines = SMALL.read_text().splitlines(keepends=True)
        other.write_text("".join([lines[0], *reversed(lines[1:])]))
        async with a_house(database_url) as house:
            await take_in(house, SMALL, tmp_path)
            before = await counts(house.db)
            with pytest.raises(Conflict) as caught:
                await take_in(house, other, tmp_path)
            assert caught.value.code == "IMPORT_DIFFERS"
            assert await counts(house.db) == before

    asyncio.run(story())


@pytest.mark.skipif(not REAL.exists(), reason=WHY_SKIPPED)
def test_the_real_file_killed_half_way_and_run_again(database_url: str, tmp_path: Path) -> None:
    """119,390 real bookings: kill -9 after some commits, then to its end, then once more; sums and
    key figures against those computed from the file."""
    asyncio.run(migrate_database(database_url))
    stood = _import_and_kill(database_url, REAL, tmp_path)

    async def story() -> None:
        async with a_house(database_url) as house:
            cut = (await counts(house.db))["bookings"]
            assert stood <= cut < 119_389
            assert (await verify_inventory(house.db)).ok
            report = await take_in(house, REAL, tmp_path)
            assert (report.read, report.imported, report.rejected) == (119_390, 119_389, 1)
            assert report.new == 119_389 - cut
            again = await take_in(house, REAL, tmp_path)
            assert (again.imported, again.new) == (119_389, 0)
            await assert_equals_oracle(house.db, REAL, frozenset())
            assert (await verify_inventory(house.db)).ok

    asyncio.run(story())


def _import_and_kill(url: str, path: Path, folder: Path) -> int:
    """Kills an import after its third commit at the least; answers how many rows stood by then."""
    command = [sys.executable, "-m", "tests.import_process", url, str(path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [*command, str(folder / "rejects.csv")], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        stood = 0
        for told in process.stdout:
            stood = int(told.split()[0])
            if stood >= 6_000:
                break
        process.kill()
    assert stood >= 6_000, "the import ended before it could be killed"
    return stood
