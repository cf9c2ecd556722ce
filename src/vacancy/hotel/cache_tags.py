"""What the answer of each cached statement depends on, as tags: see `tracked.py` for what a change
of each table touches.

A tag is a path, and a change touches the tags above it too: whoever depends on
`room_inventory/12/2026-03` hears of every room type's nights in that month, whoever depends on
`room_inventory/12/2026-03/5` of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from vacancy.cache.tags import tag
from vacancy.hotel.calendar import months_between

Params = Mapping[str, Any]

_MOST_MONTHS = 36
"""Of longer periods any change of the property's counts: each tag costs memory."""


def of_properties(_: Params, __: Sequence[Any]) -> Iterable[str]:
    """The list of all of them."""
    return ("properties",)


def of_property(_: Params, rows: Sequence[Any]) -> Iterable[str]:
    """One property by its code; while there is none, any new one may be it."""
    return (tag("properties", rows[0].id),) if rows else ("properties",)


def of_room_types(_: Params, rows: Sequence[Any]) -> Iterable[str]:
    """A property's room types by its code."""
    if not rows:
        return ("properties", "room_types")
    place = rows[0].property_id
    return (tag("properties", place), tag("room_types", place))


def of_all_availability(params: Params, rows: Sequence[Any]) -> Iterable[str]:
    """All room types of a property over a stay."""
    if not rows:
        return ("properties",)
    place = rows[0].property_id
    return (
        tag("properties", place),
        tag("room_types", place),
        *(tag("room_inventory", place, month) for month in _months_of_stay(params)),
    )


def of_availability(params: Params, rows: Sequence[Any]) -> Iterable[str]:
    """One room type over a stay: nights of another do not touch it."""
    if not rows:
        return ("properties",)
    place, kind = rows[0].property_id, rows[0].room_type_id
    if kind is None:
        return (tag("properties", place), tag("room_types", place))
    return (
        tag("properties", place),
        tag("room_types", place, kind),
        *(tag("room_inventory", place, month, kind) for month in _months_of_stay(params)),
    )


def of_user_bookings(params: Params, rows: Sequence[Any]) -> Iterable[str]:
    """A page of a user's bookings, with the names of what they booked."""
    return (
        tag("bookings", params["user_id"]),
        *(tag("room_stays", row.id) for row in rows),
        # All of them: what is joined and not there leaves no row to tell it by.
        "properties",
        "room_types",
    )


def of_period(params: Params, _: Sequence[Any]) -> Iterable[str]:
    """The sums of a property's nights, arrivals and lead times."""
    place = params["property_id"]
    yield tag("room_types", place)
    for table in ("room_inventory", "booking_counts", "lead_time_counts"):
        yield from _of_months(table, place, params)
    if params["first_month"] > params["from_date"] or params["end_month"] < params["to_date"]:
        yield "bookings"  # of a month that the period cuts, they are asked themselves


def of_occupancy(params: Params, rows: Sequence[Any]) -> Iterable[str]:
    """The sums of nights, of a property or of one of its room types."""
    place = rows[0].property_id
    if place is None:
        return ("properties",)
    return (
        tag("properties", place),
        tag("room_types", place),
        *_of_months("room_inventory", place, params),
    )


def of_statistics(params: Params, rows: Sequence[Any]) -> Iterable[str]:
    """The counts of what arrives, of a property or of one of its room types."""
    if not rows:
        return ("properties",)
    place = rows[0].property_id
    return (
        tag("properties", place),
        tag("room_types", place),
        *_of_months("booking_counts", place, params),
    )


def _of_months(table: str, place: int, params: Params) -> Iterator[str]:
    months = list(months_between(params["from_date"], params["to_date"]))
    if len(months) > _MOST_MONTHS:
        yield tag(table, place)
    else:
        for month in months:
            yield tag(table, place, month)


def _months_of_stay(params: Params) -> Iterator[str]:
    return months_between(params["check_in"], params["check_out"])
