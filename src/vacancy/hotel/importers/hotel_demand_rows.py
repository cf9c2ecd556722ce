"""What a row of the *Hotel booking demand* data set means. Pure: no database, no clock.

N. Antonio, A. de Almeida, L. Nunes, Data in Brief 22 (2019) 41-49, doi 10.1016/j.dib.2018.11.126.
A row is one booking of one room. `docs/import.md` lists the oddities and what becomes of them.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from operator import itemgetter

import msgspec

from vacancy.hotel.model import Status, nights_of

COLUMNS = (
    "hotel",
    "is_canceled",
    "lead_time",
    "arrival_date_year",
    "arrival_date_month",
    "arrival_date_day_of_month",
    "stays_in_weekend_nights",
    "stays_in_week_nights",
    "adults",
    "children",
    "babies",
    "market_segment",
    "distribution_channel",
    "reserved_room_type",
    "agent",
    "company",
    "adr",
    "reservation_status",
    "reservation_status_date",
)
"""Those of the file's columns that we read."""

HOTELS = {"Resort Hotel": "resort", "City Hotel": "city"}
"""The property code of each hotel in the file."""

STATUSES: dict[str, Status] = {
    "Check-Out": "checked_out",
    "Canceled": "cancelled",
    "No-Show": "no_show",
}

MAX_STAY_NIGHTS = 366
MAX_LEAD_DAYS = 3_660
YEARS = range(1990, 2100)
"""A year outside is a slip of the pen, and would ask for inventory up to there."""

_MONTHS = {name: number for number, name in enumerate(calendar.month_name) if name}
_NONE = ("NULL", "NA", "")


class DemandRow(msgspec.Struct, frozen=True, kw_only=True):
    """One booking of one room."""

    line: int
    hotel: str
    """The property code."""
    room_type: str
    """The reserved one: what inventory loses. A lower-case letter."""
    check_in: date
    check_out: date
    """The same day for day use."""
    status: Status
    created_on: date
    changed_on: date
    """The day of the last status; never before `created_on`."""
    lead_days: int
    adults: int
    price_minor: int
    """Of each night, in cents; 0 is a complimentary stay."""
    segment: str
    channel: str
    booker: str
    """`agent-9`, `company-40` or `direct`."""

    @property
    def takes_rooms(self) -> bool:
        """Whether it keeps its rooms in the end."""
        return self.status == "checked_out"


def row_reader(header: Sequence[str]) -> Callable[[int, Sequence[str]], DemandRow]:
    """A function from line and cells to a row. It raises ValueError with the reason to refuse."""
    pick = itemgetter(*(header.index(name) for name in COLUMNS))
    width = len(header)

    def read(line: int, cells: Sequence[str]) -> DemandRow:
        if len(cells) != width:
            raise ValueError(f"{len(cells)} cells where the header has {width}")
        return _read(line, *map(str.strip, pick(cells)))

    return read


def _read(
    line: int,
    hotel: str,
    is_canceled: str,
    lead_time: str,
    year: str,
    month: str,
    day: str,
    weekend_nights: str,
    week_nights: str,
    adults: str,
    children: str,
    babies: str,
    segment: str,
    channel: str,
    room_type: str,
    agent: str,
    company: str,
    adr: str,
    status_name: str,
    status_date: str,
) -> DemandRow:
    if hotel not in HOTELS:
        raise ValueError(f"hotel {hotel!r} is neither of {', '.join(HOTELS)}")
    status = STATUSES.get(status_name)
    if status is None:
        raise ValueError(f"reservation_status {status_name!r} is none of {', '.join(STATUSES)}")
    if is_canceled != ("0" if status == "checked_out" else "1"):
        raise ValueError(f"is_canceled {is_canceled!r} contradicts {status_name}")
    if not (len(room_type) == 1 and room_type.isascii() and room_type.isalpha()):
        raise ValueError(f"reserved_room_type {room_type!r} is no letter")
    if not segment or not channel:
        raise ValueError("market_segment or distribution_channel is empty")
    # Not taken in, but checked: a row with nonsense in one cell is not to be trusted in the others.
    _count("babies", babies)
    if children != "NA":
        _count("children", children)
    check_in = _arrival(year, month, day)
    lead_days = _count("lead_time", lead_time, MAX_LEAD_DAYS)
    nights = _count("stays_in_weekend_nights", weekend_nights) + _count(
        "stays_in_week_nights", week_nights
    )
    if nights > MAX_STAY_NIGHTS:
        raise ValueError(f"{nights} nights; the limit is {MAX_STAY_NIGHTS}")
    created_on = check_in - timedelta(days=lead_days)
    return DemandRow(
        line=line,
        hotel=HOTELS[hotel],
        room_type=room_type.lower(),
        check_in=check_in,
        check_out=check_in + timedelta(days=nights),
        status=status,
        created_on=created_on,
        changed_on=max(created_on, _status_date(status_date)),
        lead_days=lead_days,
        adults=_count("adults", adults),
        price_minor=price_minor(adr),
        segment=segment,
        channel=channel,
        booker=_booker(agent, company),
    )


