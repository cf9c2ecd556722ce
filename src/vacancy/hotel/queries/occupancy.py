"""How full a house is over a period, from its nights alone.

The formulas are those of `docs/reports.md`: sums first, then one division.
"""

from __future__ import annotations

from datetime import date

import msgspec

from vacancy.contracts.contract import contract
from vacancy.db.database import Reader
from vacancy.hotel import refusals
from vacancy.hotel.model import Actor
from vacancy.hotel.queries.figures import check_period, ratio
from vacancy.hotel.queries.inventory import not_to_be_seen, only_property
from vacancy.hotel.queries.reports import Basis
from vacancy.hotel.statements import occupancy as sql

MAX_DAYS = 366
"""The longest period of one answer: a year. Sums of several may be added up, rates may not."""


class OccupancyRate(
    msgspec.Struct, frozen=True, kw_only=True, rename={"from_date": "from", "to_date": "to"}
):
    """A property or one of its room types over `[from, to)`, in room nights. Nights without
    inventory count nothing."""

    property: str
    room_type: str | None
    """Null for all of them together."""
    from_date: date
    to_date: date
    """Exclusive."""
    capacity: int
    out_of_order: int
    rooms_available: int
    """capacity, less out_of_order unless the basis is physical."""
    reserved: int
    """Booked: rooms of every booking that takes some, complimentary ones too."""
    rooms_sold: int
    """Of them, those that are paid for."""
    rooms_revenue_minor: int
    occupancy: float | None
    """rooms_sold / rooms_available, 6 places, halves to even; null without rooms."""
    currency: str
    basis: Basis


@contract(
    sql.SUM_NIGHTS,
    sql.SUM_NIGHTS_OF_ROOM_TYPE,
    statements=1,
    rows=lambda found: 1,
    rows_in_words="one",
)
async def get_occupancy_rate(
    db: Reader,
    property_code: str,
    from_date: date,
    to_date: date,
    room_type: str | None = None,
    *,
    basis: Basis = "sellable",
    actor: Actor | None = None,
) -> OccupancyRate:
    """Occupancy of a property, or of one room type. What it costs hangs on the nights asked for,
    not on how many bookings there are.

    An actor who is bound to a property sees no other. Raises `Missing` PROPERTY_UNKNOWN,
    ROOM_TYPE_UNKNOWN, `Forbidden` PROPERTY_NOT_YOURS, `Invalid` PERIOD_INVALID, PERIOD_TOO_LONG.
    """
    check_period(from_date, to_date, MAX_DAYS)
    period = {
        "property": property_code,
        "from_date": from_date,
        "to_date": to_date,
        "of_property": only_property(actor),
    }
    if room_type is None:
        sums = (await db.fetch_all(sql.SUM_NIGHTS, **period))[0]
    else:
        of_type = sql.SUM_NIGHTS_OF_ROOM_TYPE
        sums = (await db.fetch_all(of_type, room_type=room_type, **period))[0]
    if sums.currency is None:
        raise await not_to_be_seen(db, property_code)
    if room_type is not None and sums.room_type_id is None:
        raise refusals.unknown_room_type(property_code, room_type)
    available = sums.capacity - (sums.out_of_order if basis == "sellable" else 0)
    return OccupancyRate(
        property=property_code,
        room_type=room_type,
        from_date=from_date,
        to_date=to_date,
        capacity=sums.capacity,
        out_of_order=sums.out_of_order,
        rooms_available=available,
        reserved=sums.reserved,
        rooms_sold=sums.rooms_sold,
        rooms_revenue_minor=sums.room_revenue_minor,
        occupancy=ratio(sums.rooms_sold, available),
        currency=sums.currency,
        basis=basis,
    )
