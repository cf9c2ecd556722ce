"""What admission reads under lock, in the order of its locks: sets only."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from vacancy.db.statement import Access, SetStatement
from vacancy.hotel.model import Status


class StoredAnswer(msgspec.Struct, frozen=True):
    """What was answered to the first request with this key."""

    user_id: int
    key: str
    request_sha256: str
    refused: bool
    answer: str


class CatalogueEntry(msgspec.Struct, frozen=True):
    """A room type beside its property."""

    property_id: int
    property: str
    currency: str
    time_zone: str
    max_stay_nights: int
    room_type_id: int
    room_type: str
    price_minor: int
    max_adults: int


class DueHold(msgspec.Struct, frozen=True):
    id: int


class LockedBooking(msgspec.Struct, frozen=True):
    id: int
    property_id: int
    user_id: int
    status: Status
    check_in: date
    check_out: date
    guest_name: str
    guest_email: str
    total_minor: int
    segment: str
    channel: str
    lead_days: int
    created_at: datetime
    expires_at: datetime | None


class LockedStay(msgspec.Struct, frozen=True):
    booking_id: int
    room_type_id: int
    rooms: int
    adults: int
    prices_minor: tuple[int, ...]


class LockedNight(msgspec.Struct, frozen=True):
    property_id: int
    room_type_id: int
    night: date
    available: int


# A planner that thinks the table empty would begin with it, and so read all keys there are.
# OFFSET 0 keeps PostgreSQL to looking each one up.
_ANSWERS = """
    WITH wanted (user_id, key) AS ({{rows}})
    SELECT
        k.user_id,
        k.key,
        k.request_sha256,
        k.refused = 1,
        k.answer
    FROM wanted AS w
    {keys}
    """

GET_ANSWERS = SetStatement(
    "admission.get_answers",
    _ANSWERS.format(keys="JOIN idempotency_keys AS k ON k.user_id = w.user_id AND k.key = w.key"),
    postgresql=_ANSWERS.format(
        keys="""CROSS JOIN LATERAL (
        SELECT * FROM idempotency_keys AS k WHERE k.user_id = w.user_id AND k.key = w.key OFFSET 0
    ) AS k"""
    ),
    columns={"user_id": "integer", "key": "text"},
    row=StoredAnswer,
    reads=("idempotency_keys",),
    access=Access(served_by={"idempotency_keys": "uq_idempotency_keys_user_id_key (user_id, key)"}),
)

LIST_CATALOGUE = SetStatement(
    "admission.list_catalogue",
    """
    WITH wanted (code) AS ({rows})
    SELECT
        p.id,
        p.code,
        p.currency,
        p.time_zone,
        p.max_stay_nights,
        t.id,
        t.code,
        t.price_minor,
        t.max_adults
    FROM wanted AS w
    JOIN properties AS p ON p.code = w.code
    JOIN room_types AS t ON t.property_id = p.id
    """,
    columns={"code": "text"},
    row=CatalogueEntry,
    reads=("properties", "room_types"),
    access=Access(
        served_by={
            "properties": "uq_properties_code (code)",
            "room_types": "uq_room_types_property_id_code (property_id)",
        }
    ),
)

# Holds that are due and stand in the way of somebody in this batch; the sweep ends the others.
# Found through the index of what is due, property by property: the texts keep planners to that.
_DUE_HOLDS = """
    WITH wanted (property_id, room_type_id, check_in, check_out, now) AS ({{rows}})
    SELECT DISTINCT b.id
    FROM (SELECT DISTINCT property_id, now FROM wanted) AS place
    CROSS JOIN {bookings}
    CROSS JOIN {stays}
    JOIN wanted AS w
        ON w.property_id = place.property_id
        AND w.room_type_id = s.room_type_id
        AND w.check_in < s.check_out
        AND w.check_out > s.check_in
    {where}
    ORDER BY b.id
    """
_IS_DUE = """b.property_id = place.property_id
        AND b.status = 'provisional'
        AND b.expires_at IS NOT NULL
        AND b.expires_at <= place.now"""
_IS_ITS_STAY = "s.booking_id = b.id"

LIST_DUE_HOLDS = SetStatement(
    "admission.list_due_holds",
    _DUE_HOLDS.format(
        bookings="bookings AS b",
        stays="room_stays AS s",
        where=f"WHERE {_IS_DUE} AND {_IS_ITS_STAY}",
    ),
    postgresql=_DUE_HOLDS.format(
        bookings=f"LATERAL (SELECT b.id FROM bookings AS b WHERE {_IS_DUE} OFFSET 0) AS b",
        stays=f"LATERAL (SELECT s.* FROM room_stays AS s WHERE {_IS_ITS_STAY} OFFSET 0) AS s",
        where="",
    ),
    columns={
        "property_id": "integer",
        "room_type_id": "integer",
        "check_in": "date",
        "check_out": "date",
        "now": "instant",
    },
    row=DueHold,
    reads=("bookings", "room_stays"),
    access=Access(
        served_by={
            "bookings": "ix_bookings_due (property_id, expires_at)",
            "room_stays": "pk_room_stays (booking_id)",
        },
        may_sort="the holds that are due, a handful",
    ),
)

_LOCK_BOOKINGS = """
    WITH wanted (id) AS ({rows})
    SELECT
        b.id,
        b.property_id,
        b.user_id,
        b.status,
        b.check_in,
        b.check_out,
        b.guest_name,
        b.guest_email,
        b.total_minor,
        b.segment,
        b.channel,
        b.lead_days,
        b.created_at,
        b.expires_at
    FROM wanted AS w
    JOIN bookings AS b ON b.id = w.id
    ORDER BY b.id
    """

LOCK_BOOKINGS = SetStatement(
    "admission.lock_bookings",
    _LOCK_BOOKINGS,
    postgresql=_LOCK_BOOKINGS + "FOR NO KEY UPDATE OF b",
    columns={"id": "integer"},
    row=LockedBooking,
    reads=("bookings",),
    access=Access(
        served_by={"bookings": "pk_bookings (id)"},
        may_sort="the bookings of a batch: locks are taken in one order",
    ),
)

LIST_STAYS = SetStatement(
    "admission.list_stays",
    """
    WITH wanted (id) AS ({rows})
    SELECT
        s.booking_id,
        s.room_type_id,
        s.rooms,
        s.adults,
        s.prices_minor
    FROM wanted AS w
    JOIN room_stays AS s ON s.booking_id = w.id
    ORDER BY s.booking_id, s.line
    """,
    columns={"id": "integer"},
    row=LockedStay,
    reads=("room_stays",),
    access=Access(
        served_by={"room_stays": "pk_room_stays (booking_id)"},
        may_sort="the lines of a batch's bookings",
    ),
)

# Nights one by one: what a bulk load knows.
_LOCK_NIGHTS = """
    WITH wanted (property_id, room_type_id, night) AS ({rows})
    SELECT
        i.property_id,
        i.room_type_id,
        i.night,
        i.available
    FROM wanted AS w
    JOIN room_inventory AS i
        ON i.property_id = w.property_id
        AND i.room_type_id = w.room_type_id
        AND i.night = w.night
    ORDER BY i.property_id, i.room_type_id, i.night
    """

LOCK_NIGHTS = SetStatement(
    "admission.lock_nights",
    _LOCK_NIGHTS,
    postgresql=_LOCK_NIGHTS + "FOR NO KEY UPDATE OF i",
    columns={"property_id": "integer", "room_type_id": "integer", "night": "date"},
    row=LockedNight,
    reads=("room_inventory",),
    access=Access(
        served_by={"room_inventory": "pk_room_inventory (property_id, room_type_id, night)"},
        may_sort="the nights of a batch: locks are taken in one order",
    ),
)

# Nights by stays, none of which overlap.
_LOCK_STAY_NIGHTS = """
    WITH wanted (property_id, room_type_id, first_night, check_out) AS ({rows})
    SELECT
        i.property_id,
        i.room_type_id,
        i.night,
        i.available
    FROM wanted AS w
    JOIN room_inventory AS i
        ON i.property_id = w.property_id
        AND i.room_type_id = w.room_type_id
        AND i.night >= w.first_night
        AND i.night < w.check_out
    ORDER BY i.property_id, i.room_type_id, i.night
    """

LOCK_STAY_NIGHTS = SetStatement(
    "admission.lock_stay_nights",
    _LOCK_STAY_NIGHTS,
    postgresql=_LOCK_STAY_NIGHTS + "FOR NO KEY UPDATE OF i",
    columns={
        "property_id": "integer",
        "room_type_id": "integer",
        "first_night": "date",
        "check_out": "date",
    },
    row=LockedNight,
    reads=("room_inventory",),
    access=Access(
        served_by={"room_inventory": "pk_room_inventory (property_id, room_type_id, night)"},
        may_sort="the nights of a batch: locks are taken in one order",
    ),
)
