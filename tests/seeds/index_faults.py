"""Faults of indexes: what a hasty migration, a failed build or a helping hand leaves behind."""

from __future__ import annotations

from tests.seeds.seed import SchemaFault


def index_anew(name: str, on: str, *, unique: bool = False) -> tuple[str, ...]:
    """The index made anew in another shape."""
    return (f"DROP INDEX {name}", f"CREATE {'UNIQUE ' if unique else ''}INDEX {name} ON {on}")


DROPPED = (
    SchemaFault(
        name="index-of-user-bookings-dropped",
        family="index dropped",
        why="A user's page sorts all bookings that the user ever made.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("INDEX_NOT_USED", "ROWS_SORTED"),
        ddl=("DROP INDEX ix_bookings_user",),
    ),
    SchemaFault(
        name="both-indexes-of-user-bookings-dropped",
        family="index dropped",
        why="A user's page reads a million bookings of everybody.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=("DROP INDEX ix_bookings_user", "DROP INDEX ix_bookings_user_status"),
    ),
    SchemaFault(
        name="index-of-user-and-status-dropped",
        family="index dropped",
        why="To show two cancelled bookings of an agency, a hundred thousand others are read.",
        at="bookings.get_user_bookings_of_status",
        expects=("INDEX_NOT_USED",),
        ddl=("DROP INDEX ix_bookings_user_status",),
    ),
    SchemaFault(
        name="index-of-due-holds-dropped",
        family="index dropped",
        why="Every sweep and every booking reads all bookings to find the holds that have ended.",
        at="admission.list_due_holds",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=("DROP INDEX ix_bookings_due",),
    ),
    SchemaFault(
        name="index-of-source-refs-dropped",
        family="index dropped",
        why="An import reads the whole table once for each of its lines, and double lines get in.",
        at="imports.list_standing",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=("DROP INDEX uq_bookings_source_ref",),
    ),
)

REORDERED = (
    SchemaFault(
        name="user-bookings-by-id-first",
        family="index reordered",
        why="The index is read from the cursor down through everybody's bookings.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("INDEX_NOT_USED", "ROWS_SORTED"),
        ddl=index_anew("ix_bookings_user", "bookings (id, user_id)"),
    ),
    SchemaFault(
        name="status-behind-the-id",
        family="index reordered",
        why="All of a user's bookings are walked to find those of one status.",
        at="bookings.get_user_bookings_of_status",
        expects=("INDEX_NOT_USED",),
        ddl=index_anew("ix_bookings_user_status", "bookings (user_id, id, status)"),
    ),
    SchemaFault(
        name="due-holds-by-instant-first",
        family="index reordered",
        why="A booking in one hotel looks through the ended holds of all hotels.",
        at="admission.list_due_holds",
        expects=("INDEX_NOT_USED",),
        ddl=index_anew(
            "ix_bookings_due",
            "bookings (expires_at, property_id)"
            " WHERE status = 'provisional' AND expires_at IS NOT NULL",
        ),
    ),
)

SHORTENED = (
    # On SQLite an index ends with the row's id, whether it says so or not.
    SchemaFault(
        name="user-bookings-without-their-id",
        family="index shortened",
        why="A page of twenty sorts all bookings of the user.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("ROWS_SORTED", "INDEX_NOT_USED"),
        engines=("postgresql",),
        postgresql=index_anew("ix_bookings_user", "bookings (user_id)"),
    ),
    SchemaFault(
        name="user-bookings-of-status-without-status",
        family="index shortened",
        why="All of a user's bookings are read to find those of one status.",
        at="bookings.get_user_bookings_of_status",
        expects=("INDEX_NOT_USED", "ROWS_SORTED"),
        ddl=index_anew("ix_bookings_user_status", "bookings (user_id)"),
    ),
    SchemaFault(
        name="due-holds-without-their-instant",
        family="index shortened",
        why="Every booking looks through all open holds of its hotel.",
        at="admission.list_due_holds",
        expects=("INDEX_NOT_USED",),
        ddl=index_anew(
            "ix_bookings_due",
            "bookings (property_id) WHERE status = 'provisional' AND expires_at IS NOT NULL",
        ),
    ),
    SchemaFault(
        name="source-refs-without-the-ref",
        family="index shortened",
        why="An import reads all imported bookings of the hotel for each line.",
        at="imports.list_standing",
        expects=("INDEX_NOT_USED",),
        ddl=index_anew("uq_bookings_source_ref", "bookings (property_id) WHERE source_ref <> ''"),
    ),
)

