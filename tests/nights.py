"""Random nights in two databases at once, and a clerk who counts them with their fingers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import apsw
import asyncpg
import msgspec
from hypothesis import strategies as st

from tests.hotels import HandClock
from vacancy.db.connect import connect
from vacancy.db.database import Database
from vacancy.errors import VacancyError
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.queries import StayCheck

# Half an hour before midnight in Lisbon, an hour and a half before its clocks change; the
# afternoon of the next day in Kiritimati.
NOW = datetime(2027, 3, 27, 23, 30, tzinfo=UTC)
DAYS = tuple(date(2027, 3, 25) + timedelta(days=n) for n in range(9))
LONGEST = 366
"""No stay of more nights is looked up, whatever the property allows."""
MOST_ROOMS = 500


class Place(msgspec.Struct, frozen=True):
    """A property and the prices of its room types."""

    id: int
    currency: str
    time_zone: str
    max_stay_nights: int
    prices: Mapping[str, int]

    def kind_id(self, kind: str) -> int:
        return self.id * 10 + list(self.prices).index(kind)


PLACES = {
    "alpine": Place(1, "EUR", "Europe/Lisbon", 5, {"double": 9000, "single": 6001}),
    "empty": Place(2, "EUR", "UTC", 90, {}),
    "summit": Place(3, "USD", "Pacific/Kiritimati", 400, {"double": 100, "suite": 0}),
}


class Night(msgspec.Struct, frozen=True):
    """A row of inventory."""

    capacity: int
    out_of_order: int
    sell_limit: int
    reserved: int
    held: int
    rooms_sold: int
    room_revenue_minor: int

    @property
    def available(self) -> int:
        return self.capacity - self.out_of_order + self.sell_limit - self.reserved - self.held


Nights = Mapping[tuple[str, str, date], Night]
"""By property, room type and date. What is not there has no row."""

_FEW = st.integers(0, 3)


@st.composite
def _night(draw: st.DrawFn) -> Night:
    """Any row that the constraints of the table let in."""
    capacity, sell_limit = draw(_FEW), draw(_FEW)
    out_of_order = draw(st.integers(0, min(2, capacity + sell_limit)))
    room = capacity - out_of_order + sell_limit
    reserved = draw(st.integers(0, room))
    return Night(
        capacity,
        out_of_order,
        sell_limit,
        reserved,
        draw(st.integers(0, room - reserved)),
        draw(st.integers(0, reserved)),
        draw(st.integers(0, 10**7)),
    )


_KEYS = [
    (code, kind, day) for code, place in PLACES.items() for kind in place.prices for day in DAYS
]
NIGHTS = st.dictionaries(st.sampled_from(_KEYS), _night(), min_size=6, max_size=len(_KEYS))


class World(msgspec.Struct):
    """The same hotels on both databases."""

    runner: asyncio.Runner
    databases: list[Database]
    sqlite: apsw.Connection
    postgres: asyncpg.Connection[Any]

    def fill(self, nights: Nights) -> None:
        """Puts these nights in the place of all others."""
        self._run("DELETE FROM room_inventory")
        rows = [
            f"({PLACES[code].id}, {PLACES[code].kind_id(kind)}, '{day}',"
            f" {', '.join(map(str, msgspec.structs.astuple(night)))})"
            for (code, kind, day), night in nights.items()
        ]
        columns = ", ".join(Night.__struct_fields__)
        self._run(
            f"INSERT INTO room_inventory (property_id, room_type_id, night, {columns})"
            f" VALUES {', '.join(rows)}"
        )

    def ask(self, question: Callable[[Database], Awaitable[Any]]) -> Any:
        """The answer in plain values; the code where it is refused. Both databases must give the
        same bytes."""

        async def asked(db: Database) -> Any:
            try:
                return await question(db)
            except VacancyError as error:
                return error.to_refusal()

        answers = [self.runner.run(asked(db)) for db in self.databases]
        assert msgspec.json.encode(answers[0]) == msgspec.json.encode(answers[1])
        return coded(msgspec.to_builtins(answers[0], builtin_types=(date,)))

    def _run(self, sql: str) -> None:
        self.sqlite.execute(sql)
        self.runner.run(self.postgres.execute(sql))


def coded(value: Any) -> Any:
    """Refusals by their code alone."""
    if isinstance(value, list):
        return [coded(item) for item in value]
    if isinstance(value, dict):
        if "code" in value and "hint" in value:
            return value["code"]
        return {name: coded(item) for name, item in value.items()}
    return value


@contextmanager
def a_world(folder: Path, postgres_url: str) -> Iterator[World]:
    """Migrates both databases and makes the places in them; no nights yet."""
    path = folder / "vacancy.db"
    urls = (f"sqlite:///{path}", postgres_url)
    with asyncio.Runner() as runner:
        for url in urls:
            runner.run(migrate_database(url))
        databases = [runner.run(connect(url, clock=HandClock(NOW))) for url in urls]
        world = World(
            runner, databases, apsw.Connection(str(path)), runner.run(asyncpg.connect(postgres_url))
        )
        for code, place in PLACES.items():
            world._run(
                "INSERT INTO properties"
                " (id, code, name, currency, time_zone, max_stay_nights, created_at)"
                f" VALUES ({place.id}, '{code}', '{code}', '{place.currency}',"
                f" '{place.time_zone}', {place.max_stay_nights}, '2026-01-01T00:00:00.000000Z')"
            )
            for kind, price in place.prices.items():
                world._run(
                    "INSERT INTO room_types"
                    " (id, property_id, code, name, price_minor, max_adults, created_at)"
                    f" VALUES ({place.kind_id(kind)}, {place.id}, '{kind}', '{kind.title()}',"
                    f" {price}, 2, '2026-01-01T00:00:00.000000Z')"
                )
        yield world
        world.sqlite.close()
        runner.run(world.postgres.close())
        for db in databases:
            runner.run(db.close())


# The clerk: everything one night at a time.


def clerk_checks(nights: Nights, check: StayCheck) -> Any:
    """What `check_room_availability` must say: its answer, or the code of its refusal."""
    refused = _refused(check)
    if refused:
        return refused
    place, kind = PLACES[check.property], check.room_type
    if kind not in place.prices:
        return "ROOM_TYPE_UNKNOWN"
    if (check.check_out - check.check_in).days > min(place.max_stay_nights, LONGEST):
        return "STAY_TOO_LONG"
    left, total_minor, day = [], 0, check.check_in
    while day < check.check_out:
        key = (check.property, kind, day)
        left.append(nights[key].available if key in nights else 0)
        for _ in range(check.rooms):
            total_minor += place.prices[kind]
        day += timedelta(days=1)
    today = NOW.astimezone(ZoneInfo(place.time_zone)).date()
    return {
        "room_type": kind,
        "name": kind.title(),
        "available": min(left),
        "sellable": check.check_in >= today and all(check.rooms <= some for some in left),
        "total_minor": total_minor,
        "currency": place.currency,
    }


def clerk_checks_all(nights: Nights, check: StayCheck) -> Any:
    """What `get_all_room_availability` must say of the same stay, whatever the room type."""
    refused = _refused(check)
    if refused:
        return refused
    place = PLACES[check.property]
    if (check.check_out - check.check_in).days > min(place.max_stay_nights, LONGEST):
        return "STAY_TOO_LONG"
    return [
        clerk_checks(nights, msgspec.structs.replace(check, room_type=kind))
        for kind in sorted(place.prices)
    ]


def _refused(check: StayCheck) -> str:
    if check.check_out <= check.check_in:
        return "STAY_INVALID"
    if check.rooms < 1 or check.rooms > MOST_ROOMS:
        return "VALUE_OUT_OF_RANGE"
    return "" if check.property in PLACES else "PROPERTY_UNKNOWN"


def clerk_counts(
    nights: Nights, code: str, kind: str | None, from_date: date, to_date: date, basis: str
) -> Any:
    """What `get_occupancy_rate` must say."""
    if code not in PLACES:
        return "PROPERTY_UNKNOWN"
    if kind is not None and kind not in PLACES[code].prices:
        return "ROOM_TYPE_UNKNOWN"
    capacity = out_of_order = reserved = sold = revenue_minor = 0
    for (of_code, of_kind, day), night in nights.items():
        if of_code == code and kind in (None, of_kind) and from_date <= day < to_date:
            capacity += night.capacity
            out_of_order += night.out_of_order
            reserved += night.reserved
            sold += night.rooms_sold
            revenue_minor += night.room_revenue_minor
    available = capacity if basis == "physical" else capacity - out_of_order
    rate = None
    if available:
        exact = Decimal(sold) / Decimal(available)
        rate = float(exact.quantize(Decimal("0.000001"), ROUND_HALF_EVEN))
    return {
        "property": code,
        "room_type": kind,
        "from": from_date,
        "to": to_date,
        "capacity": capacity,
        "out_of_order": out_of_order,
        "rooms_available": available,
        "reserved": reserved,
        "rooms_sold": sold,
        "rooms_revenue_minor": revenue_minor,
        "occupancy": rate,
        "currency": PLACES[code].currency,
        "basis": basis,
    }


def clerk_shows(night: Night | None) -> dict[str, int]:
    """The numbers of a night; zeros where there is none."""
    shown = msgspec.structs.asdict(night or Night(0, 0, 0, 0, 0, 0, 0))
    return {**shown, "available": night.available if night else 0}
