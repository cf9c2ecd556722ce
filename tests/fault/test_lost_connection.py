"""PostgreSQL is lost, also in the middle of a commit: the answer is true or says that it is not
known, a key books once, and all goes on by itself when the database is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.fault.promises import broken_promises, list_bookings
from tests.fault.proxy import CutAt, Proxy, proxied
from tests.hotels import FIRST_NIGHT, HandClock, Hotel, a_hotel, join_hotel
from tests.runnable import Statement
from tests.scratch_migrations import migrate_scratch, revision_of, write_family
from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.db import migration_door
from vacancy.db.database import Transaction
from vacancy.db.postgres import database as postgres_database
from vacancy.db.statement import NoRow
from vacancy.errors import HTTP_STATUS, Unavailable
from vacancy.hotel.booking import booking_of
from vacancy.hotel.model import Booking
from vacancy.hotel.queries import check_room_availability

WELL_OVER_SILENT_S = 10
CONNECTIONS = 3
ALONE = 1
"""One connection, and so one batch after the other: the COMMIT that is cut is the one we mean."""


class _Name(msgspec.Struct, frozen=True):
    name: str


@asynccontextmanager
async def behind_a_proxy(
    url: str, connections: int = ALONE
) -> AsyncIterator[tuple[Hotel, Hotel, Proxy]]:
    """A hotel whose connections we can lose, the same one reached directly, and the proxy."""
    async with a_hotel(url, capacity=200) as direct, proxied(url) as (proxy, through):
        settings = Settings(database_url=through, env="test", database_connections=connections)
        async with open_house(settings, HandClock()) as house:
            yield join_hotel(house, direct), direct, proxy


def test_a_commit_whose_answer_was_lost_is_found_by_its_key(postgres_url: str) -> None:
    async def story() -> None:
        async with behind_a_proxy(postgres_url) as (hotel, direct, proxy):

            async def shown() -> int:
                """May be a second old, but no older than our own bookings."""
                reads, until = hotel.house.reads, FIRST_NIGHT + timedelta(days=1)
                found = await check_room_availability(reads, "alpine", "double", FIRST_NIGHT, until)
                return found.available

            before = await shown()
            proxy.cut_at = "after"
            requests = [hotel.request(key=f"key {number}") for number in range(8)]
            outcomes = await asyncio.gather(*(hotel.book(request) for request in requests))
            assert await shown() == before - 8
            assert proxy.cuts == 1
            ids = [booking_of(outcome).id for outcome in outcomes]
            assert len(set(ids)) == 8
            again = [booking_of(await hotel.book(request)).id for request in requests]
            assert again == ids
            assert len(await list_bookings(direct.house.db)) == 8
            assert await broken_promises(direct.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


@pytest.mark.parametrize(("cut_at", "committed"), [("before", False), ("after", True)])
@pytest.mark.parametrize("away", [False, True])
def test_an_unknown_outcome_is_said_and_the_key_tells_it(
    postgres_url: str, cut_at: CutAt, committed: bool, away: bool
) -> None:
    async def story() -> None:
        async with behind_a_proxy(postgres_url) as (hotel, direct, proxy):
            proxy.cut_at, proxy.away_after_cut = cut_at, away
            keyed, bare = hotel.request(key="key"), hotel.request()
            outcome, unkeyed = await asyncio.gather(
                hotel.book(keyed), hotel.book(bare), return_exceptions=True
            )
            assert proxy.cuts == 1
            # Nobody can tell what became of a request without a key.
            assert isinstance(unkeyed, Unavailable) and unkeyed.code == "OUTCOME_UNKNOWN"
            if committed and not away:
                assert not isinstance(outcome, BaseException)
                assert isinstance(outcome.answer, Booking)
            else:
                assert isinstance(outcome, Unavailable) and outcome.code == "OUTCOME_UNKNOWN"
                assert HTTP_STATUS[type(outcome)] == 503
                assert "Idempotency-Key" in outcome.hint

            proxy.bring_back()
            again = await hotel.book(keyed)
            assert again.replayed == committed
            booking = booking_of(again)
            assert booking_of(await hotel.book(keyed)).id == booking.id
            stored = await list_bookings(direct.house.db)
            assert [str(row.id) for row in stored].count(booking.id) == 1
            # With the COMMIT both were written or neither; the retry then wrote the keyed one.
            assert len(stored) == (2 if committed else 1)
            assert await broken_promises(direct.house.db) == []

    asyncio.run(story())


def test_a_lost_commit_of_a_verb_is_found_by_its_key(postgres_url: str) -> None:
    async def story() -> None:
        async with behind_a_proxy(postgres_url) as (hotel, direct, proxy):
            booking = booking_of(await hotel.book(hotel.request(key="create")))
            proxy.cut_at = "after"
            with pytest.raises(Unavailable, match="OUTCOME_UNKNOWN"):
                await hotel.change("confirm", booking.id)
            # It did happen, and a second time is refused, not done.
            again = await hotel.change("confirm", booking.id)
            assert not isinstance(again.answer, Booking)
            assert [row.status for row in await list_bookings(direct.house.db)] == ["confirmed"]
            assert await broken_promises(direct.house.db) == []

    asyncio.run(story())


def test_many_lost_connections_do_not_poison_the_pool(postgres_url: str) -> None:
    async def story() -> None:
        async with behind_a_proxy(postgres_url, CONNECTIONS) as (hotel, direct, proxy):
            cuts: list[CutAt] = ["before", "after"] * (2 * CONNECTIONS)
            for number, cut_at in enumerate(cuts):
                proxy.cut_at = cut_at
                request = hotel.request(key=f"key {number}")
                (first,) = await asyncio.gather(hotel.book(request), return_exceptions=True)
                if cut_at == "before":
                    assert isinstance(first, Unavailable) and first.code == "OUTCOME_UNKNOWN"
                else:
                    assert not isinstance(first, BaseException)
                    assert isinstance(first.answer, Booking)
                # The next one works at once: no dead connection is handed out.
                booking_of(await hotel.book(request))
            assert proxy.cuts == len(cuts)
            assert len(await list_bookings(direct.house.db)) == len(cuts)
            assert await broken_promises(direct.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


def test_a_connection_lost_anywhere_in_a_batch_is_503_or_true(postgres_url: str) -> None:
    """Cut after one message, after two, and so on until a whole batch has passed uncut."""

    async def story() -> None:
        async with behind_a_proxy(postgres_url, CONNECTIONS) as (hotel, direct, proxy):
            keys: list[str] = []
            for messages in range(100):
                proxy.cut_in = messages
                lot = [f"{messages} {number}" for number in range(3)]
                keys += lot
                answers = await asyncio.gather(
                    *(hotel.book(hotel.request(key=key)) for key in lot), return_exceptions=True
                )
                for answer in answers:
                    if isinstance(answer, BaseException):
                        assert isinstance(answer, Unavailable), answer
                        assert answer.code in ("DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN")
                uncut = proxy.cut_in is not None
                proxy.cut_in = None
                for key in lot:
                    booking_of(await hotel.book(hotel.request(key=key)))
                if uncut:
                    break
            assert proxy.cuts >= 5  # BEGIN, the statements, COMMIT
            assert len(await list_bookings(direct.house.db)) == len(keys)
            assert await broken_promises(direct.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


def test_a_database_that_is_away_is_503_and_back_by_itself(postgres_url: str) -> None:
    async def story() -> None:
        async with behind_a_proxy(postgres_url, CONNECTIONS) as (hotel, direct, proxy):
            booking_of(await hotel.book(hotel.request(key="before")))
            for round_number in range(3):
                proxy.take_away()
                for number in range(CONNECTIONS + 1):
                    with pytest.raises(Unavailable, match="DATABASE_UNAVAILABLE"):
                        await hotel.book(hotel.request(key=f"away {number}"))
                    with pytest.raises(Unavailable, match="DATABASE_UNAVAILABLE"):
                        await list_bookings(hotel.house.db)
                proxy.bring_back()
                outcomes = await asyncio.gather(
                    *(hotel.book(hotel.request(key=f"back {round_number} {n}")) for n in range(5))
                )
                assert all(isinstance(outcome.answer, Booking) for outcome in outcomes)
            # Of those that were refused meanwhile nothing was written.
            assert len(await list_bookings(direct.house.db)) == 1 + 3 * 5
            assert await broken_promises(direct.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


def test_a_silent_database_is_503_in_bounded_time(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is refused and nothing is answered: our own timeouts must end it."""
    monkeypatch.setattr(postgres_database, "SILENT_S", 0.3)
    monkeypatch.setattr(postgres_database, "CONNECT_TIMEOUT_S", 0.3)

    async def story() -> None:
        async with behind_a_proxy(postgres_url) as (hotel, direct, proxy):
            booking_of(await hotel.book(hotel.request(key="before")))
            proxy.fall_silent()
            async with asyncio.timeout(WELL_OVER_SILENT_S):
                for number in range(3):
                    with pytest.raises(Unavailable, match="DATABASE_UNAVAILABLE") as read:
                        await list_bookings(hotel.house.db)
                    assert HTTP_STATUS[type(read.value)] == 503
                    with pytest.raises(Unavailable, match="DATABASE_UNAVAILABLE"):
                        await hotel.book(hotel.request(key=f"silent {number}"))
            proxy.speak_again()
            booking_of(await hotel.book(hotel.request(key="after")))
            assert len(await list_bookings(direct.house.db)) == 2
            assert await broken_promises(direct.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


def test_a_database_that_falls_silent_at_a_commit_leaves_the_outcome_unknown(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_database, "SILENT_S", 0.3)
    monkeypatch.setattr(postgres_database, "CONNECT_TIMEOUT_S", 0.3)

    async def story() -> None:
        async with behind_a_proxy(postgres_url) as (hotel, direct, proxy):
            proxy.cut_at = "silent"
            request = hotel.request(key="key")
            async with asyncio.timeout(WELL_OVER_SILENT_S):
                with pytest.raises(Unavailable, match="OUTCOME_UNKNOWN"):
                    await hotel.book(request)
            assert proxy.cuts == 1
            proxy.speak_again()
            booking_of(await hotel.book(request))
            assert len(await list_bookings(direct.house.db)) == 1
            assert await broken_promises(direct.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


@pytest.mark.parametrize("cut_at", ["before", "after", "in"])
def test_a_connection_lost_in_a_migration_is_said(
    postgres_url: str, cut_at: str, tmp_path: Path
) -> None:
    write_family(tmp_path)

    async def story() -> None:
        async with proxied(postgres_url) as (proxy, through):
            if cut_at == "in":
                proxy.cut_in = 8  # in the middle of a revision, before its COMMIT
            elif cut_at == "before":
                proxy.cut_at = "before"
            else:
                proxy.cut_at = "after"
            with pytest.raises(Unavailable) as lost:
                await migrate_scratch(through, tmp_path)
            assert proxy.cuts == 1
            if cut_at == "in":
                assert lost.value.code == "DATABASE_UNAVAILABLE"
            else:
                assert lost.value.code == "OUTCOME_UNKNOWN"
                assert "`vacancy db migrate`" in lost.value.hint
                assert "Idempotency-Key" not in lost.value.hint
            # The lock went with the connection, and a revision is there whole or not at all.
            assert await revision_of(through) == ("0001" if cut_at == "after" else None)
            await migrate_scratch(through, tmp_path)
            assert await revision_of(through) == "0002"

    asyncio.run(story())


def test_a_database_that_falls_silent_in_a_migration_is_given_up(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_family(tmp_path)
    for name in ("SILENT_S", "CONNECT_TIMEOUT_S", "_STATEMENT_S"):
        monkeypatch.setattr(migration_door, name, 0.3)

    async def story() -> None:
        async with proxied(postgres_url) as (proxy, through):
            proxy.cut_at = "silent"
            async with asyncio.timeout(WELL_OVER_SILENT_S):
                with pytest.raises(Unavailable, match="OUTCOME_UNKNOWN"):
                    await migrate_scratch(through, tmp_path)

    asyncio.run(story())


def test_a_connection_lost_between_two_statements_undoes_the_unit(postgres_url: str) -> None:
    async def story() -> None:
        async with behind_a_proxy(postgres_url) as (hotel, direct, proxy):
            touch = Statement("test.touch", "UPDATE properties SET name = 'changed'", row=NoRow)

            async def unit(tx: Transaction) -> None:
                await tx.execute(touch)
                proxy.take_away()
                await tx.execute(touch)

            with pytest.raises(Unavailable, match="DATABASE_UNAVAILABLE"):
                await hotel.house.db.transact(unit)
            proxy.bring_back()
            assert isinstance((await hotel.book(hotel.request())).answer, Booking)
            name = Statement("test.name", "SELECT name FROM properties", row=_Name)
            assert await direct.house.db.fetch_all(name) == [_Name("Hotel Alpine")]

    asyncio.run(story())
