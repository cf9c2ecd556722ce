"""`verify_inventory` finds every kind of damage, on both databases, and nothing where there is
none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta

import msgspec
import pytest

from tests.hotels import FIRST_NIGHT, Hotel, a_hotel
from tests.runnable import Statement
from vacancy.bootstrap import open_database, open_house
from vacancy.config import Settings
from vacancy.db.database import Transaction
from vacancy.db.statement import NoRow
from vacancy.errors import Differs, Missing
from vacancy.hotel.admission.state import Line
from vacancy.hotel.booking import booking_of
from vacancy.hotel.bulk import PastBooking, load_past_bookings
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.queries import get_kpi_report, list_properties, list_room_types
from vacancy.hotel.verify import VerifyReport, require_clean, verify_inventory

BOOKED = datetime.fromisoformat("2026-11-01T12:00:00+00:00")
# Night and type that the confirmed booking of two doubles takes, and nobody else.
NIGHT = """
    night = '2027-01-01'
        AND room_type_id = (SELECT id FROM room_types WHERE code = 'double')
"""
CONFIRMED = "(SELECT id FROM bookings WHERE status = 'confirmed')"
CANCELLED = "(SELECT id FROM bookings WHERE status = 'cancelled')"
DAY_USE = "(SELECT id FROM bookings WHERE check_in = check_out)"

Found = tuple[str, str, str]
"""Kind, field, source."""


class Damage(msgspec.Struct, frozen=True):
    """Changes that no verb makes, and what must be found; more may be."""

    name: str
    sql: tuple[str, ...]
    found: frozenset[Found]


def damage(name: str, *sql: str, found: set[Found]) -> Damage:
    return Damage(name, sql, frozenset(found))


def by_night(field: str) -> set[Found]:
    return {("night", field, "bookings"), ("night", field, "ledger")}


DAMAGES = (
    damage(
        "held off by one",
        f"UPDATE room_inventory SET held = held + 1 WHERE {NIGHT}",
        found=by_night("held"),
    ),
    damage(
        "reserved off by one",
        f"UPDATE room_inventory SET reserved = reserved + 1 WHERE {NIGHT}",
        found=by_night("reserved"),
    ),
    damage(
        "rooms_sold off by one",
        f"UPDATE room_inventory SET rooms_sold = rooms_sold - 1 WHERE {NIGHT}",
        found=by_night("rooms_sold"),
    ),
    damage(
        "revenue off by a cent",
        f"UPDATE room_inventory SET room_revenue_minor = room_revenue_minor + 1 WHERE {NIGHT}",
        found=by_night("room_revenue_minor"),
    ),
    damage(
        "a night without inventory",
        f"DELETE FROM room_inventory WHERE {NIGHT}",
        found=by_night("inventory") | by_night("reserved"),
    ),
    *(
        damage(
            f"ledger: {field} off by one",
            f"UPDATE night_ledger SET {field} = {field} + 1"
            f" WHERE {NIGHT} AND booking_id = {CONFIRMED}",
            found={("night", field, "ledger"), ("ledger", field, "bookings")},
        )
        for field in ("held", "reserved", "rooms_sold", "room_revenue_minor")
    ),
    damage(
        "a deleted ledger row",
        f"DELETE FROM night_ledger WHERE {NIGHT} AND booking_id = {CONFIRMED} AND reserved > 0",
        found={("night", "reserved", "ledger"), ("ledger", "reserved", "bookings")},
    ),
    damage(
        "the deleted ledger row of day use",
        f"DELETE FROM night_ledger WHERE booking_id = {DAY_USE}",
        found={("ledger", "entries", "bookings")},
    ),
    damage(
        "a ledger row too many",
        f"""
        INSERT INTO night_ledger (property_id, booking_id, room_type_id, night, held, reserved,
            rooms_sold, room_revenue_minor, at)
        SELECT property_id, booking_id, room_type_id, night, held, reserved, rooms_sold,
            room_revenue_minor, at
        FROM night_ledger
        WHERE {NIGHT} AND booking_id = {CONFIRMED} AND reserved > 0
        """,
        found={
            ("night", "reserved", "ledger"),
            ("ledger", "reserved", "bookings"),
            ("ledger", "room_revenue_minor", "bookings"),
        },
    ),
    damage(
        "a ledger row of another booking",
        f"UPDATE night_ledger SET booking_id = {DAY_USE}"
        f" WHERE {NIGHT} AND booking_id = {CONFIRMED} AND reserved > 0",
        found={("ledger", "reserved", "bookings")},
    ),
    damage(
        "a ledger row of a booking that is not there",
        "UPDATE night_ledger SET booking_id = 5 WHERE reserved > 0",
        found={("ledger", "entries", "bookings")},
    ),
    damage(
        "a status that gives rooms back, set by hand",
        f"UPDATE bookings SET status = 'cancelled' WHERE id = {CONFIRMED}",
        found={
            ("night", "reserved", "bookings"),
            ("night", "rooms_sold", "bookings"),
            ("night", "room_revenue_minor", "bookings"),
            ("ledger", "reserved", "bookings"),
            ("booking_count", "bookings", "bookings"),
            ("booking_count", "stays", "bookings"),
        },
    ),
    damage(
        "a status that takes rooms, set by hand",
        f"UPDATE bookings SET status = 'checked_in' WHERE id = {CANCELLED}",
        found={("night", "reserved", "bookings"), ("booking_count", "bookings", "bookings")},
    ),
    damage(
        "a status that takes the same rooms, set by hand",
        f"UPDATE bookings SET status = 'checked_in' WHERE id = {CONFIRMED}",
        found={("booking_count", "bookings", "bookings")},
    ),
    damage(
        "a provisional booking confirmed by hand",
        "UPDATE bookings SET status = 'confirmed' WHERE status = 'provisional'",
        found={("night", "held", "bookings"), ("night", "reserved", "bookings")},
    ),
    *(
        damage(
            f"{field} of {whose} off by one",
            f"UPDATE booking_counts SET {field} = {field} + 1"
            f" WHERE status = 'confirmed' AND room_type_id {is_whose}",
            found={("booking_count", field, "bookings")},
        )
        for whose, is_whose in (("whole bookings", "= 0"), ("a room type", "<> 0"))
        for field in ("bookings", "room_nights", "value_minor", "stays", "nights_sold")
    ),
    damage(
        "a deleted count",
        "DELETE FROM booking_counts WHERE status = 'confirmed'",
        found={("booking_count", "bookings", "bookings")},
    ),
    damage(
        "whole bookings not counted",
        "DELETE FROM booking_counts WHERE room_type_id = 0",
        found={("booking_count", "bookings", "bookings")},
    ),
    damage(
        "a lead time counted twice",
        "UPDATE lead_time_counts SET bookings = bookings + 1 WHERE lead_days = 61",
        found={("lead_time_count", "bookings", "bookings")},
    ),
    damage(
        "a lead time of another length",
        f"UPDATE bookings SET lead_days = 62 WHERE id = {DAY_USE}",
        found={("lead_time_count", "bookings", "bookings")},
    ),
    damage(
        "a total that is not the sum of its lines",
        f"UPDATE bookings SET total_minor = total_minor + 1 WHERE id = {CONFIRMED}",
        found={("booking", "total_minor", "lines")},
    ),
    damage(
        "a price changed by hand",
        f"UPDATE room_stays SET prices_minor = '[9000, 9001]' WHERE booking_id = {CONFIRMED}",
        found={
            ("booking", "total_minor", "lines"),
            ("night", "room_revenue_minor", "bookings"),
            ("ledger", "room_revenue_minor", "bookings"),
        },
    ),
    damage(
        "a price for a night too few",
        f"UPDATE room_stays SET prices_minor = '[9000]' WHERE booking_id = {CONFIRMED}",
        found={("booking", "nights_with_a_price", "lines"), ("night", "reserved", "bookings")},
    ),
    damage(
        "a line of other nights",
        f"UPDATE room_stays SET check_in = '2026-12-31' WHERE booking_id = {CONFIRMED}",
        found={
            ("booking", "lines_with_other_dates", "lines"),
            ("night", "inventory", "bookings"),
        },
    ),
    damage(
        "more rooms in a line",
        f"UPDATE room_stays SET rooms = rooms + 1 WHERE booking_id = {CONFIRMED}",
        found={("night", "reserved", "bookings"), ("booking_count", "stays", "bookings")},
    ),
    damage(
        "a booking without lines",
        f"DELETE FROM room_stays WHERE booking_id = {CONFIRMED}",
        found={("booking", "lines", "lines"), ("night", "reserved", "bookings")},
    ),
    damage(
        "a booking that is gone",
        "DELETE FROM room_stays WHERE booking_id IN (SELECT id FROM bookings WHERE lead_days = 61)",
        "DELETE FROM bookings WHERE lead_days = 61",
        found={
            ("ledger", "entries", "bookings"),
            ("booking_count", "bookings", "bookings"),
            ("lead_time_count", "bookings", "bookings"),
        },
    ),
)


COUNTED = """
    SELECT arrival, room_type_id, status, bookings, room_nights, value_minor, stays, nights_sold
    FROM booking_counts
    WHERE bookings <> 0
    ORDER BY arrival, room_type_id, status
    """


class Undo(Exception):
    """Ends a transaction whose changes nobody shall see."""


@asynccontextmanager
async def a_busy_hotel(url: str) -> AsyncIterator[Hotel]:
    """A confirmed booking of two doubles, a hold, a cancelled booking, day use (61 days ahead) and
    a complimentary night."""
    async with a_hotel(url) as hotel:
        later = FIRST_NIGHT + timedelta(days=5)
        confirmed = booking_of(await hotel.book(hotel.request(nights=2, rooms=2)))
        booking_of(await hotel.change("confirm", confirmed.id))
        held = hotel.request(later, nights=2, hold_for=timedelta(minutes=15))
        booking_of(await hotel.book(held))
        cancelled = booking_of(await hotel.book(hotel.request(later, nights=3)))
        booking_of(await hotel.change("cancel", cancelled.id))
        db = hotel.house.db
        place = (await list_properties(db))[0]
        single = (await list_room_types(db, "alpine"))[1]
        past = [
            PastBooking(
                property_id=place.id,
                user_id=hotel.guest.user_id,
                check_in=FIRST_NIGHT,
                check_out=FIRST_NIGHT + timedelta(days=len(prices)),
                lines=(Line(single.id, 1, 1, prices),),
                steps=(("checked_out", BOOKED),),
                guest_name="Ada Lovelace",
                guest_email="ada@example.org",
                segment="direct",
                channel="api",
                lead_days=61,
            )
            for prices in ((), (0,))
        ]
        await load_past_bookings(db, past, hotel.house.ids.next, action="test")
        yield hotel


async def change(tx: Transaction, sql: str) -> int:
    return await tx.execute(Statement("test.damage", sql, row=NoRow))


def test_a_clean_database_has_no_differences(database_url: str) -> None:
    async def story() -> None:
        async with a_busy_hotel(database_url) as hotel:
            report = await verify_inventory(hotel.house.db)
            assert report == VerifyReport(
                ok=True,
                nights=800,
                bookings=5,
                ledger_entries=2 * 2 + 2 + 3 + 3 + 1 + 1,
                differences_found=0,
                differences=(),
            )
            require_clean(report)

    asyncio.run(story())


def test_every_kind_of_damage_is_found(database_url: str) -> None:
    """Each is made and looked for in a transaction that is undone."""

    async def story() -> None:
        async with a_busy_hotel(database_url) as hotel:
            for one in DAMAGES:
                found: list[VerifyReport] = []

                async def unit(
                    tx: Transaction, one: Damage = one, found: list[VerifyReport] = found
                ) -> None:
                    for sql in one.sql:
                        assert await change(tx, sql) > 0, f"{one.name} changed nothing"
                    found.append(await verify_inventory(tx))
                    raise Undo

                with pytest.raises(Undo):
                    await hotel.house.db.transact(unit)
                kinds = {(row.kind, row.field, row.source) for row in found[0].differences}
                assert one.found <= kinds, f"{one.name}: {kinds}"
                assert not found[0].ok
                assert found[0].differences_found == len(found[0].differences)
                with pytest.raises(Differs, match="INVENTORY_DIFFERS"):
                    require_clean(found[0])
            assert (await verify_inventory(hotel.house.db)).ok

    asyncio.run(story())


def test_migrations_count_all_bookings_anew(database_url: str) -> None:
    """0006 counts what stands already, whatever the counts before it held; and so does its way
    back."""

    async def story() -> None:
        async with a_busy_hotel(database_url) as hotel:
            booked = await hotel.house.db.adhoc(COUNTED)
            arrivals = date(2027, 1, 1), date(2027, 2, 3)
            before = await get_kpi_report(hotel.house.db, "alpine", *arrivals)
        await migrate_database(database_url, "0005")
        async with open_database(Settings(database_url=database_url, env="test")) as db:
            old = await db.adhoc(
                "SELECT status, CAST(SUM(bookings) AS bigint), CAST(SUM(stays) AS bigint),"
                " CAST(SUM(room_nights) AS bigint) FROM arrival_counts GROUP BY 1 ORDER BY 1"
            )
            assert [tuple(row) for row in old] == [
                ("cancelled", 1, 0, 0),
                ("checked_out", 2, 0, 0),
                ("confirmed", 1, 2, 4),
                ("provisional", 1, 0, 0),
            ]
        await migrate_database(database_url)
        async with open_house(Settings(database_url=database_url, env="test")) as house:
            assert await house.db.adhoc(COUNTED) == booked
            assert await get_kpi_report(house.db, "alpine", *arrivals) == before
            assert (await verify_inventory(house.db)).ok

    asyncio.run(story())


def test_a_difference_says_where_and_how_much(database_url: str) -> None:
    async def story() -> None:
        async with a_busy_hotel(database_url) as hotel:
            db = hotel.house.db
            await db.transact(
                lambda tx: change(tx, f"UPDATE room_inventory SET held = 3 WHERE {NIGHT}")
            )
            first, second = (await verify_inventory(db)).differences
            assert (first.kind, first.property, first.room_type) == ("night", "alpine", "double")
            assert (first.night, first.subject) == (date(2027, 1, 1), None)
            assert (first.field, first.stored, first.expected) == ("held", 3, 0)
            assert (first.source, second.source) == ("bookings", "ledger")

    asyncio.run(story())


def test_the_list_is_bounded_and_the_count_is_not(database_url: str) -> None:
    async def story() -> None:
        async with a_busy_hotel(database_url) as hotel:
            db = hotel.house.db
            await db.transact(lambda tx: change(tx, "UPDATE room_inventory SET held = held + 1"))
            report = await verify_inventory(db, shown=10)
            assert len(report.differences) == 20
            assert report.differences_found == 2 * 800
            counted = await verify_inventory(db, shown=0)
            assert (counted.ok, counted.differences) == (False, ())
            assert counted.differences_found == 2 * 800

    asyncio.run(story())


def test_one_property_alone_can_be_checked(database_url: str) -> None:
    async def story() -> None:
        async with a_busy_hotel(database_url) as hotel:
            db = hotel.house.db
            await db.transact(
                lambda tx: change(
                    tx,
                    "INSERT INTO lead_time_counts (property_id, month, lead_days, bookings)"
                    " VALUES (5, '2027-01-01', 1, 1)",
                )
            )
            alone = await verify_inventory(db, property_code="alpine")
            assert (alone.ok, alone.bookings) == (True, 5)
            assert (await verify_inventory(db)).differences_found == 1
            with pytest.raises(Missing, match="PROPERTY_UNKNOWN"):
                await verify_inventory(db, property_code="nowhere")

    asyncio.run(story())
