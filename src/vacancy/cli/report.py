"""`vacancy report`: key figures of a property."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from vacancy.cli.command import Day, run_async, settings_given, shared_options
from vacancy.cli.output import answer, listing, table

if TYPE_CHECKING:
    from vacancy.config import Settings
    from vacancy.hotel.queries.reports import Basis, By, KpiReport

MONTH_COLUMNS = (
    "rooms_available",
    "rooms_sold",
    "rooms_revenue_minor",
    "occupancy",
    "adr_minor",
    "revpar_minor",
    "bookings",
    "cancellations",
    "no_shows",
)
"""What fits beside a month; `--json` has all of them."""
ASKED = ("property", "from", "to")
"""What the caller said; not repeated in the answer."""


@click.group()
def report() -> None:
    """Reports over a period."""


@report.command()
@click.option("--property", "property_code", metavar="CODE", required=True)
@click.option("--from", "from_date", type=Day(), required=True, help="The first night.")
@click.option("--to", "to_date", type=Day(), required=True, help="The day after the last night.")
@click.option("--by", type=click.Choice(["month"]), help="Each month beside the whole.")
@click.option(
    "--basis",
    type=click.Choice(["sellable", "physical"]),
    default="sellable",
    show_default=True,
    help="Whether rooms that are out of order count as available.",
)
@shared_options
def kpi(property_code: str, from_date: date, to_date: date, by: By | None, basis: Basis) -> None:
    """Occupancy, ADR, RevPAR and what belongs to them.

    Nights count by night, bookings by arrival. Money is in minor units, rates are fractions.

    \b
    vacancy report kpi --property alpine --from 2027-03-01 --to 2027-04-01
    """
    import msgspec

    found = run_async(_kpi(settings_given(), property_code, from_date, to_date, by, basis))
    document: dict[str, Any] = msgspec.to_builtins(found)
    for name in ASKED:
        document.pop(name, None)
    months = document.get("items")
    if months is None:
        answer(document, listing(document))
        return
    rows = [*months, {"month": "total", **document}]
    columns = ("month", *MONTH_COLUMNS)
    answer(document, table(columns, [[row[column] for column in columns] for row in rows]))


async def _kpi(
    settings: Settings,
    property_code: str,
    from_date: date,
    to_date: date,
    by: By | None,
    basis: Basis,
) -> KpiReport:
    from vacancy.cli.opening import open_ready
    from vacancy.hotel.queries.reports import get_kpi_report

    async with open_ready(settings) as database:
        return await get_kpi_report(database, property_code, from_date, to_date, by=by, basis=basis)
