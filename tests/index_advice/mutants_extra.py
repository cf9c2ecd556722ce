"""Mutants with an index too many: the same as another one, the beginning of another one, one that
nobody asks for, one that something newer has made unneeded."""

from __future__ import annotations

from tests.index_advice.mutant import BOTH, POSTGRESQL, SQLITE, Family, Mutant
from vacancy.db.statement import Engine
from vacancy.perf.indexes.finding import Rule

_TWIN: tuple[Rule, ...] = ("index_duplicate", "index_prefix", "index_unneeded", "index_unused")
_SAME: tuple[Rule, ...] = ("index_duplicate", "index_prefix")


def _more(
    family: Family,
    expects: tuple[Rule, ...],
    name: str,
    why: str,
    index: str,
    on: str,
    *,
    unique: bool = False,
    also: tuple[str, ...] = (),
    engines: tuple[Engine, ...] = BOTH,
) -> Mutant:
    return Mutant(
        name=name,
        family=family,
        why=why,
        ddl=(f"CREATE {'UNIQUE ' if unique else ''}INDEX {index} ON {on}",),
        table=on.partition(" ")[0],
        index=index,
        also=also,
        expects=expects,
        harmless=_TWIN,
        engines=engines,
    )


def _twin(name: str, index: str, on: str, of: str, *, unique: bool = False) -> Mutant:
    why = "Each write pays for two indexes, and each reader uses one."
    return _more("duplicate", _SAME, name, why, index, on, unique=unique, also=(of,))


DUPLICATES = (
    _twin(
        "twin-of-guest-page", "ix_bookings_user_2", "bookings (user_id, id)", of="ix_bookings_user"
    ),
    _twin(
        "twin-of-arrivals",
        "bookings_arrivals_idx",
        "bookings (property_id, check_in, id, check_out, status)",
        of="ix_bookings_arrival",
    ),
    _twin(
        "twin-of-payments-by-booking",
        "idx_payments",
        "payments (booking_id, id)",
        of="ix_payments_booking",
    ),
    _twin(
        "twin-of-history",
        "audit_by_subject",
        "audit_entries (subject_id, entry)",
        of="ix_audit_entries_subject",
    ),
    _twin(
        "twin-of-due-holds",
        "ix_due_again",
        "bookings (property_id, expires_at)"
        " WHERE status = 'provisional' AND expires_at IS NOT NULL",
        of="ix_bookings_due",
    ),
    _twin("twin-of-the-key-of-bookings", "ix_bookings_id", "bookings (id)", of="pk_bookings"),
    _twin(
        "twin-of-the-key-of-inventory",
        "ix_inventory_night",
        "room_inventory (property_id, room_type_id, night)",
        of="pk_room_inventory",
    ),
    _twin(
        "twin-of-the-key-of-stays",
        "uq_stays",
        "room_stays (booking_id, line)",
        of="pk_room_stays",
        unique=True,
    ),
    _twin("twin-of-emails", "ix_users_email", "users (email)", of="uq_users_email"),
    _twin(
        "twin-of-emails-unique-too",
        "users_email_key",
        "users (email)",
        of="uq_users_email",
        unique=True,
    ),
    _twin(
        "twin-of-secrets",
        "ix_api_keys_secret",
        "api_keys (secret_sha256)",
        of="uq_api_keys_secret_sha256",
    ),
    _twin(
        "twin-of-repeated-requests",
        "ix_idempotency",
        'idempotency_keys (user_id, "key")',
        of="uq_idempotency_keys_user_id_key",
    ),
    _twin(
        "twin-of-messages",
        "ix_bell",
        "notifications (user_id, kind, status, id)",
        of="ix_notifications_user",
    ),
)


def _beginning(name: str, index: str, on: str) -> Mutant:
    why = "A longer index begins with it and serves whatever it serves; each write pays for both."
    return _more("prefix", (*_SAME, "index_unneeded"), name, why, index, on)


PREFIXES = (
    _beginning("beginning-of-guest-page", "ix_bookings_guest", "bookings (user_id)"),
    _beginning("beginning-of-arrivals", "ix_arrival_day", "bookings (property_id, check_in)"),
    _beginning("beginning-of-payments", "payments_booking_id", "payments (booking_id)"),
    _beginning("beginning-of-accounts", "ix_pay_prop", "payments (property_id, status)"),
    _beginning("beginning-of-stays-of-a-type", "ix_stays_type", "room_stays (room_type_id)"),
    _beginning("beginning-of-the-key-of-stays", "ix_stays_booking", "room_stays (booking_id)"),
    _beginning("beginning-of-the-queue", "ix_wait_type", "waitlist (room_type_id, status)"),
    _beginning("beginning-of-messages", "ix_note_user", "notifications (user_id, kind)"),
    _beginning("beginning-of-a-unique", "ix_types_of_hotel", "room_types (property_id)"),
    _beginning(
        "beginning-of-the-key-of-counts", "ix_counts", "booking_counts (property_id, arrival)"
    ),
    _beginning("beginning-of-refunds", "ix_refund_of", "refunds (payment_id)"),
    _beginning(
        "beginning-of-due-holds",
        "ix_due_of_hotel",
        "bookings (property_id) WHERE status = 'provisional' AND expires_at IS NOT NULL",
    ),
)


