"""Reports for staff."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from vacancy.hotel.queries import (
    BookingStatistics,
    KpiReport,
    OccupancyRate,
    get_booking_statistics,
    get_kpi_report,
    get_occupancy_rate,
)
from vacancy.hotel.queries.reports import Basis
from vacancy.web.auth import STAFF
from vacancy.web.call import Answer, Call, json_answer
from vacancy.web.routing import Route


class KpiQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nights `[from, to)` of one property; bookings count by arrival."""

    property: str
    from_date: date = msgspec.field(name="from")
    to_date: date = msgspec.field(name="to")
    by: Literal["month"] | None = None
    basis: Basis = "sellable"


class OccupancyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nights `[from, to)` of one property, or of one of its room types."""

    property: str
    from_date: date = msgspec.field(name="from")
    to_date: date = msgspec.field(name="to")
    room_type: str | None = None
    basis: Basis = "sellable"


class StatisticsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bookings that arrive in `[from, to)`, of one property or of one of its room types."""

    property: str
    from_date: date = msgspec.field(name="from")
    to_date: date = msgspec.field(name="to")
    room_type: str | None = None


async def kpi(call: Call, asked: KpiQuery) -> Answer:
    return json_answer(
        await get_kpi_report(
            call.house.reads,
            asked.property,
            asked.from_date,
            asked.to_date,
            by=asked.by,
            basis=asked.basis,
            actor=call.caller,
        )
    )


async def occupancy(call: Call, asked: OccupancyQuery) -> Answer:
    return json_answer(
        await get_occupancy_rate(
            call.house.reads,
            asked.property,
            asked.from_date,
            asked.to_date,
            asked.room_type,
            basis=asked.basis,
            actor=call.caller,
        )
    )


async def statistics(call: Call, asked: StatisticsQuery) -> Answer:
    return json_answer(
        await get_booking_statistics(
            call.house.reads,
            asked.property,
            asked.from_date,
            asked.to_date,
            asked.room_type,
            actor=call.caller,
        )
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/reports/kpi",
        handler=kpi,
        access=STAFF,
        summary="Occupancy, ADR, RevPAR and their kin over a period.",
        query=KpiQuery,
        answer=KpiReport,
        codes=("PROPERTY_UNKNOWN", "PROPERTY_NOT_YOURS", "QUERY_INVALID"),
        conditional=True,
        tag="Reports",
    ),
    Route(
        method="GET",
        path="/v1/reports/occupancy",
        handler=occupancy,
        access=STAFF,
        summary="How full a property or a room type is over a period, up to a year of it.",
        query=OccupancyQuery,
        answer=OccupancyRate,
        codes=(
            "PROPERTY_UNKNOWN",
            "PROPERTY_NOT_YOURS",
            "ROOM_TYPE_UNKNOWN",
            "PERIOD_INVALID",
            "PERIOD_TOO_LONG",
            "QUERY_INVALID",
        ),
        conditional=True,
        tag="Reports",
    ),
    Route(
        method="GET",
        path="/v1/reports/statistics",
        handler=statistics,
        access=STAFF,
        summary="How many bookings arrive over a period, in which statuses, and what they come to.",
        query=StatisticsQuery,
        answer=BookingStatistics,
        codes=(
            "PROPERTY_UNKNOWN",
            "PROPERTY_NOT_YOURS",
            "ROOM_TYPE_UNKNOWN",
            "PERIOD_INVALID",
            "PERIOD_TOO_LONG",
            "QUERY_INVALID",
        ),
        conditional=True,
        tag="Reports",
    ),
)
