"""What a batch will write. Every change of inventory goes through `Changes.move`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from vacancy.hotel.admission.state import Line, NightKey
from vacancy.hotel.model import TAKES, Status, nights_of

_encode = msgspec.json.Encoder().encode


class Changes:
    """Rows for each table, collected while deciding; `write.write_changes` sends them."""

    def __init__(self) -> None:
        self.nights: dict[NightKey, list[int]] = {}
        """Held, reserved, rooms sold, revenue: how much each night moves."""
        self.bookings: list[tuple[Any, ...]] = []
        self.stays: list[tuple[Any, ...]] = []
        self.statuses: list[tuple[int, Status, Status, datetime]] = []
        self.ledger: list[tuple[Any, ...]] = []
        self.arrivals: dict[tuple[int, date, Status, str, str], list[int]] = {}
        """Bookings, stays, room nights by property, arrival, status, segment, channel."""
        self.lead_times: dict[tuple[int, date, int], int] = {}
        self.audit: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
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
        moved, ledger = self.nights, self.ledger
        for line in lines:
            type_id, rooms = line.room_type_id, line.rooms
            if not nights:
                ledger.append((property_id, booking_id, type_id, check_in, 0, 0, 0, 0, at))
            for night, price in zip(nights, line.prices_minor, strict=True):
                # What is given for nothing is taken from inventory but not sold.
                sold = reserved * rooms if price else 0
                revenue = reserved * rooms * price
                ledger.append(
                    (
                        property_id,
                        booking_id,
                        type_id,
                        night,
                        held * rooms,
                        reserved * rooms,
                        sold,
                        revenue,
                        at,
                    )
                )
                totals = moved.get(key := (property_id, type_id, night))
                if totals is None:
                    moved[key] = [held * rooms, reserved * rooms, sold, revenue]
                else:
                    totals[0] += held * rooms
                    totals[1] += reserved * rooms
                    totals[2] += sold
                    totals[3] += revenue

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
        self.audit.append((property_id, actor_id, action, booking_id, text, at))
        self.events.append((property_id, action, booking_id, text, at))
