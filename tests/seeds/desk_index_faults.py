"""Faults of the indexes behind the front desk, payments, invoices and history."""

from __future__ import annotations

from tests.seeds.index_faults import index_anew
from tests.seeds.seed import SchemaFault

ARRIVALS = (
    SchemaFault(
        name="index-of-arrivals-dropped",
        family="index dropped",
        why="The desk of one hotel reads the bookings of all.",
        at="bookings.get_bookings_for_date_range",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=("DROP INDEX ix_bookings_arrival",),
    ),
    SchemaFault(
        name="arrivals-by-day-before-property",
        family="index reordered",
        why="The desk of one hotel reads the arrivals of the group.",
        at="bookings.get_bookings_for_date_range",
        expects=("INDEX_NOT_USED",),
        ddl=index_anew(
            "ix_bookings_arrival", "bookings (check_in, property_id, id, check_out, status)"
        ),
    ),
    SchemaFault(
        name="arrivals-by-departure",
        family="index reordered",
        why="All bookings that a hotel ever had are looked through for one week.",
        at="bookings.get_bookings_for_date_range_of_status",
        expects=("INDEX_NOT_USED",),
        ddl=index_anew(
            "ix_bookings_arrival", "bookings (property_id, check_out, id, check_in, status)"
        ),
    ),
    SchemaFault(
        name="only-confirmed-arrivals-in-the-index",
        family="index of a part",
        why="The desk asks for every status and cannot use it.",
        at="bookings.get_bookings_for_date_range",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        ddl=index_anew(
            "ix_bookings_arrival",
            "bookings (property_id, check_in, id, check_out, status) WHERE status = 'confirmed'",
        ),
    ),
    SchemaFault(
        name="stays-by-room-type-without-the-day",
        family="index shortened",
        why="A week in one room type reads every stay that it ever had.",
        at="bookings.get_bookings_for_date_range_of_room_type",
        expects=("INDEX_NOT_USED",),
        ddl=index_anew("ix_room_stays_room_type", "room_stays (room_type_id)"),
    ),
)

AROUND = (
    SchemaFault(
        name="index-of-payments-by-booking-dropped",
        family="index dropped",
        why="A page of twenty bookings reads all payments twenty times.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=("DROP INDEX ix_payments_booking",),
    ),
    SchemaFault(
        name="index-of-payments-by-user-dropped",
        family="index dropped",
        why="The sums of one user read the payments of all.",
        at="payments.get_user_payment_summary",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=("DROP INDEX ix_payments_user",),
    ),
    SchemaFault(
        name="payments-by-status-first",
        family="index reordered",
        why="The user is not what the index begins with: all of it is read.",
        at="payments.get_user_payment_summary",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=index_anew("ix_payments_user", "payments (status, user_id, id)"),
    ),
    SchemaFault(
        name="index-of-refunds-dropped",
        family="index dropped",
        why="To show one booking, all refunds are read for each of its payments.",
        at="bookings.get_booking_details",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=("DROP INDEX ix_refunds_payment", "DROP INDEX uq_refunds_provider_ref"),
    ),
    SchemaFault(
        name="index-of-history-dropped",
        family="index dropped",
        why="To show one booking, everything that anybody ever did is read.",
        at="bookings.get_booking_details",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=("DROP INDEX ix_audit_entries_subject",),
    ),
    SchemaFault(
        name="invoices-by-id-first",
        family="index reordered",
        why="To show one booking, all invoices are read.",
        at="bookings.get_booking_details",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=index_anew("ix_invoices_booking", "invoices (id, booking_id)"),
    ),
)

DESK_INDEX_FAULTS: tuple[SchemaFault, ...] = (*ARRIVALS, *AROUND)
