"""What admission reads under lock, in the order of its locks, and what it writes: sets only."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from vacancy.db.statement import NoRow, SetStatement
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


GET_ANSWERS = SetStatement(
    "admission.get_answers",
    """
    WITH wanted (user_id, key) AS ({rows})
    SELECT
        k.user_id,
        k.key,
        k.request_sha256,
        k.refused = 1,
        k.answer
    FROM wanted AS w
    JOIN idempotency_keys AS k ON k.user_id = w.user_id AND k.key = w.key
    """,
    columns={"user_id": "integer", "key": "text"},
    row=StoredAnswer,
    reads=("idempotency_keys",),
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
)

LIST_DUE_HOLDS = SetStatement(
    "admission.list_due_holds",
    """
    WITH wanted (property_id, now) AS ({rows})
    SELECT b.id
    FROM wanted AS w
    JOIN bookings AS b ON b.property_id = w.property_id
    WHERE b.status = 'provisional'
        AND b.expires_at IS NOT NULL
        AND b.expires_at <= w.now
    ORDER BY b.expires_at
    """,
    columns={"property_id": "integer", "now": "instant"},
    row=DueHold,
    reads=("bookings",),
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
)

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
)

UPDATE_NIGHTS = SetStatement(
    "admission.update_nights",
    """
    WITH moved (property_id, room_type_id, night, held, reserved, sold, revenue) AS ({rows})
    UPDATE room_inventory
    SET
        held = room_inventory.held + moved.held,
        reserved = room_inventory.reserved + moved.reserved,
        rooms_sold = room_inventory.rooms_sold + moved.sold,
        room_revenue_minor = room_inventory.room_revenue_minor + moved.revenue
    FROM moved
    WHERE room_inventory.property_id = moved.property_id
        AND room_inventory.room_type_id = moved.room_type_id
        AND room_inventory.night = moved.night
    """,
    columns={
        "property_id": "integer",
        "room_type_id": "integer",
        "night": "date",
        "held": "integer",
        "reserved": "integer",
        "sold": "integer",
        "revenue": "integer",
    },
    row=NoRow,
    writes=("room_inventory",),
)

INSERT_BOOKINGS = SetStatement(
    "admission.insert_bookings",
    """
    INSERT INTO bookings (
        id, property_id, user_id, status, check_in, check_out, guest_name, guest_email,
        total_minor, segment, channel, source_ref, lead_days, created_at, changed_at, expires_at
    )
    {rows}
    """,
    columns={
        "id": "integer",
        "property_id": "integer",
        "user_id": "integer",
        "status": "text",
        "check_in": "date",
        "check_out": "date",
        "guest_name": "text",
        "guest_email": "text",
        "total_minor": "integer",
        "segment": "text",
        "channel": "text",
        "source_ref": "text",
        "lead_days": "integer",
        "created_at": "instant",
        "changed_at": "instant",
        "expires_at": "instant",
    },
    row=NoRow,
    writes=("bookings",),
)

INSERT_STAYS = SetStatement(
    "admission.insert_stays",
    """
    INSERT INTO room_stays (
        booking_id, line, property_id, room_type_id, check_in, check_out, rooms, adults,
        prices_minor
    )
    {rows}
    """,
    columns={
        "booking_id": "integer",
        "line": "integer",
        "property_id": "integer",
        "room_type_id": "integer",
        "check_in": "date",
        "check_out": "date",
        "rooms": "integer",
        "adults": "integer",
        "prices_minor": "json",
    },
    row=NoRow,
    writes=("room_stays",),
)

CHANGE_STATUS = SetStatement(
    "admission.change_status",
    """
    WITH changed (id, from_status, to_status, at) AS ({rows})
    UPDATE bookings
    SET
        status = changed.to_status,
        changed_at = changed.at
    FROM changed
    WHERE bookings.id = changed.id
        AND bookings.status = changed.from_status
    """,
    columns={"id": "integer", "from_status": "text", "to_status": "text", "at": "instant"},
    row=NoRow,
    writes=("bookings",),
)

INSERT_LEDGER = SetStatement(
    "admission.insert_ledger",
    """
    INSERT INTO night_ledger (
        property_id, booking_id, room_type_id, night, held, reserved, rooms_sold,
        room_revenue_minor, at
    )
    {rows}
    """,
    columns={
        "property_id": "integer",
        "booking_id": "integer",
        "room_type_id": "integer",
        "night": "date",
        "held": "integer",
        "reserved": "integer",
        "rooms_sold": "integer",
        "room_revenue_minor": "integer",
        "at": "instant",
    },
    row=NoRow,
    writes=("night_ledger",),
)

ADD_ARRIVALS = SetStatement(
    "admission.add_arrivals",
    """
    INSERT INTO arrival_counts (
        property_id, arrival, status, segment, channel, bookings, stays, room_nights
    )
    {rows}
    ON CONFLICT (property_id, arrival, status, segment, channel) DO UPDATE
    SET
        bookings = arrival_counts.bookings + excluded.bookings,
        stays = arrival_counts.stays + excluded.stays,
        room_nights = arrival_counts.room_nights + excluded.room_nights
    """,
    columns={
        "property_id": "integer",
        "arrival": "date",
        "status": "text",
        "segment": "text",
        "channel": "text",
        "bookings": "integer",
        "stays": "integer",
        "room_nights": "integer",
    },
    row=NoRow,
    writes=("arrival_counts",),
)

ADD_LEAD_TIMES = SetStatement(
    "admission.add_lead_times",
    """
    INSERT INTO lead_time_counts (property_id, arrival, lead_days, bookings)
    {rows}
    ON CONFLICT (property_id, arrival, lead_days) DO UPDATE
    SET bookings = lead_time_counts.bookings + excluded.bookings
    """,
    columns={
        "property_id": "integer",
        "arrival": "date",
        "lead_days": "integer",
        "bookings": "integer",
    },
    row=NoRow,
    writes=("lead_time_counts",),
)

# The key is written once, with its answer. Should another process have answered it since we looked,
# the batch is judged again and finds that answer.
INSERT_ANSWERS = SetStatement(
    "admission.insert_answers",
    """
    INSERT INTO idempotency_keys (user_id, key, request_sha256, refused, answer, created_at)
    {rows}
    ON CONFLICT (user_id, key) DO NOTHING
    """,
    columns={
        "user_id": "integer",
        "key": "text",
        "request_sha256": "text",
        "refused": "integer",
        "answer": "text",
        "created_at": "instant",
    },
    row=NoRow,
    writes=("idempotency_keys",),
)

INSERT_AUDIT = SetStatement(
    "admission.insert_audit",
    """
    INSERT INTO audit_entries (property_id, actor_id, action, subject_id, detail, at)
    {rows}
    """,
    columns={
        "property_id": "integer",
        "actor_id": "integer",
        "action": "text",
        "subject_id": "integer",
        "detail": "json",
        "at": "instant",
    },
    row=NoRow,
    writes=("audit_entries",),
)

INSERT_EVENTS = SetStatement(
    "admission.insert_events",
    """
    INSERT INTO outbox_events (property_id, kind, subject_id, payload, created_at)
    {rows}
    """,
    columns={
        "property_id": "integer",
        "kind": "text",
        "subject_id": "integer",
        "payload": "json",
        "created_at": "instant",
    },
    row=NoRow,
    writes=("outbox_events",),
)
