"""The hotel's words. Open this first: no I/O, every field with its meaning and unit.

Money is integer minor units (cents) with a currency. A stay is `[check_in, check_out)`: the
check-out date is not a night. Nights are plain dates in the property's zone, instants are UTC.
Ids are integers inside and strings outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

import msgspec

Status = Literal[
    "provisional", "confirmed", "checked_in", "checked_out", "cancelled", "no_show", "expired"
]
Bucket = Literal["held", "reserved"]
Role = Literal["guest", "staff", "admin", "superadmin"]
GuestType = Literal["regular", "vip", "corporate"]
Verb = Literal["confirm", "cancel", "expire"]

TAKES: Mapping[Status, Bucket | None] = {
    "provisional": "held",
    "confirmed": "reserved",
    "checked_in": "reserved",
    "checked_out": "reserved",
    "cancelled": None,
    "no_show": None,
    "expired": None,
}
"""What each status takes from inventory. What is reserved is also sold: it counts in reports."""

TRANSITIONS: Mapping[Verb, Mapping[Status, Status]] = {
    "confirm": {"provisional": "confirmed"},
    "cancel": {"provisional": "cancelled", "confirmed": "cancelled"},
    "expire": {"provisional": "expired"},
}
"""What each verb makes of a booking's status; a status that is absent does not allow the verb."""

DEFAULT_MAX_STAY_NIGHTS = 90
MAX_ROOMS_IN_A_BOOKING = 500


class Property(msgspec.Struct, frozen=True):
    """One hotel."""

    id: int
    code: str
    name: str
    currency: str
    """ISO 4217, for every amount of this property."""
    time_zone: str
    """IANA name. Decides which day it is here."""
    max_stay_nights: int


class RoomType(msgspec.Struct, frozen=True):
    """What is sold. A physical room is assigned late and is not part of inventory."""

    id: int
    property_id: int
    code: str
    name: str
    price_minor: int
    """One room, one night."""
    max_adults: int
    """In one room."""


class Guest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The person who stays; the user who books may be another."""

    name: str
    email: str


class NightPrice(msgspec.Struct, frozen=True):
    """The price of one room for one night."""

    night: date
    price_minor: int


class BookedRooms(msgspec.Struct, frozen=True):
    """So many rooms of one type for the whole stay; prices are for one room."""

    room_type: str
    count: int
    adults: int
    """In all rooms of this line together."""
    nights: tuple[NightPrice, ...]


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as it is shown to people and programs."""

    id: str
    status: Status
    property: str
    user_id: str
    check_in: date
    check_out: date
    rooms: tuple[BookedRooms, ...]
    guest: Guest
    total_minor: int
    """Sum over rooms and nights of the night prices."""
    currency: str
    segment: str
    channel: str
    created_at: datetime
    expires_at: datetime | None = None
    """A hold ends here unless it is confirmed before; null for what does not expire."""


class Actor(msgspec.Struct, frozen=True):
    """Who asks. Staff may be bound to one property; a guest is bound to what is theirs."""

    user_id: int
    role: Role
    property_id: int | None = None

    def may_enter(self, property_id: int) -> bool:
        """A key that is bound to a property opens no other."""
        return self.property_id in (None, property_id)

    def may_manage(self, property_id: int) -> bool:
        """Front desk rights on a property."""
        return self.role != "guest" and self.may_enter(property_id)

    def may_see(self, property_id: int, user_id: int) -> bool:
        """A booking of that user in that property."""
        return self.may_enter(property_id) and (self.role != "guest" or self.user_id == user_id)


@lru_cache(maxsize=4096)  # every step of a booking asks for the same nights
def nights_of(check_in: date, check_out: date) -> tuple[date, ...]:
    """The nights of a stay; none for day use (check_out equals check_in)."""
    return tuple(check_in + timedelta(days=n) for n in range((check_out - check_in).days))
