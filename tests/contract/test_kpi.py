"""Key figures by the formulas of the field, on both databases."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import median

import msgspec
import pytest

from tests.hotels import FIRST_NIGHT, Hotel, a_hotel
from tests.runnable import Statement
from vacancy.db.database import Transaction
from vacancy.db.statement import NoRow
from vacancy.errors import Invalid, Missing
from vacancy.hotel.admission.state import Line
from vacancy.hotel.booking import booking_of
from vacancy.hotel.bulk import PastBooking, load_past_bookings
from vacancy.hotel.model import Status
from vacancy.hotel.queries import get_kpi_report, list_properties, list_room_types
from vacancy.hotel.queries.reports import KpiReport, whole_months

KEYS = (
    "rooms_available",
    "rooms_sold",
    "rooms_revenue_minor",
    "occupancy",
    "adr_minor",
    "revpar_minor",
    "alos",
    "lead_time_mean_days",
    "lead_time_median_days",
    "bookings",
    "cancellations",
    "no_shows",
    "cancellation_rate",
    "no_show_rate",
    "currency",
    "basis",
)
BOOKED = datetime.fromisoformat("2026-12-01T12:00:00+00:00")
JANUARY, FEBRUARY, MARCH = date(2027, 1, 1), date(2027, 2, 1), date(2027, 3, 1)


class Sum(msgspec.Struct):
    room_nights: int
    revenue_minor: int


SUM_LEDGER = Statement(
    "test.sum_ledger",
    """
    SELECT
        CAST(COALESCE(SUM(rooms_sold), 0) AS bigint),
        CAST(COALESCE(SUM(room_revenue_minor), 0) AS bigint)
    FROM night_ledger
    WHERE night >= :from_date AND night < :to_date
    """,
    row=Sum,
)


async def write(
    hotel: Hotel,
    check_in: date,
    prices: Sequence[int],
    *,
    status: Status = "checked_out",
    rooms: int = 1,
    lead_days: int = 10,
    day: int = 0,
) -> None:
    """A booking of singles with its history, `day` days after check_in; without prices day use."""
    db = hotel.house.db
    place = (await list_properties(db))[0]
    single = next(one for one in await list_room_types(db, "alpine") if one.code == "single")
    arrival = check_in + timedelta(days=day)
    booking = PastBooking(
        property_id=place.id,
        user_id=hotel.guest.user_id,
        check_in=arrival,
        check_out=arrival + timedelta(days=len(prices)),
        lines=(Line(single.id, rooms, rooms, tuple(prices)),),
        steps=(("confirmed", BOOKED), (status, BOOKED + timedelta(days=1))),
        guest_name="Ada Lovelace",
        guest_email="ada@example.org",
        segment="direct",
        channel="api",
        lead_days=lead_days,
    )
    await load_past_bookings(db, [booking], hotel.house.ids.next, action="test")


async def report(hotel: Hotel, start: date, end: date, *, by_month: bool = False) -> KpiReport:
    return await get_kpi_report(
        hotel.house.db, "alpine", start, end, by="month" if by_month else None
    )


def test_every_figure_by_its_formula(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=5) as hotel:
            await write(hotel, JANUARY, [100, 101], lead_days=1)
            await write(hotel, JANUARY, [200], rooms=2, lead_days=2)
            await write(hotel, JANUARY, [0, 0, 0], lead_days=3)  # complimentary
            await write(hotel, JANUARY, [], lead_days=4)  # day use
            await write(hotel, JANUARY, [900], status="cancelled", lead_days=50)
            await write(hotel, JANUARY, [900], status="no_show", lead_days=6)
            found = await report(hotel, JANUARY, date(2027, 1, 3))
            assert found == KpiReport(
                property="alpine",
                from_date=JANUARY,
                to_date=date(2027, 1, 3),
                rooms_available=2 * 15,
                rooms_sold=4,
                rooms_revenue_minor=601,
                occupancy=0.133333,
                adr_minor=150,  # 150.25
                revpar_minor=20,  # 20.03
                alos=1.333333,  # 4 room nights of 3 stays
                lead_time_mean_days=11.0,
                lead_time_median_days=3.5,
                bookings=6,
                cancellations=1,
                no_shows=1,
                cancellation_rate=0.166667,
                no_show_rate=0.2,
                currency="EUR",
                basis="sellable",
            )
            shown = msgspec.to_builtins(found)
            assert sorted(shown) == sorted([*KEYS, "property", "from", "to"])

    asyncio.run(story())


@pytest.mark.parametrize(("prices", "adr_minor"), [([12, 13], 12), ([13, 14], 14)])
def test_half_a_cent_goes_to_the_even_side(
    database_url: str, prices: list[int], adr_minor: int
) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            await write(hotel, JANUARY, prices)
            assert (await report(hotel, JANUARY, FEBRUARY)).adr_minor == adr_minor

    asyncio.run(story())


def test_nights_count_by_night_and_bookings_by_arrival(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            await write(hotel, date(2027, 1, 30), [100, 100, 300], lead_days=8)
            await write(hotel, date(2027, 2, 10), [50], lead_days=5, status="cancelled")
            found = await report(hotel, JANUARY, MARCH, by_month=True)
            assert isinstance(found.items, tuple)
            january, february = found.items
            assert (january.month, february.month) == ("2027-01", "2027-02")
            assert (january.rooms_sold, february.rooms_sold, found.rooms_sold) == (2, 1, 3)
            assert (january.adr_minor, february.adr_minor, found.adr_minor) == (100, 300, 167)
            assert (january.bookings, february.bookings, found.bookings) == (1, 1, 2)
            assert (january.alos, february.alos, found.alos) == (3.0, None, 3.0)
            assert (january.lead_time_median_days, february.lead_time_median_days) == (8.0, 5.0)
            assert found.lead_time_median_days == 6.5
            assert (january.cancellation_rate, february.cancellation_rate) == (0.0, 1.0)
            assert february.no_show_rate is None
            assert january.rooms_available == 31 * 15
            alone = await report(hotel, FEBRUARY, MARCH)
            assert all(getattr(alone, key) == getattr(february, key) for key in KEYS)

    asyncio.run(story())


def test_a_period_that_cuts_months_counts_only_its_part(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            found = await report(hotel, date(2027, 1, 31), date(2027, 2, 2), by_month=True)
            assert isinstance(found.items, tuple)
            assert [(one.month, one.rooms_available) for one in found.items] == [
                ("2027-01", 15),
                ("2027-02", 15),
            ]
            one_day = await report(hotel, date(2027, 12, 31), date(2028, 1, 1), by_month=True)
            assert isinstance(one_day.items, tuple)
            assert [one.month for one in one_day.items] == ["2027-12"]

    asyncio.run(story())


def test_lead_times_are_exact_where_the_period_cuts_months(database_url: str) -> None:
    """Whole months are counted, the parts of others are not: against a clerk who has the list."""

    async def story() -> None:
        rng = random.Random(7)
        async with a_hotel(database_url, capacity=50) as hotel:
            booked: list[tuple[date, int]] = []
            for number in range(120):
                arrival = JANUARY + timedelta(days=rng.randrange(120))
                lead_days = rng.choice((0, 1, 1, 2, 5, 13, 60, 200))
                ended = number % 10 == 0
                await write(
                    hotel,
                    arrival,
                    [100],
                    status="expired" if ended else "no_show",
                    lead_days=lead_days,
                )
                if not ended:
                    booked.append((arrival, lead_days))
            starts = [JANUARY, date(2027, 1, 2), date(2027, 1, 31), FEBRUARY, date(2027, 2, 15)]
            ends = [date(2027, 2, 2), date(2027, 2, 28), MARCH, date(2027, 3, 20), date(2028, 1, 1)]
            for start, end in itertools.product(starts, ends):
                if start >= end:
                    continue
                found = await report(hotel, start, end, by_month=True)
                assert isinstance(found.items, tuple)
                for part in (found, *found.items):
                    month = getattr(part, "month", "")
                    days = [
                        lead_days
                        for arrival, lead_days in booked
                        if start <= arrival < end and arrival.isoformat().startswith(month)
                    ]
                    assert part.bookings == len(days)
                    assert part.lead_time_median_days == (median(days) if days else None)
                    mean_days = part.lead_time_mean_days
                    assert mean_days == (round(sum(days) / len(days), 6) if days else None)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("start", "end", "whole"),
    [
        ("2027-01-01", "2028-01-01", ("2027-01-01", "2028-01-01")),
        ("2027-01-02", "2027-12-31", ("2027-02-01", "2027-12-01")),
        ("2027-01-31", "2027-02-02", ("2027-02-01", "2027-02-01")),
        ("2027-01-02", "2027-01-31", ("2027-01-31", "2027-01-31")),
        ("2027-01-01", "2027-01-31", ("2027-01-01", "2027-01-01")),
        ("9999-12-02", "9999-12-31", ("9999-12-31", "9999-12-31")),
    ],
)
def test_which_months_a_period_has_whole(start: str, end: str, whole: tuple[str, str]) -> None:
    first, after = whole_months(date.fromisoformat(start), date.fromisoformat(end))
    assert (first.isoformat(), after.isoformat()) == whole


def test_the_physical_basis_keeps_out_of_order_in(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:

            async def unit(tx: Transaction) -> None:
                sql = "UPDATE room_inventory SET out_of_order = 2 WHERE night < :before"
                before = date(2027, 1, 11)
                await tx.execute(Statement("test.close", sql, row=NoRow), before=before)

            await hotel.house.db.transact(unit)
            await write(hotel, JANUARY, [100])
            sellable = await report(hotel, JANUARY, FEBRUARY)
            physical = await get_kpi_report(
                hotel.house.db, "alpine", JANUARY, FEBRUARY, basis="physical"
            )
            assert sellable.rooms_available == 31 * 15 - 10 * 2 * 2
            assert physical.rooms_available == 31 * 15
            assert (sellable.basis, physical.basis) == ("sellable", "physical")
            assert physical.rooms_sold == sellable.rooms_sold == 1

    asyncio.run(story())


def test_what_would_divide_by_nothing_is_null(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            found = await report(hotel, date(2020, 1, 1), date(2020, 3, 1), by_month=True)
            shown = msgspec.to_builtins(found)
            numbers = {key: shown[key] for key in KEYS if key not in ("currency", "basis")}
            assert {key for key, value in numbers.items() if value is None} == {
                "occupancy",
                "adr_minor",
                "revpar_minor",
                "alos",
                "lead_time_mean_days",
                "lead_time_median_days",
                "cancellation_rate",
                "no_show_rate",
            }
            assert all(not value for value in numbers.values())
            assert [item["month"] for item in shown["items"]] == ["2020-01", "2020-02"]

    asyncio.run(story())


def test_a_live_booking_counts_through_its_whole_life(database_url: str) -> None:
    """What is held is not sold; a hold that ends by itself was no booking."""

    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            booking = booking_of(await hotel.book(hotel.request(nights=2)))
            held = await report(hotel, JANUARY, FEBRUARY)
            assert (held.bookings, held.rooms_sold, held.alos) == (1, 0, None)
            booking_of(await hotel.change("confirm", booking.id))
            sold = await report(hotel, JANUARY, FEBRUARY)
            assert (sold.bookings, sold.rooms_sold, sold.rooms_revenue_minor) == (1, 2, 18000)
            assert (sold.alos, sold.lead_time_mean_days) == (2.0, 31.0)
            booking_of(await hotel.change("cancel", booking.id))
            ended = await report(hotel, JANUARY, FEBRUARY)
            assert (ended.bookings, ended.rooms_sold, ended.cancellation_rate) == (1, 0, 1.0)

    asyncio.run(story())


def test_a_report_and_the_ledger_agree_to_the_last_cent(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=50) as hotel:
            for day in range(0, 60, 7):
                await write(hotel, JANUARY, [333, 334, 335], day=day)
                booking = booking_of(
                    await hotel.book(hotel.request(FIRST_NIGHT + timedelta(days=day), 4))
                )
                await hotel.change("confirm", booking.id)
                if day % 2:
                    await hotel.change("cancel", booking.id)
            found = await report(hotel, JANUARY, FEBRUARY)
            period = {"from_date": JANUARY, "to_date": FEBRUARY}
            ledger = await hotel.house.db.fetch_one(SUM_LEDGER, **period)
            assert ledger == Sum(found.rooms_sold, found.rooms_revenue_minor)
            assert found.rooms_sold > 0

    asyncio.run(story())


def test_the_number_of_statements_is_fixed(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            for day in range(0, 300, 30):
                await write(hotel, JANUARY, [100], day=day)
            trace = hotel.house.db.trace
            for end in (date(2027, 1, 2), date(2028, 1, 1), date(2036, 1, 1)):
                for by_month in (False, True):
                    trace.reset()
                    await report(hotel, JANUARY, end, by_month=by_month)
                    # On PostgreSQL a heavy statement has settings of its own beside it.
                    counts = {
                        name: calls
                        for name, calls in trace.counts().items()
                        if not name.startswith("db.")
                    }
                    assert counts == {"catalogue.get_property": 1, "reports.sum_period": 1}

    asyncio.run(story())


def test_a_report_is_of_one_moment_while_bookings_are_written(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            seen: set[int] = set()

            async def sell() -> None:
                for number in range(300):
                    if len(seen) == 5:
                        break
                    await write(hotel, JANUARY, [100], day=number % 30)

            selling = asyncio.create_task(sell())
            while not selling.done():
                found = await report(hotel, JANUARY, FEBRUARY, by_month=True)
                # One night of each booking: any other sum is of two moments.
                assert (found.rooms_sold, found.rooms_revenue_minor) == (
                    found.bookings,
                    found.bookings * 100,
                )
                if len(seen) < 5:
                    seen.add(found.bookings)
                await asyncio.sleep(0)
            await selling
            assert len(seen) == 5, "the reports did not run beside the writing"

    asyncio.run(story())


def test_what_is_wrong_is_said(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            with pytest.raises(Missing, match="PROPERTY_UNKNOWN"):
                await get_kpi_report(hotel.house.db, "nowhere", JANUARY, FEBRUARY)
            with pytest.raises(Invalid, match="PERIOD_INVALID: to 2027-01-01 is not after"):
                await report(hotel, JANUARY, JANUARY)
            with pytest.raises(Invalid, match="PERIOD_INVALID"):
                await report(hotel, FEBRUARY, JANUARY)
            with pytest.raises(Invalid, match="PERIOD_TOO_LONG: The period has 3661 days"):
                await report(hotel, JANUARY, JANUARY + timedelta(days=3661))

    asyncio.run(story())
