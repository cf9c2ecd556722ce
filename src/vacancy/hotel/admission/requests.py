"""What can be asked of admission, and what it answers."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from vacancy.errors import Refusal
from vacancy.hotel.model import Actor, Booking, Guest, Verb


class RoomsWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many rooms of one type."""

    room_type: str
    count: int = 1
    adults: int = 0
    """In all these rooms together; 0 when it is not said."""


class Idempotency(msgspec.Struct, frozen=True):
    """The caller's key, and a digest of the whole request that it came with."""

    key: str
    request_sha256: str


class CreateBooking(msgspec.Struct, frozen=True, kw_only=True):
    """A new booking, all of it or nothing."""

    property: str
    check_in: date
    check_out: date
    rooms: tuple[RoomsWanted, ...]
    guest: Guest
    user_id: int
    actor: Actor
    hold_for: timedelta | None = None
    """A hold ends by itself after this time; without it the booking waits to be confirmed."""
    segment: str = "direct"
    channel: str = "api"
    idempotency: Idempotency | None = None


class ChangeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A verb on one booking. `property` is where the booking is; it never changes."""

    verb: Verb
    booking_id: int
    property: str
    actor: Actor | None
    """None is the house itself, when a hold's time is over."""
    idempotency: Idempotency | None = None


Request = CreateBooking | ChangeStatus


def nights_touched(request: Request) -> int:
    """About how many inventory rows it touches: batches are capped by them."""
    if isinstance(request, CreateBooking):
        return len(request.rooms) * (request.check_out - request.check_in).days
    return 8


class Outcome(msgspec.Struct, frozen=True):
    """The answer to one request, known only after the commit."""

    answer: Booking | Refusal
    document: bytes
    """The answer as JSON, as it is stored behind the idempotency key."""
    replayed: bool = False
