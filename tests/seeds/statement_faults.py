"""Faults of statements about accounts, hotels, admission, imports and upkeep, and the list of all
faults of statements."""

from __future__ import annotations

from tests.seeds.booking_statement_faults import BOOKING_FAULTS
from tests.seeds.night_statement_faults import NIGHT_FAULTS
from tests.seeds.seed import Edit, StatementFault

ACCOUNTS = (
    StatementFault(
        name="user-by-absolute-id",
        family="function around a column",
        why="Each look at a user reads all users.",
        at="users.get_user",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("WHERE id = :user_id", "WHERE abs(id) = :user_id"),),
    ),
    StatementFault(
        name="user-by-numeric-id",
        family="cast of a column",
        why="The driver was told numeric: each id is turned into one before it is compared.",
        at="users.get_user",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        engines=("postgresql",),
        replace=(Edit("WHERE id = :user_id", "WHERE id = CAST(:user_id AS numeric)"),),
    ),
    StatementFault(
        name="all-columns-of-a-user",
        family="width",
        why="The struct gets columns that it does not have; the request ends with an error.",
        at="users.get_user",
        expects=("WIDTH_DIFFERS",),
        replace=(Edit("id,\n        name,\n        email,\n        guest_type", "*"),),
    ),
    StatementFault(
        name="emails-in-lower-case",
        family="function around a column",
        why="Every booking reads all users while it makes others wait.",
        at="accounts.get_users",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("u.email = w.email", "lower(u.email) = lower(w.email)"),),
    ),
    StatementFault(
        name="key-by-secret-or-label",
        family="or",
        why="Every request with a key reads all keys.",
        at="accounts.find_key",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(
            Edit(
                "WHERE secret_sha256 = :secret_sha256",
                "WHERE (secret_sha256 = :secret_sha256 OR label = :secret_sha256)",
            ),
        ),
    ),
    StatementFault(
        name="key-that-begins-with",
        family="pattern",
        why="Every request with a key reads all keys.",
        at="accounts.find_key",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(
            Edit(
                "secret_sha256 = :secret_sha256",
                "secret_sha256 LIKE '%' || CAST(:secret_sha256 AS text)",
            ),
        ),
    ),
    StatementFault(
        name="key-revoked-by-a-sum",
        family="function around a column",
        why="A change reads all rows, and on PostgreSQL waits for whoever has one of them locked.",
        at="accounts.revoke_key",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("WHERE id = :key_id", "WHERE id + 0 = :key_id"),),
    ),
)

CATALOGUE = (
    StatementFault(
        name="property-by-code-or-name",
        family="or",
        why="Each request reads all hotels to find its own.",
        at="catalogue.get_property",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("WHERE code = :property", "WHERE code = :property OR name = :property"),),
    ),
    StatementFault(
        name="room-types-of-every-property",
        family="cartesian join",
        why="One hotel is shown the room types of all others, each of them read.",
        at="catalogue.list_room_types",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("ON t.property_id = p.id", "ON t.property_id IS NOT NULL"),),
    ),
    StatementFault(
        name="properties-by-name",
        family="order changed",
        why="No index has this order: the list is sorted at each request.",
        at="catalogue.list_properties",
        expects=("ROWS_SORTED",),
        replace=(Edit("ORDER BY code", "ORDER BY name"),),
    ),
    StatementFault(
        name="room-types-that-have-nights",
        family="undeclared table",
        why="Each room type comes once for each of its nights, and no cache knows of them.",
        at="catalogue.list_room_types",
        expects=("TABLES_DIFFER",),
        replace=(
            Edit(
                "ON t.property_id = p.id",
                "ON t.property_id = p.id\n    JOIN room_inventory AS i"
                " ON i.property_id = p.id AND i.room_type_id = t.id",
            ),
        ),
    ),
    StatementFault(
        name="room-types-with-a-column-more",
        family="width",
        why="The struct has no such field; the request ends with an error.",
        at="catalogue.list_room_types",
        expects=("WIDTH_DIFFERS",),
        replace=(Edit("t.max_adults", "t.max_adults,\n        t.created_at"),),
    ),
    StatementFault(
        name="room-types-with-a-read-too-many",
        family="promise lost",
        why="Each change of a booking throws the list of room types out of the cache.",
        at="catalogue.list_room_types",
        expects=("TABLES_DIFFER",),
        declares={"reads": ("properties", "room_types", "bookings")},
    ),
    StatementFault(
        name="property-that-promises-nothing",
        family="promise lost",
        why="Nobody would notice the day when its index is lost.",
        at="catalogue.get_property",
        expects=("NO_CONTRACT",),
        declares={"access": None},
    ),
)

