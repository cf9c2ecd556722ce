"""Mutants of declared indexes: dropped, shortened, with their columns in another order."""

from __future__ import annotations

from tests.index_advice.mutant import BOTH, POSTGRESQL, Family, Mutant
from tests.seeds.index_faults import index_anew
from vacancy.db.statement import Engine
from vacancy.perf.indexes.finding import Rule

BESIDE: tuple[Rule, ...] = (
    "table_scanned",
    "rows_sorted",
    "foreign_key_unindexed",
)


def _dropped(index: str, table: str, why: str, *, engines: tuple[Engine, ...] = BOTH) -> Mutant:
    return Mutant(
        name=f"{index.replace('_', '-')}-dropped",
        family="index dropped",
        why=why,
        ddl=(f"DROP INDEX {index}",),
        table=table,
        index=index,
        expects=("index_missing",),
        harmless=BESIDE,
        engines=engines,
    )


DROPPED = (
    _dropped("ix_bookings_user", "bookings", "A guest's page sorts all bookings he ever made."),
    _dropped(
        "ix_bookings_user_status",
        "bookings",
        "To show two cancelled bookings of an agency, all of its bookings are read.",
    ),
    _dropped("ix_bookings_arrival", "bookings", "The desk of one hotel reads all hotels' years."),
    _dropped("ix_bookings_due", "bookings", "Each booking looks for ended holds everywhere."),
    _dropped(
        "uq_bookings_source_ref",
        "bookings",
        "An import reads all bookings for each line, and takes a line twice.",
    ),
    _dropped(
        "ix_room_stays_room_type", "room_stays", "The desk's view of one room type reads all stays."
    ),
    _dropped("ix_audit_entries_subject", "audit_entries", "One booking's story reads all history."),
    _dropped("ix_payments_booking", "payments", "One booking's payments are looked for in all."),
    _dropped("ix_payments_status", "payments", "The accounts of a day read all payments."),
    _dropped("ix_payments_user", "payments", "What one guest paid is summed out of all payments."),
    _dropped("uq_payments_provider_ref", "payments", "One payment may be taken twice."),
    _dropped("ix_refunds_payment", "refunds", "A booking's refunds are looked for in all refunds."),
    _dropped("uq_refunds_provider_ref", "refunds", "One refund may be paid twice."),
    _dropped("ix_invoices_booking", "invoices", "A booking's invoices are looked for in all."),
    _dropped(
        "ix_credit_notes_invoice", "credit_notes", "An invoice's credits are looked for in all."
    ),
    _dropped("ix_waitlist_user", "waitlist", "A guest's places in the queue are read out of all."),
    _dropped("uq_waitlist_booking", "waitlist", "Two entries may hold the same offer."),
    _dropped("ix_waitlist_status", "waitlist", "The desk's list of who waits reads everyone."),
    _dropped("ix_waitlist_queue", "waitlist", "A room comes free, and all entries are read."),
    _dropped("ix_notifications_due", "notifications", "What is due is looked for in all that was."),
    _dropped("ix_notifications_user", "notifications", "One guest's messages are read out of all."),
    _dropped(
        "ix_change_log_mark",
        "change_log",
        "Each look at the log reads all of it: the cache slows down what it should speed up.",
        engines=POSTGRESQL,
    ),
    Mutant(
        name="both-indexes-of-a-guest-dropped",
        family="index dropped",
        why="A guest's page reads a million bookings of everybody.",
        ddl=("DROP INDEX ix_bookings_user", "DROP INDEX ix_bookings_user_status"),
        table="bookings",
        index="ix_bookings_user",
        also=("ix_bookings_user_status",),
        expects=("index_missing",),
        harmless=BESIDE,
    ),
)


def _anew(
    name: str,
    why: str,
    index: str,
    table: str,
    columns: str,
    *,
    family: Family = "columns reordered",
    where: str = "",
    engines: tuple[Engine, ...] = BOTH,
) -> Mutant:
    behind = f" WHERE {where}" if where else ""
    unique = index.startswith("uq_")
    ordered = family == "columns reordered"
    return Mutant(
        name=name,
        family=family,
        why=why,
        ddl=index_anew(index, f"{table} ({columns}){behind}", unique=unique and ordered),
        table=table,
        index=index,
        expects=("index_column_order", "index_cannot_serve"),
        # As it now is, it may be of no use, or the same as another.
        harmless=(*BESIDE, "index_missing", "index_unneeded", "index_prefix", "index_duplicate"),
        engines=engines,
    )


DUE = "status = 'provisional' AND expires_at IS NOT NULL"

