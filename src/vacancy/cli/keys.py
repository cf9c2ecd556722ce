"""`vacancy keys`: makes, lists and revokes API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vacancy.cli.command import run_async, settings_given, shared_options
from vacancy.cli.output import answer, note, table

if TYPE_CHECKING:
    from vacancy.bootstrap import House
    from vacancy.config import Settings
    from vacancy.hotel.accounts import NewKey
    from vacancy.hotel.model import Role

ROLES = ("guest", "staff", "admin", "superadmin")
COLUMNS = ("id", "role", "property", "email", "label", "created_at", "revoked_at")


@click.group()
def keys() -> None:
    """API keys: who may ask for what."""


@keys.command("create")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the key may do.")
@click.option("--property", "property_code", metavar="CODE", help="Bound to this property.")
@click.option("--email", help="Whose key it is.  [a new user of its own]")
@click.option("--name", help="Their name.  [the part of the address before the @]")
@click.option("--label", default="", help="What the key is for; shown in the list.")
@shared_options
def create(
    role: Role, property_code: str | None, email: str | None, name: str | None, label: str
) -> None:
    """Makes a key for a user, and the user where there is none.

    The key is printed on stdout, once: nothing shows it again.

    \b
    vacancy keys create --role staff --property alpine --email desk@example.org
    """
    settings = settings_given()
    made, owner = run_async(_create(settings, role, property_code, email, name, label))
    note(f"The key {made.id} of {owner}, {made.role}, shown once:")
    answer(made, made.key)


async def _create(
    settings: Settings,
    role: Role,
    property_code: str | None,
    email: str | None,
    name: str | None,
    label: str,
) -> tuple[NewKey, str]:
    from vacancy.bootstrap import open_house

    async with open_house(settings) as house:
        # Two guests must not share a user without being told to: each would see the other's stays.
        owner = email or f"{role}-{house.ids.next():x}@vacancy.invalid"
        made = await mint_key(
            house, role, owner, name=name, property_code=property_code, label=label
        )
        return made, owner


async def mint_key(
    house: House,
    role: Role,
    email: str,
    *,
    name: str | None = None,
    property_code: str | None = None,
    label: str,
) -> NewKey:
    """A key from the system's own randomness. Raises `Invalid` TEXT_INVALID, `Missing`
    PROPERTY_UNKNOWN."""
    from secrets import token_urlsafe

    from vacancy.hotel import refusals
    from vacancy.hotel.accounts import create_key
    from vacancy.hotel.booking import check_text

    shown_name = name or email.partition("@")[0]
    check_text("--email", email)
    check_text("--name", shown_name)
    if label:
        check_text("--label", label)
    if "@" not in email:
        raise refusals.text_refused("--email", "is no address")
    return await create_key(
        house.db,
        house.ids.next,
        secret=token_urlsafe(32),
        role=role,
        email=email,
        name=shown_name,
        property_code=property_code,
        label=label,
    )


@keys.command("list")
@shared_options
def show() -> None:
    """Lists all keys, the oldest first; never the secrets."""
    items = run_async(_list(settings_given()))
    rows = [[item[column] for column in COLUMNS] for item in items]
    answer({"items": items}, table(COLUMNS, rows))


async def _list(settings: Settings) -> list[dict[str, Any]]:
    import msgspec

    from vacancy.cli.opening import open_ready
    from vacancy.hotel.accounts import list_keys

    async with open_ready(settings) as database:
        found = [msgspec.to_builtins(key) for key in await list_keys(database)]
    return [{**key, "id": str(key["id"]), "user_id": str(key["user_id"])} for key in found]


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
@shared_options
def revoke(key_id: str) -> None:
    """Revokes a key: from the next request on it does not stand.

    \b
    vacancy keys revoke 437062528376832000
    """
    run_async(_revoke(settings_given(), key_id))
    answer({"id": key_id, "revoked": True}, f"The key {key_id} is revoked.")


async def _revoke(settings: Settings, key_id: str) -> None:
    from vacancy.cli.opening import open_ready
    from vacancy.errors import Missing
    from vacancy.hotel.accounts import revoke_key
    from vacancy.hotel.ids import parse_id

    number = parse_id(key_id)
    if number is None:
        raise Missing(
            "KEY_UNKNOWN",
            f"{key_id!r} is no id of a key.",
            hint="`vacancy keys list` shows them; the id is not the secret.",
        )
    async with open_ready(settings) as database:
        await revoke_key(database, number)
