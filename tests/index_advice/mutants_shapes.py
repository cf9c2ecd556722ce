"""Mutants that keep the name of an index and lose what it is for: of a part of the rows, of another
kind, invalid, on another table; constraints lost, and keys turned round."""

from __future__ import annotations

from tests.index_advice.mutant import BOTH, POSTGRESQL, Mutant
from tests.index_advice.mutants_declared import BESIDE, DUE
from tests.seeds import SCHEMA_FAULTS
from tests.seeds.index_faults import index_anew
from vacancy.db.statement import Engine
from vacancy.perf.indexes.finding import Rule

_OF_NO_USE: tuple[Rule, ...] = (
    *BESIDE,
    "index_missing",
    "index_unneeded",
    "index_column_order",
)


def _changed(
    name: str,
    why: str,
    index: str,
    on: str,
    *,
    postgresql: str | None = None,
    part: bool = False,
    unique: bool = False,
    engines: tuple[Engine, ...] = BOTH,
) -> Mutant:
    return Mutant(
        name=name,
        family="index of a part" if part else "index of another kind",
        why=why,
        ddl=index_anew(index, on, unique=unique),
        postgresql=None if postgresql is None else index_anew(index, postgresql, unique=unique),
        table=on.partition(" ")[0],
        index=index,
        expects=("index_cannot_serve",),
        harmless=_OF_NO_USE,
        engines=engines,
    )


OF_A_PART = (
    _changed(
        "guest-page-of-confirmed-alone",
        "A page of all bookings cannot use it and sorts what it finds elsewhere.",
        "ix_bookings_user",
        "bookings (user_id, id) WHERE status = 'confirmed'",
        part=True,
    ),
    _changed(
        "arrivals-of-confirmed-alone",
        "The desk asks for every status and reads all bookings of the group.",
        "ix_bookings_arrival",
        "bookings (property_id, check_in, id, check_out, status) WHERE status = 'confirmed'",
        part=True,
    ),
    _changed(
        "due-holds-of-the-wrong-status",
        "The index holds confirmed bookings; ended holds are looked for everywhere.",
        "ix_bookings_due",
        "bookings (property_id, expires_at) WHERE status = 'confirmed' AND expires_at IS NOT NULL",
        part=True,
    ),
    _changed(
        "statuses-of-today-alone",
        "The status is a parameter: a plan for all values cannot use an index of three.",
        "ix_bookings_user_status",
        "bookings (user_id, status, id) WHERE status IN ('provisional', 'confirmed', 'checked_in')",
        part=True,
    ),
    _changed(
        "source-refs-of-one-importer",
        "Lines of all other importers are looked for everywhere, and taken twice.",
        "uq_bookings_source_ref",
        "bookings (property_id, source_ref) WHERE source_ref > 'm'",
        part=True,
        unique=True,
    ),
    _changed(
        "payments-of-large-amounts-alone",
        "Small payments of a booking are looked for in all payments.",
        "ix_payments_booking",
        "payments (booking_id, id) WHERE amount_minor > 10000",
        part=True,
    ),
    _changed(
        "stays-of-several-rooms-alone",
        "The desk's view of one room type reads all stays.",
        "ix_room_stays_room_type",
        "room_stays (room_type_id, check_in, booking_id, check_out) WHERE rooms > 1",
        part=True,
    ),
    _changed(
        "history-of-bookings-alone",
        "One booking's story asks for every action and reads all history.",
        "ix_audit_entries_subject",
        "audit_entries (subject_id, entry) WHERE action = 'booking.create'",
        part=True,
    ),
    _changed(
        "invoices-without-those-credited",
        "The invoices of a booking are looked for in all.",
        "ix_invoices_booking",
        "invoices (booking_id, id) WHERE credited_minor = 0",
        part=True,
    ),
)