@lru_cache(maxsize=4096)
def _arrival(year: str, month: str, day: str) -> date:
    try:
        arrival = date(int(year), _MONTHS[month], int(day))
    except (ValueError, KeyError):
        raise ValueError(f"arrival {day} {month} {year} is no date") from None
    if arrival.year not in YEARS:
        raise ValueError(f"arrival year {year} is not from {YEARS.start} to {YEARS.stop - 1}")
    return arrival


@lru_cache(maxsize=4096)
def _status_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"reservation_status_date {text!r} is no date") from None


@lru_cache(maxsize=4096)
def _count(name: str, text: str, most: int = 100_000) -> int:
    number = text.removesuffix(".0")
    if not (number.isascii() and number.isdigit()) or len(number) > 6 or int(number) > most:
        raise ValueError(f"{name} {text!r} is no whole number from 0 to {most}")
    return int(number)


@lru_cache(maxsize=16_384)
def price_minor(adr: str) -> int:
    """Euro to cents, halves to even. Raises ValueError for what is no price."""
    try:
        euro = Decimal(adr)
        cents = (euro * 100).quantize(Decimal(1), ROUND_HALF_EVEN)
        negative = euro < 0  # -0.001 euro is no cent, and yet negative
    except InvalidOperation:
        raise ValueError(f"adr {adr!r} is no amount") from None
    if negative:
        raise ValueError(f"adr {adr} is negative")
    if cents > 100_000_000:
        raise ValueError(f"adr {adr} is over a million")
    return int(cents)


def _booker(agent: str, company: str) -> str:
    for kind, number in (("agent", agent), ("company", company)):
        if number not in _NONE:
            return f"{kind}-{_count(kind, number)}"
    return "direct"


def most_on_the_books(rows: Iterable[DemandRow]) -> dict[tuple[str, str], int]:
    """The capacity of each room type, by hotel and letter: the most rooms of it that were on the
    books for one night at one instant. On the books is what was booked and not yet cancelled or a
    no-show.

    Days are the finest instants in the file. Within a day: cancellations and no-shows of earlier
    bookings, creations, cancellations of the same day's; ties by line.
    """
    events: list[tuple[date, int, int, int, DemandRow]] = []
    for row in rows:
        events.append((row.created_on, 1, row.line, 1, row))
        if not row.takes_rooms:
            order = 0 if row.changed_on > row.created_on else 2
            events.append((row.changed_on, order, row.line, -1, row))
    events.sort(key=itemgetter(0, 1, 2))
    most: dict[tuple[str, str], int] = {}
    on_the_books: dict[tuple[str, str], dict[date, int]] = {}
    for _, _, _, sign, row in events:
        room_type = (row.hotel, row.room_type)
        nights = on_the_books.setdefault(room_type, {})
        highest = most.get(room_type, 0)
        for night in nights_of(row.check_in, row.check_out):
            rooms = nights[night] = nights.get(night, 0) + sign
            highest = max(highest, rooms)
        most[room_type] = highest
    return most
