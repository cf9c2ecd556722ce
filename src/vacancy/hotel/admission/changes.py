"""What a batch will write. Every change of inventory goes through `Changes.move`."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import Any

import msgspec

from vacancy.hotel.admission.state import Line, NightKey
from vacancy.hotel.model import TAKES, Status, nights_of

WHOLE_BOOKING = 0
"""Stands for the room type where a booking is counted as a whole."""

_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=1024)
def prices_text(prices_minor: tuple[int, ...]) -> str:
    """The prices of a line, night by night, as a JSON column."""
    return _encode(prices_minor).decode()


class Changes:
    """Rows for each table, collected while deciding; `write.write_changes` sends them."""

    def __init__(self) -> None:
        self.nights: dict[NightKey, list[int]] = {}
        """Held, reserved, rooms sold, revenue: how much each night moves."""
        self.bookings: list[tuple[Any, ...]] = []
        self.stays: list[tuple[Any, ...]] = []
        self.statuses: list[tuple[int, Status, Status, datetime]] = []
        self.ledger: list[tuple[Any, ...]] = []
        """A row for each line that moves; the statement makes one of it for each night."""
        self.arrivals: dict[tuple[int, date, Status, str, str], list[int]] = {}
        """Bookings, stays, room nights by property, arrival, status, segment, channel."""
        self.booking_counts: dict[tuple[int, int, date, Status], list[int]] = {}
        """Bookings, room nights, value by property, room type, arrival, status."""
        self.lead_times: dict[tuple[int, date, int], int] = {}
        self.audit: list[tuple[Any, ...]] = []
        """Audit entries alone."""
        self.told: list[tuple[Any, ...]] = []
        """What becomes an audit entry for people and an outbox event for programs."""
        self.answers: list[tuple[int, str, str, int, str, datetime]] = []

    def move(
        self,
        *,
        property_id: int,
        booking_id: int,
        check_in: date,
        check_out: date,
        lines: tuple[Line, ...],
        before: Status | None,
        after: Status,
        at: datetime,
    ) -> None:
        """Takes from each night what the new status takes, gives back what the old one took, and
        writes both to the ledger. Day use is a ledger row of no rooms."""
        out = TAKES[before] if before else None
        into = TAKES[after]
        held = (into == "held") - (out == "held")
        reserved = (into == "reserved") - (out == "reserved")
        if not held and not reserved and before is not None:
            return
        nights = nights_of(check_in, check_out)
        moved = self.nights
        for line in lines:
            type_id = line.room_type_id
            held_rooms, reserved_rooms = held * line.rooms, reserved * line.rooms
            if not nights:
                held_rooms = reserved_rooms = 0
            self.ledger.append(
                (
                    property_id,
                    booking_id,
                    type_id,
                    check_in,
                    prices_text(line.prices_minor),
                    held_rooms,
                    reserved_rooms,
                    at,
                )
            )
            for night, price in zip(nights, line.prices_minor, strict=True):
                totals = moved.get(key := (property_id, type_id, night))
                if totals is None:
                    totals = moved[key] = [0, 0, 0, 0]
                totals[0] += held_rooms
                totals[1] += reserved_rooms
                if price:  # what is given for nothing is taken from inventory but not sold
                    totals[2] += reserved_rooms
                    totals[3] += reserved_rooms * price

    def count(
        self,
        *,
        property_id: int,
        arrival: date,
        status: Status,
        segment: str,
        channel: str,
        lines: tuple[Line, ...],
        sign: int,
    ) -> None:
        """Counts a booking in (+1) or out of (-1) a status. Stays and room nights are those sold:
        without day use and complimentary rooms."""
        totals = self.arrivals.setdefault((property_id, arrival, status, segment, channel), [0] * 3)
        totals[0] += sign
        if TAKES[status] == "reserved":
            for line in lines:
                sold_nights = sum(1 for price in line.prices_minor if price)
                if sold_nights:
                    totals[1] += sign * line.rooms
                    totals[2] += sign * line.rooms * sold_nights
        self._count_rooms(property_id, arrival, status, lines, sign)

    def _count_rooms(
        self, property_id: int, arrival: date, status: Status, lines: tuple[Line, ...], sign: int
    ) -> None:
        """Once for the whole booking and once for each of its room types."""
        counts = self.booking_counts
        seen: set[int] = set()
        whole = counts.setdefault((property_id, WHOLE_BOOKING, arrival, status), [0] * 3)
        whole[0] += sign
        for line in lines:
            room_nights = sign * line.rooms * len(line.prices_minor)
            value_minor = sign * line.rooms * sum(line.prices_minor)
            own = counts.setdefault((property_id, line.room_type_id, arrival, status), [0] * 3)
            if line.room_type_id not in seen:
                seen.add(line.room_type_id)
                own[0] += sign
            for totals in (whole, own):
                totals[1] += room_nights
                totals[2] += value_minor

    def lead_time(self, property_id: int, arrival: date, lead_days: int, *, sign: int = 1) -> None:
        """Counts a booking in, or out again: a hold that expired was never a booking."""
        key = (property_id, arrival, lead_days)
        self.lead_times[key] = self.lead_times.get(key, 0) + sign

    def tell(
        self,
        *,
        property_id: int,
        actor_id: int,
        action: str,
        booking_id: int,
        detail: dict[str, Any],
        at: datetime,
    ) -> None:
        """An audit entry for people and an outbox event for programs."""
        text = _encode(detail).decode()
        self.told.append((property_id, actor_id, action, booking_id, text, at))
