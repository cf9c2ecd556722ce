"""The hotel demand data set in tests: where its file is, and what must come out of it, computed in
plain Python from the file alone. Nothing of ours is used here, so that it can be the judge."""

from __future__ import annotations

import csv
import os
import statistics
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

SMALL = Path(__file__).parent / "data" / "hotel_demand_small.csv"
SMALL_REJECTED = frozenset({10, 22, 23, 24, 25, 26, 27, 28, 29})
"""The lines of the small file that no hotel could have had."""

_DEFAULT = Path(__file__).parents[2] / "shared" / "data" / "hotel_bookings.csv"
REAL = Path(os.environ.get("VACANCY_HOTEL_DEMAND", _DEFAULT))
WHY_SKIPPED = (
    "the hotel booking demand file is not there (docs/import.md says where to fetch it;"
    " VACANCY_HOTEL_DEMAND names it)"
)

Record = dict[str, Any]


def records(path: Path, rejected: frozenset[int] = frozenset()) -> list[Record]:
    """The rows that count: all but the rejected lines and negative prices."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        return [
            _record(reader.line_num, row)
            for row in reader
            if reader.line_num not in rejected and Decimal(row["adr"]) >= 0
        ]


def _record(line: int, row: dict[str, str]) -> Record:
    parts = (row[f"arrival_date_{part}"] for part in ("year", "month", "day_of_month"))
    arrival = datetime.strptime(" ".join(parts), "%Y %B %d").date()  # noqa: DTZ007 - a mere date
    nights = int(row["stays_in_weekend_nights"]) + int(row["stays_in_week_nights"])
    booked = arrival - timedelta(days=int(row["lead_time"]))
    return {
        "line": line,
        "hotel": {"Resort Hotel": "resort", "City Hotel": "city"}[row["hotel"]],
        "type": row["reserved_room_type"].lower(),
        "status": row["reservation_status"],
        "arrival": arrival,
        "nights": [arrival + timedelta(days=n) for n in range(nights)],
        "lead": int(row["lead_time"]),
        "booked": booked,
        "ended": max(booked, date.fromisoformat(row["reservation_status_date"])),
        "cents": int((Decimal(row["adr"]) * 100).quantize(Decimal(1), ROUND_HALF_EVEN)),
    }


def capacities(rows: list[Record]) -> Counter[tuple[str, str]]:
    """The most rooms of each type that were on the books for a night, walked event by event."""
    days: dict[date, tuple[list[Record], list[Record], list[Record]]] = {}
    for row in rows:
        days.setdefault(row["booked"], ([], [], []))[1].append(row)
        if row["status"] != "Check-Out":
            same_day = row["ended"] == row["booked"]
            days.setdefault(row["ended"], ([], [], []))[2 if same_day else 0].append(row)
    books: Counter[tuple[str, str, date]] = Counter()
    most: Counter[tuple[str, str]] = Counter()
    for _, (earlier, created, same_day_ends) in sorted(days.items()):
        for change, some in ((-1, earlier), (1, created), (-1, same_day_ends)):
            for row in some:
                room_type = (row["hotel"], row["type"])
                for night in row["nights"]:
                    books[(*room_type, night)] += change
                    most[room_type] = max(most[room_type], books[(*room_type, night)])
    return most


def kpis(
    rows: list[Record], most: Counter[tuple[str, str]], hotel: str, start: date, end: date
) -> dict[str, Any]:
    """Every key figure of `[start, end)` by the formulas of the field."""
    own = [row for row in rows if row["hotel"] == hotel]
    opened = min(row["arrival"] for row in own)
    closed = max(row["arrival"] + timedelta(days=len(row["nights"])) for row in own)
    open_nights = max(0, (min(end, closed) - max(start, opened)).days)
    available = open_nights * sum(rooms for (place, _), rooms in most.items() if place == hotel)
    stayed = [row for row in own if row["status"] == "Check-Out" and row["cents"]]
    sold = [row["cents"] for row in stayed for night in row["nights"] if start <= night < end]
    arrived = [row for row in own if start <= row["arrival"] < end]
    stays = [row for row in stayed if start <= row["arrival"] < end and row["nights"]]
    cancelled = sum(row["status"] == "Canceled" for row in arrived)
    no_shows = sum(row["status"] == "No-Show" for row in arrived)
    leads = [row["lead"] for row in arrived]
    return {
        "rooms_available": available,
        "rooms_sold": len(sold),
        "rooms_revenue_minor": sum(sold),
        "occupancy": _rate(len(sold), available),
        "adr_minor": _cents(sum(sold), len(sold)),
        "revpar_minor": _cents(sum(sold), available),
        "alos": _rate(sum(len(row["nights"]) for row in stays), len(stays)),
        "lead_time_mean_days": _rate(sum(leads), len(leads)),
        "lead_time_median_days": statistics.median(leads) if leads else None,
        "bookings": len(arrived),
        "cancellations": cancelled,
        "no_shows": no_shows,
        "cancellation_rate": _rate(cancelled, len(arrived)),
        "no_show_rate": _rate(no_shows, len(arrived) - cancelled),
        "currency": "EUR",
        "basis": "sellable",
    }


def _rate(part: int, whole: int) -> float | None:
    if not whole:
        return None
    return float((Decimal(part) / whole).quantize(Decimal("0.000001"), ROUND_HALF_EVEN))


def _cents(amount: int, parts: int) -> int | None:
    if not parts:
        return None
    return int((Decimal(amount) / parts).quantize(Decimal(1), ROUND_HALF_EVEN))


def months(start: date, end: date) -> Iterator[tuple[date, date]]:
    """The calendar months of a period that begins and ends with one."""
    while start < end:
        following = date(start.year + start.month // 12, start.month % 12 + 1, 1)
        yield start, following
        start = following
