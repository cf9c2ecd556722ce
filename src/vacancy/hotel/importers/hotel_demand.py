"""Imports the *Hotel booking demand* data set: 119,390 real bookings of a resort and a city hotel.

Running it again changes nothing, and completes what was cut off: every booking bears the line that
it came from.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from pathlib import Path

import msgspec

from vacancy.db.database import Database, Transaction
from vacancy.errors import Conflict, Invalid
from vacancy.hotel.accounts import ensure_users
from vacancy.hotel.admission.state import Line
from vacancy.hotel.bulk import PastBooking, load_past_bookings
from vacancy.hotel.calendar import zone
from vacancy.hotel.importers.csv_rows import Reject, csv_rows, write_rejects
from vacancy.hotel.importers.hotel_demand_rows import (
    COLUMNS,
    HOTELS,
    MAX_STAY_NIGHTS,
    DemandRow,
    most_on_the_books,
    row_reader,
)
from vacancy.hotel.model import Property, RoomType, nights_of
from vacancy.hotel.setup import NewProperty, create_property
from vacancy.hotel.statements import catalogue
from vacancy.hotel.statements import imports as sql
from vacancy.hotel.statements.imports import StandingBooking

CURRENCY = "EUR"
TIME_ZONE = "Europe/Lisbon"
NAMES = {code: name for name, code in HOTELS.items()}
ACTION = "import.hotel_demand"
"""The audit entry of each transaction."""
SOURCE = "hotel-demand"
MAIL = "hotel-demand.invalid"

Progress = Callable[[int, int], None]
"""Hears how many rows stand, of how many."""


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the file. `imported` and `rejected` sum to `read`."""

    read: int
    imported: int
    """Rows of the file that now stand in the database."""
    rejected: int
    new: int
    """Those of `imported` that this run has written."""
    seconds: float
    rejects_file: str | None
    """Where the rejected rows are, with their reasons; null when there are none."""


class _Hotel(msgspec.Struct):
    """A property, its room types by code, and who books there by `DemandRow.booker`."""

    place: Property
    types: dict[str, RoomType]
    users: dict[str, int]


async def import_hotel_demand(
    db: Database,
    path: Path,
    next_id: Callable[[], int],
    *,
    rejects_path: Path | None = None,
    progress: Progress | None = None,
    timer: Callable[[], float] = time.perf_counter,
) -> ImportReport:
    """Takes the file in. Rejected rows go to `rejects_path`, else to `<name>.rejects.csv` in the
    working directory.

    The file is read whole before anything is written. Raises as `csv_rows`; `Conflict`
    PROPERTY_TAKEN for a property `resort` or `city` that no import has made, IMPORT_DIFFERS for
    bookings that came from another file.
    """
    started = timer()
    rows, rejects = read_hotel_demand(path)
    rejects_file = rejects_path or Path(f"{path.stem}.rejects.csv")
    if rejects:
        write_rejects(rejects_file, rejects)
    missing = await _missing(db, rows)
    standing = len(rows) - sum(map(len, missing.values()))
    new = 0
    if progress:
        progress(standing, len(rows))
    for code, hotel_rows in sorted(missing.items()):
        hotel = await _set_up(db, code, [row for row in rows if row.hotel == code], next_id)
        new += await load_past_bookings(
            db,
            _past_bookings(hotel, hotel_rows),
            next_id,
            action=ACTION,
            progress=progress and partial(_tell, progress, standing + new, len(rows)),
        )
    return ImportReport(
        read=len(rows) + len(rejects),
        imported=standing + new,
        rejected=len(rejects),
        new=new,
        seconds=round(timer() - started, 3),
        rejects_file=str(rejects_file) if rejects else None,
    )


def _tell(progress: Progress, before: int, of: int, written: int) -> None:
    progress(before + written, of)


def read_hotel_demand(path: Path) -> tuple[list[DemandRow], list[Reject]]:
    """The rows in the order in which they were booked, and those that cannot be taken. Raises as
    `csv_rows`, and `Invalid` FILE_EMPTY when there is no row at all."""
    rows: list[DemandRow] = []
    rejects: list[Reject] = []
    with csv_rows(path, COLUMNS) as (header, numbered):
        read = row_reader(header)
        for line, cells in numbered:
            try:
                rows.append(read(line, cells))
            except ValueError as error:
                rejects.append(Reject(line, str(error), tuple(cells)))
    if not rows and not rejects:
        raise Invalid("FILE_EMPTY", f"{path} has a header and no rows.")
    # Ids and ledger entries then follow the order of events, as they do in a live hotel.
    rows.sort(key=lambda row: (row.created_on, row.line))
    return rows, rejects


