"""The five headline operations as people write them who ask row by row and sum in Python: for the
bench alone, which measures the helpers against them. No server loads this.

Each answers what its helper answers, in the helper's own structs. Each statement is a plain one, of
the kind that an ORM sends; only `introduce` lets them run.
"""

from __future__ import annotations

from vacancy.db.gate import register
from vacancy.hotel import naive_availability, naive_bookings, naive_create, naive_report
from vacancy.hotel.naive_availability import (
    get_all_room_availability,
    get_room_types_with_inventory,
)
from vacancy.hotel.naive_bookings import get_user_bookings_with_room_type
from vacancy.hotel.naive_create import create_booking
from vacancy.hotel.naive_report import get_report

__all__ = [
    "create_booking",
    "get_all_room_availability",
    "get_report",
    "get_room_types_with_inventory",
    "get_user_bookings_with_room_type",
    "introduce",
]


def introduce() -> None:
    """Lets their statements run in this process. `wiring.introduce` does not: they promise
    nothing."""
    for module in (naive_availability, naive_bookings, naive_create, naive_report):
        register(module.STATEMENTS)
