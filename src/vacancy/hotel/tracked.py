"""Which tables are logged when they change, and by which tags: what the query cache hangs on."""

from __future__ import annotations

from collections.abc import Mapping

from vacancy.db.change_triggers import Key, Month, Tracked

TRACKED: tuple[Tracked, ...] = (
    Tracked("properties", ("id",), replaced_by=(Key(("code",)),)),
    Tracked(
        "room_types",
        ("property_id", "id"),
        replaced_by=(Key(("id",)), Key(("property_id", "code"))),
    ),
    Tracked("room_inventory", ("property_id", Month("night"), "room_type_id")),
    Tracked("users", ("id",), replaced_by=(Key(("email",)),)),
    Tracked(
        "bookings",
        ("user_id",),
        replaced_by=(Key(("id",)), Key(("property_id", "source_ref"), "{row}.source_ref <> ''")),
    ),
    Tracked("room_stays", ("booking_id",)),
    Tracked("booking_counts", ("property_id", Month("arrival"))),
    Tracked("lead_time_counts", ("property_id", Month("month"))),
)

_NEVER_CACHED = "what is read of it is never cached"
UNTRACKED: Mapping[str, str] = {
    "alembic_version": "every migration logs that everything changed",
    "api_keys": f"{_NEVER_CACHED}: a key that is revoked must not stand for a moment longer",
    "audit_entries": _NEVER_CACHED,
    "change_log": "the log itself",
    "change_state": "a row about the log, which every look reads",
    "credit_notes": f"{_NEVER_CACHED}: money",
    "idempotency_keys": _NEVER_CACHED,
    "installation": _NEVER_CACHED,
    "invoices": f"{_NEVER_CACHED}: money",
    "night_ledger": f"{_NEVER_CACHED}; only `verify` reads it",
    "notifications": _NEVER_CACHED,
    "outbox_events": _NEVER_CACHED,
    "payments": f"{_NEVER_CACHED}: money",
    "refunds": f"{_NEVER_CACHED}: money",
    "waitlist": _NEVER_CACHED,
}
"""Every other table, and why nothing is logged when it changes."""
