"""`vacancy init`: a data directory, a database and the first admin key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vacancy.cli.command import make_data_dir, run_async, settings_given, shared_options
from vacancy.cli.output import answer, note

if TYPE_CHECKING:
    from vacancy.config import Settings
    from vacancy.hotel.model import Role


@click.command()
@click.option(
    "--role",
    type=click.Choice(["admin", "superadmin"]),
    default="superadmin",
    show_default=True,
    help="What the key may do.",
)
@click.option(
    "--email",
    default="admin@vacancy.invalid",
    show_default=True,
    help="Whose key it is.",
)
@click.option("--another-key", is_flag=True, help="Make a key although there is one.")
@shared_options
def init(role: Role, email: str, another_key: bool) -> None:
    """Makes the data directory, the database and the first admin key.

    The key is printed on stdout, once: nothing shows it again.

    \b
    vacancy init
    vacancy init --email you@example.org --json
    """
    settings = settings_given()
    folder = make_data_dir(settings)
    made = run_async(_init(settings, role, email, another_key))
    note(f"The data directory is {folder}.")
    note(f"The database is {made['database']}, at revision {made['revision']}.")
    note(f"The key of {email}, {role}, shown once:")
    answer({"data_dir": str(folder), **made}, made["key"])


async def _init(settings: Settings, role: Role, email: str, another_key: bool) -> dict[str, Any]:
    import msgspec

    from vacancy.bootstrap import open_house
    from vacancy.cli.keys import mint_key
    from vacancy.cli.opening import ensure_schema
    from vacancy.db.connect import without_passwords
    from vacancy.db.revision import get_revision
    from vacancy.errors import Conflict
    from vacancy.hotel.accounts import list_keys

    shown_url = without_passwords(settings.url)
    await ensure_schema(settings)
    async with open_house(settings) as house:
        standing = [
            key
            for key in await list_keys(house.db)
            if key.role in ("admin", "superadmin") and key.revoked_at is None
        ]
        if standing and not another_key:
            raise Conflict(
                "ALREADY_INITIALISED",
                f"The database {shown_url} is ready and has an admin key already:"
                f" {standing[0].id} of {standing[0].email}.",
                hint="If that key is lost, run `vacancy init --another-key`, then revoke it with"
                " `vacancy keys revoke`.",
            )
        made = await mint_key(house, role, email, label="init")
        return {
            "database": shown_url,
            "revision": await get_revision(house.db),
            "email": email,
            **msgspec.to_builtins(made),
        }
