"""A property as a TOML file describes it: read, checked, made."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from vacancy.bootstrap import House
from vacancy.db.database import Transaction
from vacancy.errors import Conflict, Misconfigured
from vacancy.hotel.calendar import business_date, zone
from vacancy.hotel.model import DEFAULT_MAX_STAY_NIGHTS
from vacancy.hotel.queries import find_property
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property

Code = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,39}$")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Amount = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Nights = Annotated[int, Meta(ge=1, le=3_660)]


class RoomTypeInFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[room_types]]`."""

    code: Code
    name: Name
    price_minor: Amount
    max_adults: Annotated[int, Meta(ge=1, le=100)]
    capacity: Annotated[int, Meta(ge=0, le=100_000)]


class PropertyInFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    code: Code
    name: Name
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    time_zone: str
    room_types: Annotated[tuple[RoomTypeInFile, ...], Meta(min_length=1, max_length=200)]
    first_night: date | None = None
    """Without it, the property's today."""
    nights: Nights = 400
    max_stay_nights: Nights = DEFAULT_MAX_STAY_NIGHTS


def read_property(path: Path) -> PropertyInFile:
    """Raises `Misconfigured` PROPERTY_FILE_INVALID and names the field, `Invalid`
    TIME_ZONE_UNKNOWN."""
    try:
        wanted = msgspec.convert(tomllib.loads(path.read_text("utf-8")), PropertyInFile)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path, f"is no TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise _wrong(path, f"is wrong: {error}") from None
    zone(wanted.time_zone)
    codes = [room_type.code for room_type in wanted.room_types]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise _wrong(path, f"names the room type {twice[0]!r} {codes.count(twice[0])} times")
    return wanted


def _wrong(path: Path, why: str) -> Misconfigured:
    return Misconfigured(
        "PROPERTY_FILE_INVALID",
        f"The file {path} {why}.",
        hint="`vacancy properties create --help` shows one that is right.",
    )


async def make_property(house: House, wanted: PropertyInFile) -> dict[str, Any]:
    """The property with all it has, in one transaction. Raises `Conflict` PROPERTY_EXISTS."""

    async def unit(tx: Transaction) -> date:
        if await find_property(tx, wanted.code) is not None:
            raise Conflict(
                "PROPERTY_EXISTS",
                f"There is a property {wanted.code!r} already; nothing was changed.",
                hint="`vacancy properties list` shows them. Choose another code.",
            )
        first_night = wanted.first_night or business_date(tx.now, wanted.time_zone)
        await create_property(tx, _new_property(wanted, first_night), house.ids.next)
        return first_night

    first_night = await house.db.transact(unit)
    return {
        "code": wanted.code,
        "room_types": [room_type.code for room_type in wanted.room_types],
        "first_night": first_night,
        "nights": wanted.nights,
    }


def _new_property(wanted: PropertyInFile, first_night: date) -> NewProperty:
    return NewProperty(
        code=wanted.code,
        name=wanted.name,
        currency=wanted.currency,
        time_zone=wanted.time_zone,
        room_types=tuple(
            NewRoomType(**msgspec.structs.asdict(room_type)) for room_type in wanted.room_types
        ),
        first_night=first_night,
        nights=wanted.nights,
        max_stay_nights=wanted.max_stay_nights,
    )
