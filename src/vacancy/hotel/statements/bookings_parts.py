"""What statements about bookings are put together from: the row of a booking, and what belongs to
it as one JSON column each, so that a booking is one row however much it holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from vacancy.db.statement import Engine
from vacancy.hotel.model import GuestType, Status


class StayLine(msgspec.Struct, frozen=True, array_like=True):
    """So many rooms of one type."""

    room_type: str
    rooms: int
    adults: int
    prices_minor: tuple[int, ...]
    """One room, night by night."""


class BookingRow(msgspec.Struct, frozen=True, array_like=True):
    """A booking with its lines; the columns of `booking_columns`."""

    id: int
    property_id: int
    property: str
    currency: str
    user_id: int
    status: Status
    check_in: date
    check_out: date
    guest_name: str
    guest_email: str
    total_minor: int
    segment: str
    channel: str
    created_at: datetime
    expires_at: datetime | None
    stays: tuple[StayLine, ...]


class BookingUser(msgspec.Struct, frozen=True):
    """The account that booked; who stays is the guest."""

    name: str
    email: str
    guest_type: GuestType


def booking_columns(engine: Engine) -> tuple[str, ...]:
    """The columns of a `BookingRow`, of `bookings AS b` and `properties AS p`."""
    return (
        "b.id",
        "b.property_id",
        "p.code",
        "p.currency",
        "b.user_id",
        "b.status",
        "b.check_in",
        "b.check_out",
        "b.guest_name",
        "b.guest_email",
        "b.total_minor",
        "b.segment",
        "b.channel",
        "b.created_at",
        "b.expires_at",
        _stays(engine),
    )


def columns(*expressions: str) -> str:
    """The columns of a SELECT, one on a line."""
    return ",".join(f"\n        {expression}" for expression in expressions)


def with_property(engine: Engine) -> str:
    """Joins the property of each `b`, by its key whatever a planner knows of the tables."""
    if engine == "sqlite":
        return "CROSS JOIN properties AS p ON p.id = b.property_id"
    return """CROSS JOIN LATERAL (
        SELECT code, currency FROM properties WHERE id = b.property_id OFFSET 0
    ) AS p"""


def json_array(engine: Engine, *values: str) -> str:
    """One JSON array of these expressions."""
    name = "json_array" if engine == "sqlite" else "json_build_array"
    return f"{name}({', '.join(values)})"


def json_object(engine: Engine, fields: Mapping[str, str]) -> str:
    """One JSON object: name to expression."""
    name = "json_object" if engine == "sqlite" else "json_build_object"
    pairs = [f"'{field}', {value}" for field, value in fields.items()]
    return f"{name}({', '.join(pairs)})"


def json_list(engine: Engine, each: str, source: str, order: str) -> str:
    """A JSON list of `each` over the rows of `source`; empty when there are none.

    On SQLite rows come in the order of the index that finds them, and the index that each statement
    declares is in the order wanted: to sort them again would cost as much as to find them.
    """
    if engine == "sqlite":
        return f"(SELECT json_group_array({each}) FROM {source})"
    return f"(SELECT COALESCE(json_agg({each} ORDER BY {order}), '[]') FROM {source})"


def json_in(engine: Engine, value: str) -> str:
    """JSON as a part of other JSON, where SQLite would take it for text."""
    return f"json({value})" if engine == "sqlite" else value


def user_object(engine: Engine) -> str:
    """The `BookingUser` of `b` as JSON."""
    fields = {"name": "u.name", "email": "u.email", "guest_type": "u.guest_type"}
    return f"(SELECT {json_object(engine, fields)} FROM users AS u WHERE u.id = b.user_id)"


def _stays(engine: Engine) -> str:
    room_type = "(SELECT t.code FROM room_types AS t WHERE t.id = s.room_type_id)"
    line = json_array(engine, room_type, "s.rooms", "s.adults", json_in(engine, "s.prices_minor"))
    return json_list(engine, line, "room_stays AS s WHERE s.booking_id = b.id", "s.line")
