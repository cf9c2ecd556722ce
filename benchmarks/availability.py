"""Seven nights of availability: our helper, trace on, against the same SQL on the bare driver
building the same structs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import apsw
import asyncpg

from benchmarks.figure import Figure
from benchmarks.hotels import first_night, fresh_hotels, open_hotels
from benchmarks.stats import Pair, measure_pair
from vacancy.hotel.queries import check_room_availability
from vacancy.hotel.statements.availability import CHECK_ROOM_AVAILABILITY, AvailableRooms

COMMAND = "make bench ARGS=availability"
GOALS = {"sqlite": 1.5, "postgresql": 1.2}


async def measure(urls: dict[str, str], rounds: int) -> list[Figure]:
    figures = []
    for engine, url in urls.items():
        await fresh_hotels(url)
        pair = await (_sqlite if engine == "sqlite" else _postgres)(url, rounds)
        figures.append(
            Figure(
                what="7-night availability through the helper against the bare driver",
                engine=engine,
                measured=f"{pair.ratio:.2f} times ({pair.a_us:.1f} µs against {pair.b_us:.1f} µs)",
                goal=f"at most {GOALS[engine]} times",
                reached=pair.ratio <= GOALS[engine],
                command=COMMAND,
            )
        )
    return figures


async def _sqlite(url: str, rounds: int) -> Pair:
    check_in = first_night() + timedelta(days=30)
    check_out = check_in + timedelta(days=7)
    connection = apsw.Connection(url.removeprefix("sqlite:///"))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)  # as ours: else it plans anew
    cursor = connection.cursor()
    sql = CHECK_ROOM_AVAILABILITY.sqlite

    async def bare() -> AvailableRooms:
        found: Any = cursor.execute(
            sql,
            {
                "property": "hotel0",
                "room_type": "type0",
                "check_in": check_in.isoformat(),
                "check_out": check_out.isoformat(),
                "nights": 7,
            },
        ).fetchall()
        rows = [AvailableRooms(*row) for row in found]
        return rows[0]

    async with open_hotels(url) as (house, _):
        pair = await measure_pair(
            lambda: check_room_availability(house.db, "hotel0", "type0", check_in, check_out),
            bare,
            rounds,
            2_000,
        )
    connection.close()
    return pair


async def _postgres(url: str, rounds: int) -> Pair:
    check_in = first_night() + timedelta(days=30)
    check_out = check_in + timedelta(days=7)
    statement = CHECK_ROOM_AVAILABILITY
    values = {
        "property": "hotel0",
        "room_type": "type0",
        "check_in": check_in,
        "check_out": check_out,
        "nights": 7,
    }
    arguments = [values[name] for name in statement.order]
    connection = await asyncpg.connect(url)

    async def bare() -> AvailableRooms:
        found = await connection.fetch(statement.postgresql, *arguments)
        rows = [AvailableRooms(*row) for row in found]
        return rows[0]

    async with open_hotels(url) as (house, _):
        pair = await measure_pair(
            lambda: check_room_availability(house.db, "hotel0", "type0", check_in, check_out),
            bare,
            rounds,
            500,
        )
    await connection.close()
    return pair
