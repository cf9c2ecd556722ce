"""A plan in words: by which index it comes to each table, what it reads whole, what it sorts."""

from __future__ import annotations

from vacancy.db.plan import Plan, Way


def in_words(plan: Plan) -> str:
    """`orders by ix_orders_user (user_id, id); reads all of payments; sorts by at`."""
    parts = [_way(way) for way in plan.ways] + [_sort(sort) for sort in plan.sorts]
    return "; ".join(dict.fromkeys(parts)) or "searches no table"


def _way(way: Way) -> str:
    if way.columns:
        return f"{way.table} by {way}"
    through = f" through {way.index}" if way.index else ""
    return f"reads all of {way.table}{through}"


def _sort(sort: str) -> str:
    # SQLite says what for, PostgreSQL by what.
    return f"sorts {sort}" if sort.startswith("by ") else f"sorts for {sort}"
