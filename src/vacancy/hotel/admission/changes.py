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
        self.booking_counts: dict[tuple[int, date, int, Status], list[int]] = {}
        """Bookings, room nights, value, stays and nights sold, by property, arrival, room type,
        status."""
        self.lead_times: dict[tuple[int, date, int], int] = {}
        """Bookings by property, first day of the month of arrival, lead time in days."""
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
        lines: tuple[Line, ...],
        sign: int,
    ) -> None:
        """Counts a booking in (+1) or out of (-1) a status: once for the whole of it and once for
        each of its room types. Stays and nights sold are without day use and complimentary
        rooms."""
        counts = self.booking_counts
        is_sold = TAKES[status] == "reserved"
        whole = counts.setdefault((property_id, arrival, WHOLE_BOOKING, status), [0] * 5)
        whole[0] += sign
        seen: set[int] = set()
        for line in lines:
            type_id, prices, rooms = line.room_type_id, line.prices_minor, sign * line.rooms
            own = counts.setdefault((property_id, arrival, type_id, status), [0] * 5)
            if type_id not in seen:
                seen.add(type_id)
                own[0] += sign
            nights_sold = len(prices) - prices.count(0) if is_sold else 0
            for totals in (whole, own):
                totals[1] += rooms * len(prices)
                totals[2] += rooms * sum(prices)
                if nights_sold:
                    totals[3] += rooms
                    totals[4] += rooms * nights_sold

    def lead_time(self, property_id: int, arrival: date, lead_days: int, *, sign: int = 1) -> None:
        """Counts a booking in, or out again: a hold that expired was never a booking."""
        key = (property_id, arrival.replace(day=1), lead_days)
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