ADMISSION = (
    StatementFault(
        name="answers-by-key-alone",
        family="column unbound",
        why="The index begins with the user: each booking reads all stored answers.",
        at="admission.get_answers",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("k.user_id = w.user_id AND k.key = w.key", "k.key = w.key"),),
    ),
    StatementFault(
        name="room-types-of-a-batch-by-a-sum",
        family="function around a column",
        why="Each batch of bookings reads the room types of all hotels.",
        at="admission.list_catalogue",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("t.property_id = p.id", "t.property_id + 0 = p.id"),),
    ),
    StatementFault(
        name="due-holds-of-two-statuses",
        family="or",
        why="The index holds provisional ones only: all bookings are read for each batch.",
        at="admission.list_due_holds",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("b.status = 'provisional'", "b.status IN ('provisional', 'confirmed')"),),
    ),
    StatementFault(
        name="due-holds-of-all-properties",
        family="column unbound",
        why="A booking in one hotel looks through the ended holds of all hotels.",
        at="admission.list_due_holds",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        replace=(Edit("b.property_id = place.property_id\n        AND ", ""),),
    ),
    StatementFault(
        name="bookings-locked-by-text",
        family="cast of a column",
        why="A cancellation reads all bookings while it holds the hotel's locks.",
        at="admission.lock_bookings",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("ON b.id = w.id", "ON CAST(b.id AS text) = CAST(w.id AS text)"),),
    ),
    StatementFault(
        name="bookings-locked-by-default",
        family="function around a column",
        why="COALESCE around a column that is never null: all bookings are read under lock.",
        at="admission.lock_bookings",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("ON b.id = w.id", "ON COALESCE(b.id, 0) = w.id"),),
    ),
    StatementFault(
        name="stays-of-other-bookings",
        family="negation",
        why="The lines of all bookings but one are read, for each that is changed.",
        at="admission.list_stays",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("ON s.booking_id = w.id", "ON s.booking_id <> w.id"),),
    ),
    StatementFault(
        name="status-changed-by-status",
        family="cartesian join",
        why="One cancellation cancels every confirmed booking.",
        at="admission.change_status",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("bookings.id = changed.id\n        AND ", ""),),
    ),
)

IMPORTS_AND_UPKEEP = (
    StatementFault(
        name="standing-without-the-indexs-condition",
        family="column unbound",
        why="The index holds rows with a ref only: a query that does not say so cannot use it.",
        at="imports.list_standing",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("\n            AND b.source_ref <> ''", ""),),
    ),
    StatementFault(
        name="standing-by-joined-text",
        family="function around a column",
        why="An import reads all imported bookings of the hotel for each line.",
        at="imports.list_standing",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        replace=(Edit("b.source_ref = w.source_ref", "b.source_ref || '' = w.source_ref"),),
    ),
    StatementFault(
        name="due-by-the-second",
        family="function around a column",
        why="The sweep reads all open holds, not those that have ended.",
        at="upkeep.list_due",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        engines=("postgresql",),  # on SQLite IS NOT NULL bounds the column whatever else is said
        postgresql=(Edit("b.expires_at <= :now", "date_trunc('second', b.expires_at) <= :now"),),
    ),
    StatementFault(
        name="old-keys-all-at-once",
        family="limit lost",
        why="The sweep reads and locks the whole table; bookings wait until it is through.",
        at="upkeep.delete_old_keys",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(
            Edit(
                "entry <= (\n            SELECT MAX(entry)\n            FROM (SELECT entry FROM"
                " idempotency_keys ORDER BY entry LIMIT 500) AS oldest\n        )\n        AND ",
                "",
            ),
        ),
    ),
)

STATEMENT_FAULTS: tuple[StatementFault, ...] = (
    *ACCOUNTS,
    *CATALOGUE,
    *ADMISSION,
    *IMPORTS_AND_UPKEEP,
    *NIGHT_FAULTS,
    *BOOKING_FAULTS,
)