REORDERED = (
    _anew(
        "guest-page-by-id-first",
        "A guest's page walks from the cursor down through everybody's bookings.",
        *("ix_bookings_user", "bookings", "id, user_id"),
    ),
    _anew(
        "status-behind-the-id",
        "All of an agency's bookings are walked to find those of one status.",
        *("ix_bookings_user_status", "bookings", "user_id, id, status"),
    ),
    _anew(
        "status-before-the-guest",
        "For two cancelled bookings of one guest, everybody's cancelled bookings are read.",
        *("ix_bookings_user_status", "bookings", "status, id, user_id"),
    ),
    _anew(
        "arrivals-by-day-first",
        "The desk of one hotel reads the arrivals of the whole group.",
        *("ix_bookings_arrival", "bookings", "check_in, property_id, id, check_out, status"),
    ),
    _anew(
        "arrivals-by-departure",
        "For one week all bookings that a hotel ever had are looked through.",
        *("ix_bookings_arrival", "bookings", "property_id, check_out, id, check_in, status"),
    ),
    _anew(
        "due-holds-by-instant-first",
        "A booking in one hotel looks through the ended holds of all hotels.",
        *("ix_bookings_due", "bookings", "expires_at, property_id"),
        where=DUE,
    ),
    _anew(
        "stays-by-day-before-room-type",
        "The desk's view of one room type reads that week in all room types of all hotels.",
        *("ix_room_stays_room_type", "room_stays", "check_in, room_type_id, booking_id, check_out"),
    ),
    _anew(
        "history-by-entry-first",
        "The story of one booking reads the story of all.",
        *("ix_audit_entries_subject", "audit_entries", "entry, subject_id"),
    ),
    _anew(
        "payments-by-id-before-booking",
        "The page of one booking reads all payments.",
        *("ix_payments_booking", "payments", "id, booking_id"),
    ),
    _anew(
        "payments-by-status-before-guest",
        "What one guest has paid is summed out of all payments.",
        *("ix_payments_user", "payments", "status, user_id, id"),
    ),
    _anew(
        "refunds-by-id-first",
        "The page of one booking reads all refunds.",
        *("ix_refunds_payment", "refunds", "id, payment_id"),
    ),
    _anew(
        "invoices-by-id-first",
        "The page of one booking reads all invoices.",
        *("ix_invoices_booking", "invoices", "id, booking_id"),
    ),
    _anew(
        "credits-by-id-first",
        "The page of one booking reads all credit notes.",
        *("ix_credit_notes_invoice", "credit_notes", "id, invoice_id"),
    ),
    _anew(
        "queue-by-status-first",
        "A room comes free, and everybody who waits for any room is read.",
        *("ix_waitlist_queue", "waitlist", "status, id, room_type_id, check_in, check_out"),
    ),
    _anew(
        "messages-by-instant-first",
        "What is due in one hotel is looked for in all messages since the first.",
        *("ix_notifications_due", "notifications", "scheduled_at, id, property_id, status"),
    ),
    _anew(
        "source-refs-by-ref-first",
        "To count what one hotel has imported, the references of all hotels are read.",
        *("uq_bookings_source_ref", "bookings", "source_ref, property_id"),
        where="source_ref <> ''",
    ),
)

# On SQLite an index ends with the row's id, whether it says so or not.
SHORTENED = (
    _anew(
        "guest-page-without-the-id",
        "A page of twenty sorts all bookings of the agency.",
        *("ix_bookings_user", "bookings", "user_id"),
        family="index shortened",
        engines=POSTGRESQL,
    ),
    _anew(
        "guest-and-status-without-status",
        "All of an agency's bookings are read to find those of one status.",
        *("ix_bookings_user_status", "bookings", "user_id"),
        family="index shortened",
    ),
    _anew(
        "arrivals-without-the-day",
        "For one week all bookings that a hotel ever had are read.",
        *("ix_bookings_arrival", "bookings", "property_id"),
        family="index shortened",
    ),
    _anew(
        "due-holds-without-their-instant",
        "Each booking looks through all open holds of its hotel.",
        *("ix_bookings_due", "bookings", "property_id"),
        family="index shortened",
        where=DUE,
    ),
    _anew(
        "source-refs-without-the-ref",
        "An import reads all imported bookings of the hotel for each line.",
        *("uq_bookings_source_ref", "bookings", "property_id"),
        family="index shortened",
        where="source_ref <> ''",
    ),
    _anew(
        "stays-without-the-day",
        "A week in one room type reads every stay that it ever had.",
        *("ix_room_stays_room_type", "room_stays", "room_type_id"),
        family="index shortened",
    ),
    _anew(
        "payments-of-a-hotel-without-status",
        "The open payments of a hotel are looked for in all that it ever had.",
        *("ix_payments_status", "payments", "property_id"),
        family="index shortened",
    ),
    _anew(
        "messages-without-their-instant",
        "What is due is looked for in all that a hotel has queued, and sorted.",
        *("ix_notifications_due", "notifications", "property_id, status"),
        family="index shortened",
    ),
    _anew(
        "messages-of-a-guest-without-kind",
        "One kind of message is looked for in all that the guest ever had.",
        *("ix_notifications_user", "notifications", "user_id"),
        family="index shortened",
    ),
)

DECLARED_MUTANTS: tuple[Mutant, ...] = (*DROPPED, *REORDERED, *SHORTENED)
