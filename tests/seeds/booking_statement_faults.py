"""Faults of statements that read bookings and what hangs on them."""

from __future__ import annotations

from tests.seeds.desk_statement_faults import DESK_FAULTS
from tests.seeds.seed import Edit, StatementFault
from vacancy.db.statement import Access

USER_BOOKINGS = (
    StatementFault(
        name="user-bookings-by-text",
        family="cast of a column",
        why="A user's page reads the bookings of everybody.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        replace=(Edit("b.user_id = :user_id", "CAST(b.user_id AS text) = :user_id"),),
        postgresql=(
            Edit(
                "b.user_id = :user_id",
                "CAST(b.user_id AS text) = CAST(CAST(:user_id AS bigint) AS text)",
            ),
        ),
    ),
    StatementFault(
        name="user-bookings-or-those-of-the-guest",
        family="or",
        why="A user's page reads the bookings of everybody to find a name in them.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        replace=(
            Edit("b.user_id = :user_id", "(b.user_id = :user_id OR b.guest_name = 'the user')"),
        ),
    ),
    StatementFault(
        name="user-bookings-all-at-once",
        family="limit lost",
        why="An agency's page carries its hundred thousand bookings, with their payments.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("ROWS_OVER",),
        replace=(Edit("\n    LIMIT :limit", "\n    LIMIT :limit * 100"),),
    ),
    StatementFault(
        name="user-bookings-by-offset",
        family="offset paging",
        why="The last page reads all before it, and one that is booked meanwhile shifts them all.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("INDEX_NOT_USED",),
        replace=(
            Edit("\n        AND b.id < :before_id", ""),
            Edit("LIMIT :limit", "LIMIT :limit OFFSET 9223372036854775807 - :before_id"),
        ),
    ),
    StatementFault(
        name="user-bookings-by-arrival",
        family="order changed",
        why="A page of twenty sorts all bookings of the user.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("ROWS_SORTED",),
        replace=(Edit("ORDER BY b.id DESC", "ORDER BY b.check_in DESC, b.id DESC"),),
    ),
    StatementFault(
        name="user-bookings-of-one-status-or-all",
        family="or",
        why="One text for both questions reads all of a user's bookings for two cancelled ones.",
        at="bookings.get_user_bookings_of_status",
        expects=("INDEX_NOT_USED",),
        replace=(Edit("b.status = :status", "(b.status = :status OR :status = '')"),),
    ),
    StatementFault(
        name="user-bookings-of-a-default-status",
        family="function around a column",
        why="COALESCE around a column that is never null takes it out of the index.",
        at="bookings.get_user_bookings_of_status",
        expects=("INDEX_NOT_USED",),
        replace=(Edit("b.status = :status", "COALESCE(b.status, '') = :status"),),
    ),
    StatementFault(
        name="user-bookings-of-no-other-status",
        family="negation",
        why="Said in the negative it cannot be searched by: all of the user's are read.",
        at="bookings.get_user_bookings_of_status",
        expects=("INDEX_NOT_USED",),
        engines=("sqlite",),  # PostgreSQL turns it round again
        replace=(Edit("b.status = :status", "NOT b.status <> :status"),),
    ),
)

BY_ID = (
    StatementFault(
        name="bookings-by-ids-as-text",
        family="cast of a column",
        why="Each of hundreds of ids reads all bookings.",
        at="bookings.get_bookings_by_ids",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("b.id = wanted.value", "CAST(b.id AS text) = CAST(wanted.value AS text)"),),
        postgresql=(Edit("b.id = CAST(wanted.id AS bigint)", "CAST(b.id AS text) = wanted.id"),),
    ),
    StatementFault(
        name="bookings-by-ids-with-a-column-more",
        family="width",
        why="The struct has no such field; the request ends with an error.",
        at="bookings.get_bookings_by_ids",
        expects=("WIDTH_DIFFERS",),
        replace=(Edit("b.expires_at,", "b.expires_at,\n        b.changed_at,"),),
    ),
    StatementFault(
        name="lines-by-a-sum",
        family="correlated subquery",
        why="The lines of all bookings are read for each booking that is shown.",
        at="bookings.get_bookings_by_ids",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("s.booking_id = b.id", "s.booking_id + 0 = b.id"),),
    ),
    StatementFault(
        name="lines-by-arrival",
        family="join changed",
        why="A booking shows the rooms of all that arrive on its day, found by reading every line.",
        at="bookings.get_bookings_by_ids",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(
            Edit(
                "s.booking_id = b.id", "s.property_id = b.property_id AND s.check_in = b.check_in"
            ),
        ),
    ),
    StatementFault(
        name="property-of-a-booking-from-all",
        family="cartesian join",
        why="A booking stands in every hotel at once, and each of them is read.",
        at="bookings.find_booking_property",
        expects=("ROWS_OVER", "TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("ON p.id = b.property_id", "ON p.id > 0"),),
    ),
)

DETAILS = (
    StatementFault(
        name="payments-of-a-booking-by-text",
        family="cast of a column",
        why="To show one booking, all payments are read.",
        at="bookings.get_booking_details",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("y.booking_id = b.id", "CAST(y.booking_id AS text) = CAST(b.id AS text)"),),
    ),
    StatementFault(
        name="refunds-by-joined-text",
        family="function around a column",
        why="To show one payment, all refunds are read.",
        at="bookings.get_booking_details",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("r.payment_id = y.id", "r.payment_id || '' = y.id || ''"),),
    ),
    StatementFault(
        name="history-of-the-property",
        family="join changed",
        why="One booking shows, and reads, everything that was ever done in its hotel.",
        at="bookings.get_booking_details",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("a.subject_id = b.id", "a.property_id = b.property_id"),),
    ),
    StatementFault(
        name="credit-notes-of-all-invoices",
        family="cartesian join",
        why="Each invoice of a booking shows the credit notes of every other.",
        at="bookings.get_booking_details",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("c.invoice_id = i.id", "c.invoice_id > 0 OR i.id > 0"),),
    ),
    StatementFault(
        name="details-without-their-user",
        family="join changed",
        why="The user is gone from the booking, and a cache keeps it when the user changes.",
        at="bookings.get_booking_details",
        expects=("TABLES_DIFFER",),
        replace=(
            Edit(
                "FROM users AS u WHERE u.id = b.user_id",
                "FROM (SELECT '' AS name, '' AS email, 'regular' AS guest_type) AS u",
            ),
        ),
    ),
    StatementFault(
        name="details-of-bookings-that-wait",
        family="undeclared table",
        why="The booking is read with the waiting list, and no cache knows of it.",
        at="bookings.get_booking_details",
        expects=("TABLES_DIFFER",),
        replace=(
            Edit(
                "WHERE b.id = :booking_id",
                "WHERE b.id = :booking_id\n        AND NOT EXISTS (\n"
                "            SELECT 1 FROM waitlist AS l WHERE l.booking_id = b.id\n        )",
            ),
        ),
    ),
    StatementFault(
        name="index-promised-that-is-not-there",
        family="promise lost",
        why="An index was renamed; the promise still speaks of the old one and holds nothing.",
        at="bookings.find_booking_property",
        expects=("INDEX_NOT_USED",),
        declares={
            "access": Access(
                served_by={
                    "bookings": "ix_bookings_reference (id)",
                    "properties": "pk_properties (id)",
                }
            )
        },
    ),
)

BOOKING_FAULTS: tuple[StatementFault, ...] = (
    *USER_BOOKINGS,
    *BY_ID,
    *DETAILS,
    *DESK_FAULTS,
)