OF_ANOTHER_KIND = (
    _changed(
        "status-in-lower-case",
        "Nobody asks for lower(status): all of an agency's bookings are read for one status.",
        "ix_bookings_user_status",
        "bookings (user_id, lower(status), id)",
    ),
    _changed(
        "guest-by-an-expression",
        "Nobody asks for user_id + 0: the index is kept up to date for nothing.",
        "ix_bookings_user",
        "bookings ((user_id + 0), id)",
    ),
    _changed(
        "booking-of-a-payment-by-an-expression",
        "A booking's payments are looked for in all payments.",
        "ix_payments_booking",
        "payments ((booking_id + 0), id)",
    ),
    _changed(
        "source-refs-in-another-collation",
        "The comparison is of exact text: the index finds the hotel, and reads all its lines.",
        "uq_bookings_source_ref",
        "bookings (property_id, source_ref COLLATE NOCASE) WHERE source_ref <> ''",
        postgresql="bookings (property_id, source_ref COLLATE \"C\") WHERE source_ref <> ''",
        unique=True,
    ),
    _changed(
        "status-without-its-case",
        "The comparison is of exact text: all of an agency's bookings are read for one status.",
        "ix_bookings_user_status",
        "bookings (user_id, status COLLATE NOCASE, id)",
        postgresql='bookings (user_id, status COLLATE "C", id)',
    ),
    _changed(
        "arrivals-as-text",
        "The day inside an expression bounds nothing: all arrivals a hotel ever had are read.",
        "ix_bookings_arrival",
        "bookings (property_id, substr(check_in, 1, 10), id, check_out, status)",
        postgresql="bookings (property_id, (check_in + 0), id, check_out, status)",
    ),
    _changed(
        "guest-page-in-a-hash",
        "A hash has no order: a page of twenty sorts all bookings of the agency.",
        "ix_bookings_user",
        "bookings USING hash (user_id)",
        engines=POSTGRESQL,
    ),
    _changed(
        "room-types-in-a-hash",
        "A hash cannot bound a day: every stay that the room type ever had is read.",
        "ix_room_stays_room_type",
        "room_stays USING hash (room_type_id)",
        engines=POSTGRESQL,
    ),
    _changed(
        "arrivals-by-block-ranges",
        "BRIN finds ranges of pages, not rows: the desk of one hotel reads nearly all pages.",
        "ix_bookings_arrival",
        "bookings USING brin (property_id, check_in)",
        engines=POSTGRESQL,
    ),
    _changed(
        "payments-newest-first-ids-oldest-first",
        "A page of payments walks both columns one way: in this index they run apart, so it sorts.",
        "ix_payments_status",
        "payments (property_id, status, created_at DESC, id)",
    ),
    _changed(
        "waiting-by-day-and-id-backwards",
        "The list goes by day and id together: in this index they run apart, so it sorts.",
        "ix_waitlist_status",
        "waitlist (property_id, status, check_in, id DESC, check_out)",
    ),
    _changed(
        "source-refs-no-longer-unique",
        "The index finds the line, and no longer refuses it: an import takes it twice.",
        "uq_bookings_source_ref",
        "bookings (property_id, source_ref) WHERE source_ref <> ''",
    ),
    _changed(
        "provider-refs-no-longer-unique",
        "Nothing refuses a payment that comes twice.",
        "uq_payments_provider_ref",
        "payments (provider, provider_ref) WHERE provider_ref <> ''",
    ),
)


def _invalid(index: str, table: str, why: str) -> Mutant:
    return Mutant(
        name=f"{index.replace('_', '-')}-invalid",
        family="build that failed",
        why=why,
        postgresql=(
            f"UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = '{index}'::regclass",
        ),
        table=table,
        index=index,
        expects=("index_invalid",),
        harmless=(*BESIDE, "index_missing", "index_cannot_serve"),
        engines=POSTGRESQL,
    )


FAILED = (
    _invalid("ix_bookings_user", "bookings", "A killed build: writers keep it, no reader may."),
    _invalid("ix_bookings_arrival", "bookings", "A killed build: the desk reads all bookings."),
    _invalid("ix_payments_booking", "payments", "A killed build: all payments are read for one."),
    _invalid("ix_waitlist_queue", "waitlist", "A killed build: nobody's turn is found quickly."),
    Mutant(
        name="unique-build-met-a-double",
        family="build that failed",
        why="The build met two rows of one name and left an index that only costs.",
        postgresql=(
            "CREATE TABLE vouchers (id bigint PRIMARY KEY, code text NOT NULL)",
            "INSERT INTO vouchers VALUES (1, 'summer'), (2, 'summer')",
        ),
        refused="CREATE UNIQUE INDEX CONCURRENTLY uq_vouchers_code ON vouchers (code)",
        table="vouchers",
        index="uq_vouchers_code",
        expects=("index_invalid",),
        harmless=("index_unneeded", "index_unused"),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="rebuild-left-its-copy",
        family="build that failed",
        why="REINDEX CONCURRENTLY was killed: each write keeps a second index that nobody reads.",
        postgresql=(
            "CREATE INDEX ix_payments_user_ccnew ON payments (user_id, status, id)",
            "UPDATE pg_index SET indisvalid = FALSE"
            " WHERE indexrelid = 'ix_payments_user_ccnew'::regclass",
        ),
        table="payments",
        index="ix_payments_user_ccnew",
        expects=("index_invalid",),
        harmless=("index_unneeded", "index_duplicate"),
        engines=POSTGRESQL,
    ),
)


