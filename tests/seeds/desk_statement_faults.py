"""Faults of statements that the front desk and the office ask: bookings by date, payments,
statistics."""

from __future__ import annotations

from tests.seeds.seed import Edit, StatementFault

DESK = (
    StatementFault(
        name="desk-of-an-absolute-property",
        family="function around a column",
        why="The desk of one hotel reads the bookings of all.",
        at="bookings.get_bookings_for_date_range",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("WHERE o.property_id = (", "WHERE abs(o.property_id) = ("),),
    ),
    StatementFault(
        name="desk-of-every-property",
        family="column unbound",
        why="The desk of one hotel shows, and reads, the bookings of all.",
        at="bookings.get_bookings_for_date_range_of_status",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(
            Edit(
                "WHERE o.property_id = (SELECT id FROM properties WHERE code = :property)"
                "\n            AND ",
                "WHERE ",
            ),
        ),
    ),
    StatementFault(
        name="desk-all-at-once",
        family="limit lost",
        why="A week in a large hotel is one answer of thousands of bookings.",
        at="bookings.get_bookings_for_date_range",
        expects=("ROWS_OVER",),
        replace=(Edit("\n        LIMIT :limit", "\n        LIMIT :limit * 100"),),
    ),
    StatementFault(
        name="desk-with-a-search-for-each-booking",
        family="correlated subquery",
        why="For each booking of a page all bookings are read.",
        at="bookings.get_bookings_for_date_range_of_status",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("b.id = page.id", "b.id + 0 = page.id"),),
    ),
    StatementFault(
        name="desk-of-a-computed-room-type",
        family="function around a column",
        why="A list of one room type reads the stays in all rooms of all hotels.",
        at="bookings.get_bookings_for_date_range_of_room_type",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("WHERE o.room_type_id = (", "WHERE o.room_type_id + 0 = ("),),
    ),
    StatementFault(
        name="desk-with-a-status-by-text",
        family="correlated subquery",
        why="For each stay of the range all bookings are read to learn its status.",
        at="bookings.get_bookings_for_date_range_of_room_type_and_status",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("k.id = o.booking_id", "k.id || '' = o.booking_id || ''"),),
    ),
)

PAYMENTS = (
    StatementFault(
        name="payments-of-a-user-or-none",
        family="or",
        why="To sum up one user, the payments of all are read.",
        at="payments.get_user_payment_summary",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("y.user_id = :user_id", "(y.user_id = :user_id OR y.amount_minor < 0)"),),
    ),
    StatementFault(
        name="payments-by-way-of-bookings",
        family="undeclared table",
        why="Each payment looks its booking up, and no cache knows of it.",
        at="payments.get_user_payment_summary",
        expects=("TABLES_DIFFER",),
        replace=(
            Edit(
                "FROM payments AS y",
                "FROM payments AS y\n    JOIN bookings AS b ON b.id = y.booking_id",
            ),
        ),
    ),
    StatementFault(
        name="payments-of-users-that-end-with",
        family="pattern",
        why="All payments are read, and user 7 sees the sums of user 17.",
        at="payments.get_user_payment_summary",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("y.user_id = :user_id", "CAST(y.user_id AS text) LIKE '%' || :user_id"),),
        postgresql=(
            Edit(
                "y.user_id = :user_id",
                "CAST(y.user_id AS text) LIKE '%' || CAST(:user_id AS bigint)",
            ),
        ),
    ),
)

STATISTICS = (
    StatementFault(
        name="statistics-of-a-computed-property",
        family="function around a column",
        why="The numbers of one hotel read the counts of all.",
        at="statistics.get_booking_statistics",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("ON c.property_id = p.id", "ON c.property_id + 0 = p.id"),),
    ),
    StatementFault(
        name="statistics-counted-from-bookings",
        family="count from bookings",
        why="A year takes the longer the more was ever booked: seconds instead of milliseconds.",
        at="statistics.get_booking_statistics",
        expects=("TABLES_DIFFER", "TABLE_SCANNED"),
        replace=(
            Edit(
                "LEFT JOIN booking_counts AS c",
                "LEFT JOIN (SELECT property_id, 0 AS room_type_id, check_in AS arrival, status,"
                " 1 AS bookings, 1 AS room_nights, total_minor AS value_minor FROM bookings) AS c",
            ),
        ),
    ),
    StatementFault(
        name="statistics-of-computed-days",
        family="function around a column",
        why="A month reads every day since the house opened.",
        at="statistics.get_booking_statistics",
        expects=("INDEX_NOT_USED",),
        replace=(
            Edit("c.arrival >= :from_date", "date(c.arrival) >= :from_date"),
            Edit("c.arrival < :to_date", "date(c.arrival) < :to_date"),
        ),
        postgresql=(
            Edit("c.arrival >= :from_date", "(c.arrival + 0) >= :from_date"),
            Edit("c.arrival < :to_date", "(c.arrival + 0) < :to_date"),
        ),
    ),
    StatementFault(
        name="statistics-of-a-default-property",
        family="function around a column",
        why="The counts of all hotels are read for a room type of one.",
        at="statistics.get_room_type_statistics",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        replace=(
            Edit("c.property_id = t.property_id", "COALESCE(c.property_id, 0) = t.property_id"),
        ),
    ),
    StatementFault(
        name="statistics-of-room-types-like",
        family="pattern",
        why="A room type is looked for among all of the house, and `%` finds every one.",
        at="statistics.get_room_type_statistics",
        expects=("INDEX_NOT_USED",),
        replace=(Edit("t.code = :room_type", "t.code LIKE :room_type"),),
    ),
    StatementFault(
        name="statistics-of-nowhere",
        family="or",
        why="A plan for one hotel and for all reads them all each time.",
        at="statistics.get_room_type_statistics",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        replace=(
            Edit("WHERE p.code = :property", "WHERE (p.code = :property OR p.name = :property)"),
        ),
    ),
)

ANSWERS = (
    StatementFault(
        name="the-last-of-a-page-comes-again",
        family="answer",
        why="Whoever turns the page sees a booking twice, and pays for it twice perhaps.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("ANSWER_DIFFERS",),
        replace=(Edit("b.id < :before_id", "b.id <= :before_id"),),
    ),
    StatementFault(
        name="who-left-is-still-there",
        family="answer",
        why="The desk looks for guests who left in the morning of the first day.",
        at="bookings.get_bookings_for_date_range",
        expects=("ANSWER_DIFFERS",),
        replace=(Edit("o.check_out > :present_from", "o.check_out >= :present_from"),),
    ),
    StatementFault(
        name="euros-and-dollars-in-one-sum",
        family="answer",
        why="Amounts of two currencies are added up.",
        at="payments.get_user_payment_summary",
        expects=("ANSWER_DIFFERS",),
        replace=(
            Edit("y.status,\n        y.currency,", "y.status,\n        MAX(y.currency),"),
            Edit("GROUP BY y.status, y.currency", "GROUP BY y.status"),
            Edit("ORDER BY y.status, y.currency", "ORDER BY y.status"),
        ),
    ),
    StatementFault(
        name="nobody-comes-to-an-unknown-house",
        family="answer",
        why="A hotel without arrivals in the period is said not to exist.",
        at="statistics.get_booking_statistics",
        expects=("ANSWER_DIFFERS",),
        replace=(Edit("LEFT JOIN booking_counts", "JOIN booking_counts"),),
    ),
)

DESK_FAULTS: tuple[StatementFault, ...] = (*DESK, *PAYMENTS, *STATISTICS, *ANSWERS)
