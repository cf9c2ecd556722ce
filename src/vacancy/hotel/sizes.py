"""How large the tables of a group with a million bookings are: two hundred hotels, a thousand room
types, three years of nights. Contracts are proven for plans at this size, whatever a database
happens to hold; `db generate` makes smaller groups, whose plans are cheaper still.
"""

from __future__ import annotations

from vacancy.db.plan import Size

_BOOKINGS = 1_000_000
_NIGHTS = 1_100

SIZES: dict[str, Size] = {
    "properties": Size(rows=200),
    "room_types": Size(rows=1_000, distinct={"property_id": 200}),
    "room_inventory": Size(
        rows=1_000 * _NIGHTS,
        distinct={"property_id": 200, "room_type_id": 1_000, "night": _NIGHTS, "available": 100},
    ),
    "users": Size(rows=100_000, distinct={"guest_type": 3}),
    "api_keys": Size(rows=1_000, distinct={"user_id": 500, "property_id": 200, "role": 4}),
    "bookings": Size(
        rows=_BOOKINGS,
        distinct={
            "property_id": 200,
            "user_id": 100_000,
            "status": 7,
            "check_in": _NIGHTS,
            "check_out": _NIGHTS,
            "segment": 8,
            "channel": 5,
            "lead_days": 400,
            "expires_at": 20_000,
        },
    ),
    "room_stays": Size(
        rows=1_050_000,
        distinct={
            "booking_id": _BOOKINGS,
            "line": 3,
            "property_id": 200,
            "room_type_id": 1_000,
            "check_in": _NIGHTS,
            "check_out": _NIGHTS,
        },
    ),
    "night_ledger": Size(
        rows=5_000_000,
        distinct={
            "property_id": 200,
            "booking_id": _BOOKINGS,
            "room_type_id": 1_000,
            "night": _NIGHTS,
        },
    ),
    "booking_counts": Size(
        rows=3_000_000,
        distinct={"property_id": 200, "arrival": _NIGHTS, "room_type_id": 1_001, "status": 7},
    ),
    "lead_time_counts": Size(
        rows=600_000, distinct={"property_id": 200, "month": 36, "lead_days": 400}
    ),
    "idempotency_keys": Size(rows=50_000, distinct={"user_id": 5_000}),
    "audit_entries": Size(
        rows=2_000_000,
        distinct={"property_id": 200, "actor_id": 1_000, "action": 8, "subject_id": _BOOKINGS},
    ),
    "outbox_events": Size(
        rows=2_000_000, distinct={"property_id": 200, "kind": 8, "subject_id": _BOOKINGS}
    ),
    "change_log": Size(rows=150_000, distinct={"mark": 20_000, "tag": 20_000}),
    "change_state": Size(rows=1),
    "payments": Size(
        rows=900_000,
        distinct={
            "property_id": 200,
            "booking_id": 800_000,
            "user_id": 90_000,
            "status": 6,
            "provider": 3,
        },
    ),
    "refunds": Size(
        rows=50_000,
        distinct={"property_id": 200, "payment_id": 45_000, "booking_id": 45_000, "status": 4},
    ),
    "invoices": Size(
        rows=800_000,
        distinct={"property_id": 200, "booking_id": 780_000, "user_id": 90_000, "kind": 2},
    ),
    "credit_notes": Size(rows=20_000, distinct={"property_id": 200, "invoice_id": 19_000}),
    "waitlist": Size(
        rows=50_000,
        distinct={
            "property_id": 200,
            "room_type_id": 1_000,
            "user_id": 40_000,
            "status": 5,
            "check_in": _NIGHTS,
            "check_out": _NIGHTS,
        },
    ),
    "notifications": Size(
        rows=2_000_000,
        distinct={
            "property_id": 200,
            "user_id": 100_000,
            "booking_id": 900_000,
            "kind": 6,
            "type": 6,
            "status": 4,
            "scheduled_at": 1_000_000,
        },
    ),
}
