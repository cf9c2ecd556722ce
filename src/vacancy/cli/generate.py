"""`vacancy db generate`: a synthetic hotel group of any size."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from vacancy.cli.command import Day, run_async, settings_given, shared_options
from vacancy.cli.output import answer, listing, progress_bar
from vacancy.errors import Misconfigured

if TYPE_CHECKING:
    from vacancy.config import Settings
    from vacancy.hotel.generate.group import GenerateReport


@click.command()
@click.option("--properties", type=click.IntRange(1, 1_000), required=True, help="How many hotels.")
@click.option(
    "--bookings",
    type=click.IntRange(0, 20_000_000),
    required=True,
    help="In all hotels together.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 4_294_967_295),
    required=True,
    help="The same seed and sizes give the same hotels.",
)
@click.option("--from", "first_night", type=Day(), help="The first night.  [2023-01-01]")
@click.option(
    "--room-types",
    type=click.IntRange(1, 50),
    default=5,
    show_default=True,
    help="In each hotel.",
)
@shared_options
def generate(
    properties: int, bookings: int, seed: int, first_night: date | None, room_types: int
) -> None:
    """Makes a synthetic hotel group: three years of bookings with the shape of real ones.

    For trying things at size. It needs a migrated database without properties. Running it again
    changes nothing; one that was killed goes on where it stopped.

    \b
    vacancy db generate --properties 10 --bookings 1000000 --seed 1
    """
    settings = settings_given()
    if settings.env == "production":
        raise Misconfigured(
            "GENERATE_IN_PRODUCTION",
            "Generated bookings are nobody's, and VACANCY_ENV is production.",
            hint="Generate into a database of its own, with VACANCY_ENV set to development.",
        )
    import msgspec

    report = run_async(_generate(settings, properties, bookings, seed, first_night, room_types))
    document = msgspec.to_builtins(report)
    answer(document, listing(document))


async def _generate(
    settings: Settings,
    properties: int,
    bookings: int,
    seed: int,
    first_night: date | None,
    room_types: int,
) -> GenerateReport:
    import gc

    from vacancy.bootstrap import open_database
    from vacancy.db.revision import require_revision
    from vacancy.hotel.generate.group import generate_group
    from vacancy.hotel.generate.plan import FIRST_NIGHT, GroupPlan, written_at
    from vacancy.hotel.revisions import REVISIONS

    plan = GroupPlan(
        properties=properties,
        bookings=bookings,
        seed=seed,
        first_night=first_night or FIRST_NIGHT,
        room_types=room_types,
    )
    # Millions of rows come and go and make no cycles; looking for some takes a sixth of the time.
    gc.disable()
    try:
        # Neither the time of day nor a node of this process goes into what is written.
        async with open_database(settings, clock=lambda: written_at(plan)) as database:
            await require_revision(database, REVISIONS)
            return await generate_group(database, plan, progress=progress_bar("Generating"))
    finally:
        gc.enable()