def _unasked(
    name: str, why: str, index: str, on: str, engines: tuple[Engine, ...] = BOTH
) -> Mutant:
    expects: tuple[Rule, ...] = ("index_unneeded", "index_unused")
    return _more("nobody asks", expects, name, why, index, on, engines=engines)


NOBODY_ASKS = (
    _unasked(
        "index-on-segment",
        "No statement compares the segment: each booking pays for it.",
        *("ix_bookings_segment", "bookings (segment)"),
    ),
    _unasked(
        "index-on-status-alone",
        "Seven values in a million rows: no statement would come by it.",
        *("ix_bookings_status", "bookings (status)"),
    ),
    _unasked(
        "index-on-channel-and-day",
        "No statement compares the channel: each booking pays for it.",
        *("ix_bookings_channel", "bookings (channel, created_at)"),
    ),
    _unasked(
        "index-on-guest-name",
        "Nobody looks for a name: each booking pays for long text.",
        *("ix_bookings_guest_name", "bookings (guest_name)"),
    ),
    _unasked(
        "index-on-nights-left",
        "Each sale rewrites it, and no reader comes by it (docs/indexes.md).",
        *("ix_inventory_available", "room_inventory (property_id, room_type_id, night, available)"),
    ),
    _unasked(
        "index-on-available-alone",
        "Each sale rewrites it, and no reader comes by it.",
        *("ix_available", "room_inventory (available)"),
    ),
    _unasked(
        "index-on-user-kind",
        "Three values: no statement would come by it.",
        *("ix_users_type", "users (guest_type)"),
    ),
    _unasked(
        "index-on-payment-method",
        "Four values: no statement would come by it.",
        *("ix_payments_method", "payments (method)"),
    ),
    _unasked(
        "index-on-outbox-kind",
        "The outbox is read by its entries; each change of a booking pays for this.",
        *("ix_outbox_kind", "outbox_events (kind, created_at)"),
    ),
    _unasked(
        "index-on-attempts",
        "Each try to send rewrites it, and nobody asks for it.",
        *("ix_notes_attempts", "notifications (attempts)"),
    ),
    _unasked(
        "index-on-lower-case-names",
        "Nobody asks for lower(guest_name): each booking computes it for nothing.",
        *("ix_guest_lower", "bookings (lower(guest_name))"),
    ),
    _unasked(
        "index-on-ledger-nights",
        "Written with each sale, and the ledger is read whole or not at all.",
        *("ix_ledger_held", "night_ledger (held)"),
    ),
    _unasked(
        "index-on-json",
        "Each entry of history is taken apart for it, and nobody asks.",
        *("ix_audit_detail", "audit_entries USING gin (detail)"),
        engines=POSTGRESQL,
    ),
)


def _newer(
    name: str, index: str, on: str, replaces: str, engines: tuple[Engine, ...] = BOTH
) -> Mutant:
    """Ours is the beginning of the newer one, and declared: the newer one is too much."""
    why = "It carries what another index already serves; each write pays for both."
    return _more("became unneeded", _TWIN, name, why, index, on, also=(replaces,), engines=engines)


BECAME_UNNEEDED = (
    _newer(
        "wider-payments",
        *("ix_payments_wide", "payments (booking_id, id, status, amount_minor)"),
        replaces="ix_payments_booking",
    ),
    _newer(
        "wider-guest-page",
        *("ix_guest_wide", "bookings (user_id, id, status, check_in)"),
        replaces="ix_bookings_user",
    ),
    _newer(
        "wider-invoices",
        *("ix_invoices_wide", "invoices (booking_id, id, total_minor)"),
        replaces="ix_invoices_booking",
    ),
    _newer(
        "covering-refunds",
        *("ix_refunds_covering", "refunds (payment_id, id) INCLUDE (amount_minor, status)"),
        replaces="ix_refunds_payment",
        engines=POSTGRESQL,
    ),
    _newer(
        "covering-credits",
        *("ix_credits_covering", "credit_notes (invoice_id, id) INCLUDE (total_minor)"),
        replaces="ix_credit_notes_invoice",
        engines=POSTGRESQL,
    ),
    _newer(
        "wider-credits",
        *("ix_credits_wide", "credit_notes (invoice_id, id, total_minor)"),
        replaces="ix_credit_notes_invoice",
        engines=SQLITE,
    ),
)

EXTRA_MUTANTS: tuple[Mutant, ...] = (*DUPLICATES, *PREFIXES, *NOBODY_ASKS, *BECAME_UNNEEDED)
