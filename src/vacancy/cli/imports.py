"""`vacancy import`: takes bookings in from other places."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vacancy.cli.command import run_async, settings_given, shared_options
from vacancy.cli.output import answer, listing, progress_bar

if TYPE_CHECKING:
    from vacancy.config import Settings
    from vacancy.hotel.importers.hotel_demand import ImportReport


@click.group("import")
def imports() -> None:
    """Bookings from other places."""


@imports.command("hotel-demand")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--rejects",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where rows that cannot be taken go, with the reason.  [NAME.rejects.csv]",
)
@shared_options
def hotel_demand(file: Path, rejects: Path | None) -> None:
    """Takes in the data set "Hotel booking demand" as the properties `resort` and `city`.

    Running it again changes nothing; one that was killed goes on where it stopped.

    \b
    vacancy import hotel-demand hotel_bookings.csv --json
    """
    import msgspec

    report = run_async(_import(settings_given(), file, rejects))
    document = msgspec.to_builtins(report)
    answer(document, listing(document))


async def _import(settings: Settings, file: Path, rejects: Path | None) -> ImportReport:
    from vacancy.bootstrap import open_house
    from vacancy.hotel.importers.hotel_demand import import_hotel_demand

    async with open_house(settings) as house:
        return await import_hotel_demand(
            house.db,
            file,
            house.ids.next,
            rejects_path=rejects,
            progress=progress_bar("Importing"),
        )
