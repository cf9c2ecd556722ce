"""`vacancy properties`: makes hotels from a file and lists them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vacancy.cli.command import run_async, settings_given, shared_options
from vacancy.cli.output import answer, table

if TYPE_CHECKING:
    from vacancy.config import Settings

COLUMNS = ("code", "name", "currency", "time_zone", "max_stay_nights")


@click.group()
def properties() -> None:
    """Hotels and their room types."""


@properties.command("create")
@click.argument("file", type=click.Path(path_type=Path))
@shared_options
def create(file: Path) -> None:
    """Makes a property, its room types and their inventory as a TOML file says.

    \b
    code = "alpine"
    name = "Hotel Alpine"
    currency = "EUR"
    time_zone = "Europe/Vienna"
    nights = 400                  # of inventory, from the property's today
    [[room_types]]
    code = "double"
    name = "Double"
    price_minor = 9000            # one room, one night, in cents
    max_adults = 2                # in one room
    capacity = 20                 # rooms
    """
    made = run_async(_create(settings_given(), file))
    answer(
        made,
        f"The property {made['code']} has {len(made['room_types'])} room types and inventory for"
        f" {made['nights']} nights from {made['first_night']} on.",
    )


async def _create(settings: Settings, file: Path) -> dict[str, Any]:
    from vacancy.bootstrap import open_house
    from vacancy.cli.property_file import make_property, read_property

    wanted = read_property(file)
    async with open_house(settings) as house:
        return await make_property(house, wanted)


@properties.command("list")
@shared_options
def show() -> None:
    """Lists the properties by code."""
    items = run_async(_list(settings_given()))
    answer({"items": items}, table(COLUMNS, [[item[name] for name in COLUMNS] for item in items]))


async def _list(settings: Settings) -> list[dict[str, Any]]:
    from vacancy.cli.opening import open_ready
    from vacancy.hotel.queries import list_properties

    async with open_ready(settings) as database:
        found = await list_properties(database)
    return [{name: getattr(place, name) for name in COLUMNS} for place in found]