@lru_cache(maxsize=8192)
def noon(day: date) -> datetime:
    """The file knows days only; all that happened on one is put at noon in the hotel's zone."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=zone(TIME_ZONE)).astimezone(UTC)


def source_ref(row: DemandRow) -> str:
    return f"{SOURCE}:{row.line}"


async def _missing(db: Database, rows: Sequence[DemandRow]) -> dict[str, list[DemandRow]]:
    """The rows that do not stand in the database yet, by hotel."""
    standing: set[int] = set()
    for code in HOTELS.values():
        place = await db.fetch_one(catalogue.GET_PROPERTY, property=code)
        if place is not None:
            _require_ours(place)
            # All lines in each hotel: another file may have had the other hotel on a line.
            wanted = [(place.id, source_ref(row)) for row in rows]
            found = {one.source_ref: one for one in await db.fetch_set(sql.LIST_STANDING, wanted)}
            for row in rows:
                one = found.get(source_ref(row))
                if one is not None:
                    _require_same(row, code, one)
                    standing.add(row.line)
    missing: defaultdict[str, list[DemandRow]] = defaultdict(list)
    for row in rows:
        if row.line not in standing:
            missing[row.hotel].append(row)
    return missing


def _require_ours(place: Property) -> None:
    ours = (NAMES[place.code], CURRENCY, TIME_ZONE)
    if (place.name, place.currency, place.time_zone) != ours:
        raise Conflict(
            "PROPERTY_TAKEN",
            f"There is a property {place.code!r} already, {place.name!r} in {place.currency},"
            f" {place.time_zone}; the import makes {ours[0]!r} in {ours[1]}, {ours[2]}.",
            hint="Nothing was written. Import into a database of its own.",
        )


def _require_same(row: DemandRow, code: str, standing: StandingBooking) -> None:
    there = (code, standing.segment, standing.channel, standing.created_at)
    if there != (row.hotel, row.segment, row.channel, noon(row.created_on)):
        raise Conflict(
            "IMPORT_DIFFERS",
            f"Line {row.line} of the file is not the booking that stands in the database as"
            f" {source_ref(row)!r}.",
            hint="Nothing was written. Another file came before; use a database of its own.",
            errors=({"field": "line", "value": row.line},),
        )


async def _set_up(
    db: Database, code: str, rows: Sequence[DemandRow], next_id: Callable[[], int]
) -> _Hotel:
    """The property with its room types, inventory and users, made as far as they are missing.

    Inventory goes from the first arrival to the last departure of the whole file.
    """
    first, last = min(row.check_in for row in rows), max(row.check_out for row in rows)
    wanted = NewProperty(
        code=code,
        name=NAMES[code],
        currency=CURRENCY,
        time_zone=TIME_ZONE,
        room_types=(),
        first_night=first,
        nights=0,
        max_stay_nights=MAX_STAY_NIGHTS,
    )
    capacities = most_on_the_books(rows)
    bookers = {row.booker: _email(code, row.booker) for row in rows}

    async def unit(tx: Transaction) -> _Hotel:
        place = await tx.fetch_one(catalogue.GET_PROPERTY, property=code)
        if place is None:
            place, _ = await create_property(tx, wanted, next_id)
        known = {
            one.code: one for one in await tx.fetch_all(catalogue.LIST_ROOM_TYPES, property=code)
        }
        for letter in sorted({row.room_type for row in rows} - set(known)):
            known[letter] = _room_type(rows, letter, place.id, next_id())
            row = (*msgspec.structs.astuple(known[letter]), tx.now)
            await tx.execute_set(catalogue.INSERT_ROOM_TYPES, [row])
        inventory = [
            (place.id, known[letter].id, night, capacity)
            for (_, letter), capacity in capacities.items()
            for night in nights_of(first, last)
        ]
        await tx.execute_set(sql.ENSURE_INVENTORY, sorted(inventory))
        names = {email: booker.replace("-", " ").capitalize() for booker, email in bookers.items()}
        users = await ensure_users(tx, names, next_id)
        ids = {booker: users[email].id for booker, email in bookers.items()}
        return _Hotel(place, known, ids)

    return await db.transact(unit)


def _email(code: str, booker: str) -> str:
    """Agents and companies may book in both hotels; who books directly is the hotel's own."""
    return f"{booker}-{code}@{MAIL}" if booker == "direct" else f"{booker}@{MAIL}"


def _room_type(rows: Sequence[DemandRow], letter: str, property_id: int, type_id: int) -> RoomType:
    """The file has no rate for a room type: the median price of its paid nights stands in."""
    own = [row for row in rows if row.room_type == letter]
    prices = [row.price_minor for row in own if row.price_minor] or [0]
    return RoomType(
        type_id,
        property_id,
        letter,
        f"Type {letter.upper()}",
        statistics.median_low(prices),
        max(1, *(row.adults for row in own)),
    )


def _past_bookings(hotel: _Hotel, rows: Sequence[DemandRow]) -> Iterator[PastBooking]:
    for row in rows:
        prices = (row.price_minor,) * (row.check_out - row.check_in).days
        yield PastBooking(
            property_id=hotel.place.id,
            user_id=hotel.users[row.booker],
            check_in=row.check_in,
            check_out=row.check_out,
            lines=(Line(hotel.types[row.room_type].id, 1, row.adults, prices),),
            steps=(("confirmed", noon(row.created_on)), (row.status, noon(row.changed_on))),
            guest_name=f"Guest {row.line:06}",
            guest_email=f"guest-{row.line:06}@{MAIL}",
            segment=row.segment,
            channel=row.channel,
            lead_days=row.lead_days,
            source_ref=source_ref(row),
        )