def _misplaced(name: str, why: str, index: str, table: str, other: str, on: str) -> Mutant:
    return Mutant(
        name=name,
        family="wrong table",
        why=why,
        ddl=index_anew(index, f"{other} ({on})"),
        table=table,
        index=index,
        also=(other,),
        expects=("index_missing", "index_cannot_serve"),
        harmless=(*BESIDE, "index_unneeded", "index_duplicate", "index_prefix"),
    )


ON_ANOTHER_TABLE = (
    _misplaced(
        "payments-index-on-refunds",
        "The name stands there and the migration passes; a booking's payments are read out of all.",
        *("ix_payments_booking", "payments", "refunds", "payment_id, id"),
    ),
    _misplaced(
        "invoices-index-on-credit-notes",
        "The name stands there; a booking's invoices are read out of all.",
        *("ix_invoices_booking", "invoices", "credit_notes", "invoice_id, id"),
    ),
    _misplaced(
        "guests-index-on-the-waitlist",
        "The name stands there; a guest's page sorts all his bookings.",
        *("ix_bookings_user", "bookings", "waitlist", "user_id, check_in"),
    ),
)


def _as_seeded(
    seed: str,
    table: str,
    constraint: str,
    *expects: Rule,
    engines: tuple[Engine, ...] = BOTH,
) -> Mutant:
    """A fault of the corpus of contracts: SQLite changes a key by making the table anew."""
    (fault,) = [one for one in SCHEMA_FAULTS if one.name == seed]
    lost = fault.family == "constraint lost"
    return Mutant(
        name=seed,
        family="constraint lost" if lost else "key reordered",
        why=fault.why,
        ddl=fault.ddl,
        postgresql=fault.postgresql,
        table=table,
        index=constraint,
        expects=expects,
        harmless=(*_OF_NO_USE, "index_cannot_serve"),
        engines=engines,
    )


CONSTRAINTS_LOST = (
    _as_seeded("email-no-longer-unique", "users", "uq_users_email", "index_missing"),
    _as_seeded(
        "property-code-no-longer-unique", "properties", "uq_properties_code", "index_missing"
    ),
    _as_seeded(
        "room-type-code-no-longer-unique",
        "room_types",
        "uq_room_types_property_id_code",
        "index_missing",
    ),
    _as_seeded(
        "idempotency-key-no-longer-unique",
        "idempotency_keys",
        "uq_idempotency_keys_user_id_key",
        "index_missing",
    ),
    _as_seeded("secret-no-longer-unique", "api_keys", "uq_api_keys_secret_sha256", "index_missing"),
)

KEYS = (
    _as_seeded(
        "inventory-by-night-first",
        *("room_inventory", "pk_room_inventory", "index_column_order", "index_cannot_serve"),
    ),
    _as_seeded(
        "room-stays-by-line-first",
        *("room_stays", "pk_room_stays", "index_column_order", "index_cannot_serve"),
    ),
    _as_seeded(
        "booking-counts-by-status-first",
        *("booking_counts", "pk_booking_counts", "index_column_order", "index_cannot_serve"),
    ),
    _as_seeded(
        "lead-times-by-days-first",
        *("lead_time_counts", "pk_lead_time_counts", "index_column_order", "index_cannot_serve"),
    ),
    _as_seeded(
        "inventory-without-a-key",
        *("room_inventory", "pk_room_inventory", "index_missing"),
    ),
)

DESCENDING_DUE = Mutant(
    name="messages-by-instant-backwards",
    family="index of another kind",
    why="The queue goes by instant and id together: in this index they run apart, so it sorts.",
    ddl=index_anew(
        "ix_notifications_due", "notifications (property_id, status, scheduled_at DESC, id)"
    ),
    table="notifications",
    index="ix_notifications_due",
    expects=("index_cannot_serve",),
    harmless=_OF_NO_USE,
)

DUE_BY_GUEST = Mutant(
    name="due-holds-by-guest",
    family="columns reordered",
    why="The index carries the guest where the hotel should stand: holds of all hotels are read.",
    ddl=index_anew("ix_bookings_due", f"bookings (user_id, property_id, expires_at) WHERE {DUE}"),
    table="bookings",
    index="ix_bookings_due",
    expects=("index_column_order", "index_cannot_serve"),
    harmless=_OF_NO_USE,
)

SHAPE_MUTANTS: tuple[Mutant, ...] = (
    *OF_A_PART,
    *OF_ANOTHER_KIND,
    *FAILED,
    *ON_ANOTHER_TABLE,
    *CONSTRAINTS_LOST,
    *KEYS,
    DESCENDING_DUE,
    DUE_BY_GUEST,
)
