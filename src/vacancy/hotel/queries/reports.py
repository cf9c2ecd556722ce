"""Key figures of a property over a period. Sums first, then one division: never a mean of means.

The formulas are those of the field; `docs/reports.md` writes them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec
from msgspec.structs import asdict

from vacancy.contracts.contract import contract
from vacancy.db.database import Reader
from vacancy.hotel import refusals
from vacancy.hotel.calendar import months_between
from vacancy.hotel.model import Actor
from vacancy.hotel.queries.catalogue import get_property
from vacancy.hotel.queries.figures import check_period, ratio, share_minor
from vacancy.hotel.statements import reports as sql
from vacancy.hotel.statements.catalogue import GET_PROPERTY
from vacancy.hotel.statements.reports import PeriodSums

Basis = Literal["sellable", "physical"]
By = Literal["month"]

MAX_DAYS = 3_660
"""The longest period of one report: ten years."""


class Kpi(msgspec.Struct, frozen=True, kw_only=True):
    """Nights count by night, bookings by arrival. What would divide by nothing is null."""

    rooms_available: int
    """Room nights: capacity, less what is out of order unless the basis is physical."""
    rooms_sold: int
    """Room nights paid for and used: no day use, complimentary or no-show rooms."""
    rooms_revenue_minor: int
    occupancy: float | None
    adr_minor: int | None
    """Average daily rate: revenue by room sold."""
    revpar_minor: int | None
    """Revenue by room available."""
    alos: float | None
    """Average length of stay in nights, of what arrived and was sold."""
    lead_time_mean_days: float | None
    lead_time_median_days: float | None
    bookings: int
    """Cancelled ones and no-shows too; not holds that ended by themselves."""
    cancellations: int
    no_shows: int
    cancellation_rate: float | None
    no_show_rate: float | None
    """Of the bookings that were not cancelled."""
    currency: str
    basis: Basis


class MonthKpi(Kpi, frozen=True, kw_only=True):
    """The part of a calendar month that lies in the period."""

    month: str
    """As `2015-07`."""


class KpiReport(Kpi, frozen=True, kw_only=True, rename={"from_date": "from", "to_date": "to"}):
    """The whole period, and its months where they were asked for."""

    property: str
    from_date: date
    to_date: date
    """Exclusive."""
    items: tuple[MonthKpi, ...] | msgspec.UnsetType = msgspec.UNSET


@contract(
    sql.SUM_PERIOD,
    GET_PROPERTY,
    statements=2,
    rows=lambda report: 2 + (len(report.items) if report.items else 0),
    rows_in_words="one for the property, one for the period, one for each month",
)
async def get_kpi_report(
    db: Reader,
    property_code: str,
    from_date: date,
    to_date: date,
    *,
    by: By | None = None,
    basis: Basis = "sellable",
    actor: Actor | None = None,
) -> KpiReport:
    """The key figures of `[from_date, to_date)`; in two statements however long it is, the
    sums being of one snapshot.

    An actor who is bound to a property sees no other. Raises `Missing` PROPERTY_UNKNOWN,
    `Forbidden` PROPERTY_NOT_YOURS, `Invalid` PERIOD_INVALID, PERIOD_TOO_LONG.
    """
    check_period(from_date, to_date, MAX_DAYS)
    place = await get_property(db, property_code)
    if actor is not None and not actor.may_enter(place.id):
        raise refusals.not_this_property(place.code)
    first_month, end_month = whole_months(from_date, to_date)
    rows = await db.fetch_all(
        sql.SUM_PERIOD,
        property_id=place.id,
        from_date=from_date,
        to_date=to_date,
        first_month=first_month,
        end_month=end_month,
        by_month=int(by == "month"),
    )
    by_name = {row.month: row for row in rows}
    total = _kpi(rows, by_name.get(""), place.currency, basis)
    items: tuple[MonthKpi, ...] | msgspec.UnsetType = msgspec.UNSET
    if by == "month":
        months = ((month, by_name.get(month)) for month in months_between(from_date, to_date))
        items = tuple(
            MonthKpi(month=month, **asdict(_kpi([row] if row else [], row, place.currency, basis)))
            for month, row in months
        )
    return KpiReport(
        property=place.code, from_date=from_date, to_date=to_date, items=items, **asdict(total)
    )


def whole_months(from_date: date, to_date: date) -> tuple[date, date]:
    """The calendar months that lie in the period whole, the end exclusive: what is before the one
    and from the other on are parts of months. Without any, all of the period is before both."""
    end = to_date.replace(day=1)
    if from_date > end:
        return to_date, to_date
    first = from_date.replace(day=1)
    if first < from_date:
        first = (first + timedelta(days=31)).replace(day=1)
    return first, end


def _kpi(rows: Sequence[PeriodSums], whole: PeriodSums | None, currency: str, basis: Basis) -> Kpi:
    """The figures of these rows together; lead times, which cannot be added up, of `whole`."""
    available = sum(row.capacity for row in rows)
    if basis == "sellable":
        available -= sum(row.out_of_order for row in rows)
    sold = sum(row.rooms_sold for row in rows)
    revenue_minor = sum(row.room_revenue_minor for row in rows)
    bookings = sum(row.bookings for row in rows)
    cancellations = sum(row.cancellations for row in rows)
    no_shows = sum(row.no_shows for row in rows)
    stays = sum(row.stays for row in rows)
    mean_days = median_days = None
    if whole is not None:
        mean_days = ratio(whole.lead_days, whole.lead_times)
        if whole.lower_median_days is not None and whole.upper_median_days is not None:
            median_days = (whole.lower_median_days + whole.upper_median_days) / 2
    return Kpi(
        rooms_available=available,
        rooms_sold=sold,
        rooms_revenue_minor=revenue_minor,
        occupancy=ratio(sold, available),
        adr_minor=share_minor(revenue_minor, sold),
        revpar_minor=share_minor(revenue_minor, available),
        alos=ratio(sum(row.room_nights for row in rows), stays),
        lead_time_mean_days=mean_days,
        lead_time_median_days=median_days,
        bookings=bookings,
        cancellations=cancellations,
        no_shows=no_shows,
        cancellation_rate=ratio(cancellations, bookings),
        no_show_rate=ratio(no_shows, bookings - cancellations),
        currency=currency,
        basis=basis,
    )
