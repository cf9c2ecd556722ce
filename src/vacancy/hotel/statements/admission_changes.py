"""What admission writes, one set for each table."""

from __future__ import annotations

from vacancy.db.statement import Access, NoRow, SetStatement

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
    access=Access(
        served_by={"room_inventory": "pk_room_inventory (property_id, room_type_id, night)"}
    ),
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
    counted=False,
    writes=("bookings",),
    access=Access(),
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
    counted=False,
    writes=("room_stays",),
    access=Access(),
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
    access=Access(served_by={"bookings": "pk_bookings (id)"}),
)

# One row for a line that moves becomes one for each of its nights; day use has none and becomes a
# row of no rooms. What is given for nothing is taken from inventory but not sold.
_INSERT_LEDGER = """
    WITH moved (
        property_id, booking_id, room_type_id, check_in, prices_minor, held, reserved, at
    ) AS ({{rows}})
    INSERT INTO night_ledger (
        property_id, booking_id, room_type_id, night, held, reserved, rooms_sold,
        room_revenue_minor, at
    )
    SELECT
        moved.property_id,
        moved.booking_id,
        moved.room_type_id,
        {night},
        moved.held,
        moved.reserved,
        CASE WHEN {price} > 0 THEN moved.reserved ELSE 0 END,
        COALESCE({price} * moved.reserved, 0),
        moved.at
    FROM moved
    LEFT JOIN {prices} ON true
    """

INSERT_LEDGER = SetStatement(
    "admission.insert_ledger",
    _INSERT_LEDGER.format(
        night="date(moved.check_in, '+' || COALESCE(price.key, 0) || ' days')",
        price="price.value",
        prices="json_each(moved.prices_minor) AS price",
    ),
    postgresql=_INSERT_LEDGER.format(
        night="moved.check_in + COALESCE(price.number - 1, 0)::int",
        price="price.value::bigint",
        prices="LATERAL jsonb_array_elements_text(moved.prices_minor)"
        " WITH ORDINALITY AS price (value, number)",
    ),
    columns={
        "property_id": "integer",
        "booking_id": "integer",
        "room_type_id": "integer",
        "check_in": "date",
        "prices_minor": "json",
        "held": "integer",
        "reserved": "integer",
        "at": "instant",
    },
    row=NoRow,
    counted=False,
    writes=("night_ledger",),
    access=Access(),
)

ADD_BOOKING_COUNTS = SetStatement(
    "admission.add_booking_counts",
    """
    INSERT INTO booking_counts (
        property_id, arrival, room_type_id, status, bookings, room_nights, value_minor, stays,
        nights_sold
    )
    {rows}
    ON CONFLICT (property_id, arrival, room_type_id, status) DO UPDATE
    SET
        bookings = booking_counts.bookings + excluded.bookings,
        room_nights = booking_counts.room_nights + excluded.room_nights,
        value_minor = booking_counts.value_minor + excluded.value_minor,
        stays = booking_counts.stays + excluded.stays,
        nights_sold = booking_counts.nights_sold + excluded.nights_sold
    """,
    columns={
        "property_id": "integer",
        "arrival": "date",
        "room_type_id": "integer",
        "status": "text",
        "bookings": "integer",
        "room_nights": "integer",
        "value_minor": "integer",
        "stays": "integer",
        "nights_sold": "integer",
    },
    row=NoRow,
    counted=False,
    writes=("booking_counts",),
    access=Access(),
)

ADD_LEAD_TIMES = SetStatement(
    "admission.add_lead_times",
    """
    INSERT INTO lead_time_counts (property_id, month, lead_days, bookings)
    {rows}
    ON CONFLICT (property_id, month, lead_days) DO UPDATE
    SET bookings = lead_time_counts.bookings + excluded.bookings
    """,
    columns={
        "property_id": "integer",
        "month": "date",
        "lead_days": "integer",
        "bookings": "integer",
    },
    row=NoRow,
    counted=False,
    writes=("lead_time_counts",),
    access=Access(),
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
    access=Access(),
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
    counted=False,
    writes=("audit_entries",),
    access=Access(),
)

# What is told: the same rows make the audit entry and the event.
INSERT_EVENTS = SetStatement(
    "admission.insert_events",
    """
    WITH told (property_id, actor_id, action, subject_id, detail, at) AS ({rows})
    INSERT INTO outbox_events (property_id, kind, subject_id, payload, created_at)
    SELECT
        property_id,
        action,
        subject_id,
        detail,
        at
    FROM told
    """,
    columns=INSERT_AUDIT.columns,
    row=NoRow,
    counted=False,
    writes=("outbox_events",),
    access=Access(),
)
