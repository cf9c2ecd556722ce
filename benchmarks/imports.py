"""The import of the real file, 119,390 bookings, into a new SQLite database."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.hotels import settings
from tests.hotel_demand import REAL, WHY_SKIPPED
from vacancy.bootstrap import open_house
from vacancy.hotel.importers.hotel_demand import ImportReport, import_hotel_demand
from vacancy.hotel.migrating import migrate_database

COMMAND = "make bench ARGS=imports"
GOAL_S = 30.0


async def measure(urls: dict[str, str], rounds: int) -> list[Figure]:
    if "sqlite" not in urls:
        return []
    if not REAL.exists():
        print(f"imports: skipped, {WHY_SKIPPED}")
        return []
    reports = [await _import_once() for _ in range(rounds)]
    seconds = statistics.median(report.seconds for report in reports)
    return [
        Figure(
            what=f"import of the real file, {reports[0].new:,} bookings",
            engine="sqlite",
            measured=f"{seconds:.1f} s",
            goal=f"under {GOAL_S:.0f} s",
            reached=seconds < GOAL_S,
            command=COMMAND,
        )
    ]


async def _import_once() -> ImportReport:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'import.db'}"
        await migrate_database(url)
        async with open_house(settings(url)) as house:
            return await import_hotel_demand(
                house.db, REAL, house.ids.next, rejects_path=Path(folder) / "rejects.csv"
            )
