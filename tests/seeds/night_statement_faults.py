"""Faults of statements that read nights: availability, inventory, occupancy, reports, and those
that admission locks."""

from __future__ import annotations

from tests.seeds.seed import Edit, StatementFault

AVAILABILITY = (
    StatementFault(
        name="availability-by-lower-case-code",
        family="function around a column",
        why="Each look at availability reads all hotels.",
        at="availability.check_room_availability",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("p.code = :property", "lower(p.code) = :property"),),
    ),
    StatementFault(
        name="availability-by-computed-night",
        family="function around a column",
        why="Three years of nights are read to look at seven.",
        at="availability.check_room_availability",
        expects=("INDEX_NOT_USED",),
        replace=(
            Edit("i.night >= :check_in", "date(i.night) >= :check_in"),
            Edit("i.night < :check_out", "date(i.night) < :check_out"),
        ),
        postgresql=(
            Edit("i.night >= :check_in", "(i.night + 0) >= :check_in"),
            Edit("i.night < :check_out", "(i.night + 0) < :check_out"),
        ),
    ),
    StatementFault(
        name="availability-of-no-property",
        family="column unbound",
        why="The key of inventory begins with the property: without it all nights are read.",
        at="availability.check_room_availability",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        replace=(Edit("i.property_id = t.property_id\n                AND ", ""),),
    ),
    StatementFault(
        name="availability-by-default-room-type",
        family="function around a column",
        why="The nights of all room types of the hotel are read for each of them.",
        at="availability.check_room_availability",
        expects=("INDEX_NOT_USED",),
        replace=(Edit("i.room_type_id = t.id", "COALESCE(i.room_type_id, 0) = t.id"),),
    ),
    StatementFault(
        name="availability-with-an-open-beginning",
        family="or",
        why="A plan for both cases begins with the first night there ever was.",
        at="availability.check_room_availability",
        expects=("INDEX_NOT_USED",),
        replace=(
            Edit(
                "i.night >= :check_in\n                AND i.night < :check_out",
                "(i.night >= :check_in OR t.price_minor < 0)\n"
                "                AND (i.night < :check_out OR t.price_minor < 0)",
            ),
        ),
    ),
    StatementFault(
        name="availability-of-codes-that-end-with",
        family="pattern",
        why="All room types of the hotel are read, and `double` finds `twin_double` too.",
        at="availability.check_room_availability",
        expects=("INDEX_NOT_USED",),
        replace=(Edit("t.code = :room_type", "t.code LIKE '%' || CAST(:room_type AS text)"),),
    ),
    StatementFault(
        name="availability-of-all-but-one",
        family="negation",
        why="Asked for one room type, the hotel answers with the others.",
        at="availability.check_room_availability",
        expects=("INDEX_NOT_USED",),
        replace=(Edit("t.code = :room_type", "t.code <> :room_type"),),
    ),
    StatementFault(
        name="availability-of-every-property",
        family="cartesian join",
        why="A look at one hotel reads the room types and nights of all.",
        at="availability.get_all_room_availability",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("ON t.property_id = p.id", "ON t.property_id <> 0"),),
    ),
    StatementFault(
        name="availability-from-room-stays",
        family="count from bookings",
        why="Stays are counted at each look; the more are sold, the slower it is.",
        at="availability.get_all_room_availability",
        expects=("TABLES_DIFFER", "TABLE_SCANNED"),
        replace=(
            Edit(
                "MIN(i.available)",
                "MIN(i.capacity - (SELECT COUNT(*) FROM room_stays AS s"
                " WHERE s.room_type_id = i.room_type_id"
                " AND s.check_in <= i.night AND s.check_out > i.night))",
            ),
        ),
    ),
)

NIGHTS_OF_ADMISSION = (
    StatementFault(
        name="nights-locked-without-property",
        family="column unbound",
        why="A booking reads all nights while others wait for it.",
        at="admission.lock_nights",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        replace=(
            Edit("i.property_id = w.property_id\n        AND i.room_type_id", "i.room_type_id"),
        ),
    ),
    StatementFault(
        name="nights-locked-whole-years",
        family="column unbound",
        why="A booking of one night locks the room type for three years: nobody else can book it.",
        at="admission.lock_nights",
        expects=("INDEX_NOT_USED",),
        replace=(Edit("\n        AND i.night = w.night", ""),),
    ),
    StatementFault(
        name="nights-updated-by-text",
        family="cast of a column",
        why="All nights of the room type are read for each that is sold.",
        at="admission.update_nights",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        replace=(
            Edit(
                "room_inventory.night = moved.night",
                "CAST(room_inventory.night AS text) = CAST(moved.night AS text)",
            ),
        ),
    ),
)

