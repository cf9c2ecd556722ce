"""What admission writes, one set for each table."""

from __future__ import annotations

from vacancy.db.statement import NoRow, SetStatement

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
