"""Prepares the demo, and keeps its key and address in `demo.json` for programs and second runs."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import msgspec

from vacancy.bootstrap import House, open_house
from vacancy.cli.keys import mint_key
from vacancy.cli.opening import ensure_schema
from vacancy.config import Settings
from vacancy.errors import Misconfigured, Unauthenticated
from vacancy.hotel.accounts import find_actor
from vacancy.hotel.calendar import business_date
from vacancy.hotel.demo import DEMO_EMAIL, DEMO_PROPERTIES, make_demo
from vacancy.hotel.queries import get_property

FILE_NAME = "demo.json"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - nothing is bound here
"""Where to find a server that listens on all addresses."""


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """What a newcomer needs, and what stands in the file."""

    url: str
    key: str
    user_id: str
    commands: tuple[str, ...]
    properties: tuple[str, ...]


async def prepare_demo(settings: Settings, folder: Path) -> Demo:
    """Makes the demo where it is missing and writes its file, readable for its owner alone.

    Raises `Conflict` DEMO_REFUSED, `Misconfigured` DATA_DIR_UNUSABLE.
    """
    await ensure_schema(settings)
    path = folder / FILE_NAME
    async with open_house(settings) as house:
        known = _read(path)
        standing = await _standing(house, known)
        if known is None or standing is None:
            await make_demo(house.db, house.admission, house.ids.next)
            made = await mint_key(house, "superadmin", DEMO_EMAIL, name="Demo User", label="demo")
            key, user_id = made.key, made.user_id
        else:
            key, user_id = known.key, standing
        place = await get_property(house.db, DEMO_PROPERTIES[0])
        today = business_date(house.db.clock(), place.time_zone)
    url = f"http://{_EVERYWHERE.get(settings.host, settings.host)}:{settings.port}"
    demo = Demo(
        url=url,
        key=key,
        user_id=user_id,
        commands=_commands(url, key, user_id, today),
        properties=DEMO_PROPERTIES,
    )
    _write(path, demo)
    return demo


async def _standing(house: House, known: Demo | None) -> str | None:
    """The user of the key in the file, when this database knows it."""
    if known is None:
        return None
    try:
        return str((await find_actor(house.db, known.key)).user_id)
    except Unauthenticated:
        return None


def _commands(url: str, key: str, user_id: str, today: date) -> tuple[str, ...]:
    check_in = today + timedelta(days=30)
    check_out = check_in + timedelta(days=3)
    bearer = f"-H 'Authorization: Bearer {key}'"
    body = msgspec.json.encode(
        {
            "property": "alpine",
            "check_in": check_in,
            "check_out": check_out,
            "rooms": [{"room_type": "double", "count": 2, "adults": 4}],
            "guest": {"name": "Ada Lovelace", "email": "ada@example.org"},
        }
    ).decode()
    return (
        f"curl '{url}/v1/properties/alpine/availability"
        f"?check_in={check_in}&check_out={check_out}&rooms=2'",
        f"curl -X POST {url}/v1/bookings {bearer} -H 'Idempotency-Key: try-{check_in}'"
        f" -H 'Content-Type: application/json' -d '{body}'",
        f"curl '{url}/v1/users/{user_id}/bookings?limit=5' {bearer}",
    )


def _read(path: Path) -> Demo | None:
    """What an earlier run has left; a file that says nothing to us is written anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Demo)
    except (OSError, msgspec.DecodeError):
        return None


def _write(path: Path, demo: Demo) -> None:
    aside = path.with_suffix(".json.new")
    try:
        aside.unlink(missing_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(demo), indent=2) + b"\n")
        aside.replace(path)
    except OSError as error:
        raise Misconfigured(
            "DATA_DIR_UNUSABLE",
            f"{path} cannot be written: {error.strerror}.",
            hint="Choose another data directory with --data-dir or VACANCY_DATA_DIR.",
        ) from None