REPORTS = (
    StatementFault(
        name="report-of-a-computed-property",
        family="function around a column",
        why="A report of one hotel reads the nights of all.",
        at="reports.sum_period",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(
            Edit("ON i.property_id = t.property_id", "ON abs(i.property_id) = t.property_id"),
        ),
    ),
    StatementFault(
        name="report-of-one-property-or-all",
        family="or",
        why="A plan for both cases reads the arrivals of all hotels.",
        at="reports.sum_period",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(
            Edit(
                "FROM booking_counts\n        WHERE property_id = :property_id",
                "FROM booking_counts\n        WHERE (property_id = :property_id OR bookings < 0)",
            ),
        ),
    ),
    StatementFault(
        name="report-counts-bookings",
        family="count from bookings",
        why="A year takes the longer the more was ever booked: seconds instead of milliseconds.",
        at="reports.sum_period",
        expects=("TABLES_DIFFER", "TABLE_SCANNED"),
        replace=(
            Edit(
                "FROM booking_counts",
                "FROM (SELECT property_id, check_in AS arrival, 0 AS room_type_id, status,"
                " 1 AS bookings, 1 AS stays, 1 AS nights_sold FROM bookings) AS each_booking",
            ),
        ),
    ),
    StatementFault(
        name="report-sums-the-ledger",
        family="count from bookings",
        why="The ledger has a row for each change of each night, and is searched from end to end.",
        at="reports.sum_period",
        expects=("TABLES_DIFFER", "TABLE_SCANNED"),
        replace=(
            Edit(
                "JOIN room_inventory AS i",
                "JOIN (SELECT property_id, room_type_id, night, 0 AS capacity, 0 AS out_of_order,"
                " rooms_sold, room_revenue_minor FROM night_ledger) AS i",
            ),
        ),
    ),
    StatementFault(
        name="report-of-lead-times-with-users",
        family="undeclared table",
        why="The report reads users, and no cache knows of it.",
        at="reports.sum_period",
        expects=("TABLES_DIFFER",),
        replace=(
            Edit(
                "FROM lead_time_counts\n        WHERE property_id = :property_id",
                "FROM lead_time_counts\n        WHERE EXISTS (SELECT 1 FROM users)"
                "\n            AND property_id = :property_id",
            ),
        ),
    ),
)

OCCUPANCY = (
    StatementFault(
        name="occupancy-by-room-type",
        family="grouping",
        why="Every room type is a row, to be summed up once more by whoever asked.",
        at="occupancy.sum_nights",
        expects=("ROWS_OVER", "ROWS_SORTED"),
        replace=(
            Edit(
                "AND (p.id = :of_property OR :of_property = 0)",
                "AND (p.id = :of_property OR :of_property = 0)\n    GROUP BY t.id",
            ),
        ),
    ),
    StatementFault(
        name="nights-without-property",
        family="column unbound",
        why="The key of inventory begins with the property: without it all nights are read.",
        at="inventory.get_room_type_with_inventory",
        expects=("INDEX_NOT_USED", "TABLE_SCANNED"),
        replace=(
            Edit(
                "ON i.property_id = t.property_id\n        AND i.room_type_id", "ON i.room_type_id"
            ),
        ),
    ),
    StatementFault(
        name="nights-of-all-dates",
        family="negation",
        why="A year of nights is read for each room type to show one night of it.",
        at="inventory.get_room_types_with_inventory",
        expects=("INDEX_NOT_USED",),
        replace=(Edit("AND i.night = :night", "AND i.night <> :night"),),
    ),
    StatementFault(
        name="checks-of-codes-by-text",
        family="function around a column",
        why="Each of hundreds of checks reads all hotels.",
        at="availability.batch_check_availability",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        replace=(Edit("ON p.code = w.property", "ON lower(p.code) = lower(w.property)"),),
        postgresql=(Edit("WHERE code = w.property", "WHERE lower(code) = lower(w.property)"),),
    ),
)

ANSWERS = (
    StatementFault(
        name="the-day-of-departure-is-a-night",
        family="answer",
        why="A free room is shown as sold out when somebody arrives on the day one leaves.",
        at="availability.check_room_availability",
        expects=("ANSWER_DIFFERS",),
        replace=(Edit("i.night < :check_out", "i.night <= :check_out"),),
    ),
    StatementFault(
        name="a-missing-night-is-free",
        family="answer",
        why="A stay over nights that are not on sale is sold.",
        at="availability.get_all_room_availability",
        expects=("ANSWER_DIFFERS",),
        replace=(Edit("COUNT(*) = :nights", "COUNT(*) BETWEEN 1 AND :nights"),),
    ),
    StatementFault(
        name="the-last-day-of-a-report-counts-twice",
        family="answer",
        why="Two months one after the other come to more than both together.",
        at="reports.sum_period",
        expects=("ANSWER_DIFFERS",),
        replace=(Edit("night < :to_date", "night <= :to_date"),),
    ),
    StatementFault(
        name="room-types-backwards",
        family="answer",
        why="Two programs that walk the lists side by side give one room type the other's price.",
        at="availability.get_all_room_availability",
        expects=("ANSWER_DIFFERS",),
        replace=(Edit("ORDER BY t.code", "ORDER BY t.code DESC"),),
    ),
)

NIGHT_FAULTS: tuple[StatementFault, ...] = (
    *AVAILABILITY,
    *NIGHTS_OF_ADMISSION,
    *REPORTS,
    *OCCUPANCY,
    *ANSWERS,
)