OF_A_PART = (
    SchemaFault(
        name="only-confirmed-bookings-in-the-index",
        family="index of a part",
        why="A page of all bookings cannot use it and sorts what it finds elsewhere.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("INDEX_NOT_USED", "ROWS_SORTED"),
        ddl=index_anew("ix_bookings_user", "bookings (user_id, id) WHERE status = 'confirmed'"),
    ),
    SchemaFault(
        name="only-current-statuses-in-the-index",
        family="index of a part",
        why="The status is a parameter: the plan for all values cannot use an index of three.",
        at="bookings.get_user_bookings_of_status",
        expects=("INDEX_NOT_USED",),
        ddl=index_anew(
            "ix_bookings_user_status",
            "bookings (user_id, status, id)"
            " WHERE status IN ('provisional', 'confirmed', 'checked_in')",
        ),
    ),
    SchemaFault(
        name="due-holds-of-the-wrong-status",
        family="index of a part",
        why="The index holds confirmed bookings; ended holds are looked for everywhere.",
        at="admission.list_due_holds",
        expects=("TABLE_SCANNED", "INDEX_NOT_USED"),
        ddl=index_anew(
            "ix_bookings_due",
            "bookings (property_id, expires_at)"
            " WHERE status = 'confirmed' AND expires_at IS NOT NULL",
        ),
    ),
)

OF_ANOTHER_KIND = (
    SchemaFault(
        name="source-refs-in-another-collation",
        family="index of another kind",
        why="The comparison is of exact text: the index is of no use to it beyond the hotel.",
        at="imports.list_standing",
        expects=("INDEX_NOT_USED",),
        ddl=index_anew(
            "uq_bookings_source_ref",
            "bookings (property_id, source_ref COLLATE NOCASE) WHERE source_ref <> ''",
            unique=True,
        ),
        postgresql=index_anew(
            "uq_bookings_source_ref",
            "bookings (property_id, source_ref COLLATE \"C\") WHERE source_ref <> ''",
            unique=True,
        ),
    ),
    SchemaFault(
        name="user-bookings-by-an-expression",
        family="index of another kind",
        why="Nobody asks for user_id + 0: the index is kept up to date for nothing.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("INDEX_NOT_USED", "ROWS_SORTED"),
        ddl=index_anew("ix_bookings_user", "bookings ((user_id + 0), id)"),
    ),
    SchemaFault(
        name="user-bookings-in-a-hash",
        family="index of another kind",
        why="A hash has no order: a page of twenty sorts all bookings of the user.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("ROWS_SORTED", "INDEX_NOT_USED"),
        engines=("postgresql",),
        postgresql=index_anew("ix_bookings_user", "bookings USING hash (user_id)"),
    ),
    SchemaFault(
        name="build-of-an-index-that-failed",
        family="index of another kind",
        why="CREATE INDEX CONCURRENTLY was killed: writers keep the index, no reader may use it.",
        at="bookings.get_user_bookings_with_room_type",
        expects=("INDEX_NOT_USED", "ROWS_SORTED"),
        engines=("postgresql",),
        postgresql=(
            "UPDATE pg_index SET indisvalid = FALSE"
            " WHERE indexrelid = 'ix_bookings_user'::regclass",
        ),
    ),
)

INDEX_FAULTS: tuple[SchemaFault, ...] = (
    *DROPPED,
    *REORDERED,
    *SHORTENED,
    *OF_A_PART,
    *OF_ANOTHER_KIND,
)
