"""`vacancy demo`: two small hotels to try everything on, and the server that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vacancy.cli.command import make_data_dir, run_async, settings_given, shared_options
from vacancy.cli.output import answer
from vacancy.errors import Misconfigured

if TYPE_CHECKING:
    from vacancy.cli.demo_file import Demo


@click.command()
@click.option("--host", help="Over VACANCY_HOST.  [127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65_535), help="Over VACANCY_PORT.  [8000]")
@click.option("--no-serve", is_flag=True, help="Make the demo and stop.")
@shared_options
def demo(host: str | None, port: int | None, no_serve: bool) -> None:
    """Makes two small hotels with bookings in every status, then serves them.

    A second run keeps them, and the key. What is printed also stands in demo.json in the data
    directory.

    \b
    vacancy demo
    vacancy demo --port 8080 --data-dir /tmp/demo
    """
    settings = settings_given(host=host, port=port)
    if settings.env == "production":
        raise Misconfigured(
            "DEMO_IN_PRODUCTION",
            "The demo prints a key that may do everything, and VACANCY_ENV is production.",
            hint="Use `vacancy init` here, or set VACANCY_ENV to development.",
        )
    if not no_serve:
        from vacancy.web.serve import require_port, serve

        require_port(settings)
    from vacancy.cli.demo_file import prepare_demo

    folder = make_data_dir(settings)
    made = run_async(prepare_demo(settings, folder))
    answer(made, _words(made))
    if not no_serve:
        serve(settings)


def _words(made: Demo) -> str:
    commands = "\n\n".join(f"  {command}" for command in made.commands)
    return (
        f"Vacancy's demo: {made.url}  (the API: {made.url}/docs)\n"
        f"The hotels:     {', '.join(made.properties)}\n"
        f"Your key:       {made.key}\n\n"
        f"Three commands to try:\n\n{commands}\n"
    )
