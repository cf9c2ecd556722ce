"""What admission knows when it decides: rows that it has under lock."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from vacancy.hotel.model import Status
from vacancy.hotel.statements.admission_state import CatalogueEntry, LockedBooking, StoredAnswer

NightKey = tuple[int, int, date]
"""Property, room type, night: the order in which nights are locked."""


class Line(msgspec.Struct, frozen=True):
    """Rooms of one type in a booking: what a status takes from each of its nights."""

    room_type_id: int
    rooms: int
    adults: int
    prices_minor: tuple[int, ...]


class KnownBooking(msgspec.Struct):
    """A booking that exists, or has just been made in this batch. `status` moves as we decide."""

    row: LockedBooking
    lines: tuple[Line, ...]
    status: Status


class State(msgspec.Struct):
    """Everything a batch is decided on. `available` is brought down as rooms are given away."""

    now: datetime
    catalogue: dict[tuple[str, str], CatalogueEntry]
    """By property code and room type code."""
    properties: dict[str, CatalogueEntry]
    """Any one entry of each property: its own columns are the same in all."""
    room_type_codes: dict[int, str]
    property_codes: dict[int, str]
    available: dict[NightKey, int]
    bookings: dict[int, KnownBooking]
    due: tuple[int, ...]
    """Holds whose time is over: they end before anybody is refused."""
    answers: dict[tuple[int, str], StoredAnswer]
    """What was answered before under the keys that came again."""
