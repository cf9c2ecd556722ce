"""Rows of the hotel demand file: what each cell means, and which rows cannot be taken."""

from __future__ import annotations

import re
from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vacancy.hotel.importers.hotel_demand import noon
from vacancy.hotel.importers.hotel_demand_rows import (
    COLUMNS,
    DemandRow,
    most_on_the_books,
    price_minor,
    row_reader,
)
from vacancy.hotel.model import Status

GOOD = {
    "hotel": "Resort Hotel",
    "is_canceled": "0",
    "lead_time": "10",
    "arrival_date_year": "2016",
    "arrival_date_month": "February",
    "arrival_date_day_of_month": "28",
    "stays_in_weekend_nights": "1",
    "stays_in_week_nights": "2",
    "adults": "2",
    "children": "1",
    "babies": "0",
    "market_segment": "Online TA",
    "distribution_channel": "TA/TO",
    "reserved_room_type": "D",
    "agent": "240",
    "company": "NULL",
    "adr": "75.5",
    "reservation_status": "Check-Out",
    "reservation_status_date": "2016-03-02",
}
READ = row_reader(COLUMNS)


def read(**cells: str) -> DemandRow:
    return READ(7, [{**GOOD, **cells}[name] for name in COLUMNS])


def test_a_row_is_one_booking_of_one_room() -> None:
    assert read() == DemandRow(
        line=7,
        hotel="resort",
        room_type="d",
        check_in=date(2016, 2, 28),
        check_out=date(2016, 3, 2),
        status="checked_out",
        created_on=date(2016, 2, 18),
        changed_on=date(2016, 3, 2),
        lead_days=10,
        adults=2,
        price_minor=7550,
        segment="Online TA",
        channel="TA/TO",
        booker="agent-240",
    )


def test_columns_are_found_by_name_in_any_order() -> None:
    header = ["country", *reversed(COLUMNS)]
    cells = ["PRT", *(GOOD[name] for name in reversed(COLUMNS))]
    assert row_reader(header)(7, cells) == read()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"children": "NA"}, {"adults": 2}),
        ({"children": "2.0"}, {"adults": 2}),
        ({"adults": "0", "children": "0"}, {"adults": 0}),
        ({"adr": "0"}, {"price_minor": 0}),
        ({"agent": "NULL"}, {"booker": "direct"}),
        ({"agent": "       NULL", "company": "40"}, {"booker": "company-40"}),
        ({"company": "40"}, {"booker": "agent-240"}),
        ({"reserved_room_type": "D  "}, {"room_type": "d"}),
        ({"lead_time": "0"}, {"created_on": date(2016, 2, 28)}),
        (
            {"stays_in_weekend_nights": "0", "stays_in_week_nights": "0"},
            {"check_out": date(2016, 2, 28)},
        ),
        ({"is_canceled": "1", "reservation_status": "Canceled"}, {"status": "cancelled"}),
        ({"is_canceled": "1", "reservation_status": "No-Show"}, {"status": "no_show"}),
        ({"reservation_status_date": "2015-01-01"}, {"changed_on": date(2016, 2, 18)}),
    ],
)
def test_oddities_that_are_taken(cells: dict[str, str], expected: dict[str, object]) -> None:
    row = read(**cells)
    assert {name: getattr(row, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"hotel": "Beach Hotel"}, "hotel 'Beach Hotel' is neither"),
        ({"adr": "-0.01"}, "adr -0.01 is negative"),
        ({"adr": "-0.001"}, "adr -0.001 is negative"),
        ({"adr": "NaN"}, "adr 'NaN' is no amount"),
        ({"adr": "Infinity"}, "adr 'Infinity' is no amount"),
        ({"adr": ""}, "adr '' is no amount"),
        ({"adr": "1000000.01"}, "over a million"),
        ({"lead_time": "-1"}, "lead_time '-1' is no whole number"),
        ({"lead_time": "3661"}, "from 0 to 3660"),
        ({"stays_in_week_nights": "366"}, "367 nights; the limit is 366"),
        ({"stays_in_week_nights": "many"}, "stays_in_week_nights 'many'"),
        ({"adults": "²"}, "adults '²' is no whole number"),
        ({"babies": "1.5"}, "babies '1.5' is no whole number"),
        ({"agent": "Thomas"}, "agent 'Thomas' is no whole number"),
        ({"arrival_date_month": "Febuary"}, "arrival 28 Febuary 2016 is no date"),
        ({"arrival_date_day_of_month": "30"}, "arrival 30 February 2016 is no date"),
        ({"arrival_date_year": "3016"}, "arrival year 3016 is not from 1990 to 2099"),
        ({"reservation_status": "Expected"}, "reservation_status 'Expected' is none of"),
        ({"reservation_status_date": "NULL"}, "reservation_status_date 'NULL' is no date"),
        ({"is_canceled": "1"}, "is_canceled '1' contradicts Check-Out"),
        ({"reserved_room_type": "NULL"}, "reserved_room_type 'NULL' is no letter"),
        ({"market_segment": ""}, "is empty"),
    ],
)
def test_rows_that_are_refused(cells: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        read(**cells)


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="3 cells where the header has 19"):
        READ(7, ["a", "b", "c"])


@given(st.integers(0, 10_000_000))
def test_prices_round_halves_to_even(tenths: int) -> None:
    """In tenths of a cent, as text of three decimals."""
    cents, rest = divmod(tenths, 10)
    expected = cents + (rest > 5 or (rest == 5 and cents % 2 == 1))
    assert price_minor(f"{tenths // 1000}.{tenths % 1000:03}") == expected


def test_noon_follows_the_hotel_s_zone() -> None:
    assert [noon(day).hour for day in (date(2016, 3, 26), date(2016, 3, 27))] == [12, 11]


def a_row(line: int, booked: int, ended: int | None, nights: int = 1) -> DemandRow:
    """A booking of the nights from 10 January on, booked and given back on days of January."""
    check_in = date(2016, 1, 10)
    status: Status = "checked_out" if ended is None else "cancelled"
    return msgspec.structs.replace(
        read(),
        line=line,
        check_in=check_in,
        check_out=check_in + timedelta(days=nights),
        created_on=date(2016, 1, booked),
        changed_on=date(2016, 1, ended or 12),
        status=status,
    )


@pytest.mark.parametrize(
    ("rows", "most"),
    [
        ([a_row(1, 1, 5), a_row(2, 5, None)], 1),  # the earlier booking gives back first
        ([a_row(1, 5, 5), a_row(2, 5, None)], 2),  # a same-day cancellation comes last
        ([a_row(1, 1, 4), a_row(2, 5, None)], 1),
        ([a_row(1, 1, 6), a_row(2, 5, None)], 2),
        ([a_row(1, 1, None, nights=0)], 0),  # day use takes no room
    ],
)
def test_capacity_is_what_was_ever_on_the_books(rows: list[DemandRow], most: int) -> None:
    assert most_on_the_books(rows) == {("resort", "d"): most}
    assert most_on_the_books(reversed(rows)) == {("resort", "d"): most}
