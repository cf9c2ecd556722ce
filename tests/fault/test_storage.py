"""A full disk, a file that is no database, a database of the future: refused, data unharmed."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import apsw
import asyncpg
import pytest

from tests.fault.full_disk import full_disk_vfs
from tests.fault.houses import a_house
from tests.fault.promises import broken_promises, list_bookings
from tests.hotels import a_hotel, make_hotel
from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.db.connect import engine_of
from vacancy.errors import EXIT_CODE, HTTP_STATUS, Missing, Unavailable, Unsupported
from vacancy.hotel.booking import booking_of
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.model import Booking
from vacancy.hotel.revisions import REVISIONS


@pytest.mark.parametrize("free_bytes", [0, 100, 5_000, 20_000])
def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path, free_bytes: int) -> None:
    path = tmp_path / "vacancy.db"

    async def story() -> None:
        await migrate_database(f"sqlite:///{path}")
        with full_disk_vfs() as disk:
            async with a_house(path, vfs="full_disk") as house:
                hotel = await make_hotel(house, capacity=500, nights=30)
                booking_of(await hotel.book(hotel.request(key="before")))

                disk.free_bytes = free_bytes
                kept: list[str] = ["before"]
                refused: list[str] = []
                for number in range(30):
                    lot = [f"{number} {each}" for each in range(8)]
                    answers = await asyncio.gather(
                        *(hotel.book(hotel.request(nights=20, key=key)) for key in lot),
                        return_exceptions=True,
                    )
                    for key, answer in zip(lot, answers, strict=True):
                        if isinstance(answer, BaseException):
                            assert isinstance(answer, Unavailable), answer
                            assert answer.code == "STORAGE_FULL"
                            refused.append(key)
                        else:
                            assert isinstance(answer.answer, Booking)
                            kept.append(key)
                    if refused:
                        break
                assert disk.refused and refused
                assert HTTP_STATUS[Unavailable] == 503
                # Reading goes on meanwhile, and finds only what was acknowledged.
                assert len(await list_bookings(house.db)) == len(kept)
                assert await broken_promises(house.db, every_booking_has_a_key=True) == []

                disk.free_bytes = None
                for key in [*kept, *refused]:
                    again = await hotel.book(hotel.request(nights=20, key=key))
                    assert again.replayed == (key in kept)
                assert await broken_promises(house.db, every_booking_has_a_key=True) == []
            with closing(apsw.Connection(str(path))) as connection:
                assert connection.execute("PRAGMA integrity_check").get == "ok"

    asyncio.run(story())


@pytest.mark.parametrize("content", [b"this is a letter and not a database\n" * 400, b"x" * 100])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "letter.db"
    path.write_bytes(content)
    url = f"sqlite:///{path}"

    async def story() -> None:
        with pytest.raises(Unsupported, match="NOT_A_DATABASE") as caught:
            async with open_house(Settings(database_url=url, env="test")):
                raise AssertionError("it was opened")
        assert "VACANCY_DATABASE_URL" in caught.value.hint
        with pytest.raises(Unsupported, match="NOT_A_DATABASE"):
            await migrate_database(url)

    asyncio.run(story())
    assert path.read_bytes() == content
    assert not path.with_name("letter.db-wal").exists()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'nowhere.db'}"

    async def story() -> None:
        with pytest.raises(Missing, match="DATABASE_MISSING"):
            async with open_house(Settings(database_url=url, env="test")):
                raise AssertionError("it was opened")

    asyncio.run(story())
    assert not (tmp_path / "nowhere.db").exists()


def test_a_database_without_our_tables_says_what_to_run(postgres_url: str) -> None:
    async def story() -> None:
        with pytest.raises(Unsupported, match="SCHEMA_MISSING") as caught:
            async with open_house(Settings(database_url=postgres_url, env="test")):
                raise AssertionError("it was opened")
        assert "vacancy db migrate" in caught.value.hint

    asyncio.run(story())


def test_a_database_of_a_newer_version_is_refused_and_unharmed(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            booking_of(await hotel.book(hotel.request(key="before")))
            before = await list_bookings(hotel.house.db)
        await set_revision(database_url, "9999_the_future")

        with pytest.raises(Unsupported, match="SCHEMA_TOO_NEW") as caught:
            async with open_house(Settings(database_url=database_url, env="test")):
                raise AssertionError("it was opened")
        assert "9999_the_future" in caught.value.detail
        assert EXIT_CODE[type(caught.value)] == 8

        await set_revision(database_url, REVISIONS.known[-1])
        async with open_house(Settings(database_url=database_url, env="test")) as house:
            assert await list_bookings(house.db) == before
            assert await broken_promises(house.db) == []

    asyncio.run(story())


async def set_revision(url: str, revision: str) -> None:
    change = f"UPDATE alembic_version SET version_num = '{revision}'"
    if engine_of(url) == "postgresql":
        connection = await asyncpg.connect(url)
        await connection.execute(change)
        await connection.close()
    else:
        with closing(apsw.Connection(url.removeprefix("sqlite:///"))) as file:
            file.execute(change)
