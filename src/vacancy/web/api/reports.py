"""Reports for staff."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from vacancy.errors import Forbidden
from vacancy.hotel.queries import get_property
from vacancy.hotel.queries.reports import KpiReport, get_kpi_report
from vacancy.web.auth import STAFF
from vacancy.web.call import Answer, Call, json_answer
from vacancy.web.routing import Route


class KpiQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nights `[from, to)` of one property; bookings count by arrival."""

    property: str
    from_date: date = msgspec.field(name="from")
    to_date: date = msgspec.field(name="to")
    by: Literal["month"] | None = None
    basis: Literal["sellable", "physical"] = "sellable"


async def kpi(call: Call, asked: KpiQuery) -> Answer:
    db = call.house.db
    place = await get_property(db, asked.property)
    if not call.caller.may_manage(place.id):
        raise Forbidden(
            "PROPERTY_NOT_YOURS",
            f"This key is for another property than {place.code!r}.",
            hint="Use a key of that property, or one that is bound to none.",
            errors=({"field": "property", "value": place.code},),
        )
    report = await get_kpi_report(
        db, place.code, asked.from_date, asked.to_date, by=asked.by, basis=asked.basis
    )
    return json_answer(report)


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
        tag="Reports",
        statements=4,
    ),
)
