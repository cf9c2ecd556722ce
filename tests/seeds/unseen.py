"""Faults that the detector does not see yet, each with the reason. Whoever teaches it to moves them
to the others."""

from __future__ import annotations

from tests.seeds.seed import Edit, StatementFault

UNSEEN: tuple[StatementFault, ...] = (
    # `may_sort` lets a statement sort: not only the page that its reason speaks of.
    StatementFault(
        name="desk-by-guest",
        family="order changed",
        why="All bookings of the range are sorted for each page of it.",
        at="bookings.get_bookings_for_date_range",
        expects=("ROWS_SORTED",),
        replace=(Edit("ORDER BY o.check_in, o.id", "ORDER BY o.guest_name, o.id"),),
    ),
    # A column that is bound on one side counts as bound: here the cursor binds it, from the first
    # arrival there ever was.
    StatementFault(
        name="desk-from-the-first-arrival-on",
        family="column unbound",
        why="Each year that passes makes the desk of today slower.",
        at="bookings.get_bookings_for_date_range",
        expects=("INDEX_NOT_USED",),
        replace=(Edit(":from_date, '-'", "'0001-01-01', '-'"),),
        postgresql=(Edit("CAST(:from_date AS date) -", "DATE '1000-01-01' -"),),
    ),
    # The same: SQLite takes IS NOT NULL for a bound of the column.
    StatementFault(
        name="due-by-the-second-on-sqlite",
        family="function around a column",
        why="The sweep reads all open holds, not those that have ended.",
        at="upkeep.list_due",
        expects=("INDEX_NOT_USED",),
        engines=("sqlite",),
        replace=(Edit("b.expires_at <= :now", "substr(b.expires_at, 1, 19) <= :now"),),
    ),
)
