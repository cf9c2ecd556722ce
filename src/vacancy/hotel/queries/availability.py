"""How many rooms are left over a stay, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from vacancy.contracts.contract import contract
from vacancy.db.database import ClockedReader
from vacancy.errors import Refusal, VacancyError
from vacancy.hotel import refusals
from vacancy.hotel.calendar import business_date
from vacancy.hotel.model import MAX_ROOMS_IN_A_BOOKING
from vacancy.hotel.statements import availability as sql
from vacancy.hotel.statements.availability import AvailableRooms, CheckedRooms

MAX_NIGHTS = 366
"""The longest stay that inventory is read for, whatever the property allows."""
MAX_CHECKS = 500
"""So many checks may be asked at once."""


class Availability(msgspec.Struct, frozen=True):
    """One room type over a stay, for a number of rooms."""

    room_type: str
    name: str
    available: int
    """The fewest rooms left on any night."""
    sellable: bool
    """Whether as many rooms as asked for are left on every night, and none of them is past."""
    total_minor: int
    """All rooms, all nights."""
    currency: str


class StayCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question of many: so many rooms of one type over a stay `[check_in, check_out)`."""

    property: str
    room_type: str
    check_in: date
    check_out: date
    rooms: int = 1


class CheckedStay(msgspec.Struct, frozen=True):
    """The answer to one question of many."""

    property: str
    room_type: str
    available: int = 0
    """The fewest rooms left on any night."""
    sellable: bool = False
    """Whether as many rooms as asked for are left on every night, and none of them is past."""
    total_minor: int | None = None
    """All rooms, all nights. Null when the question was refused."""
    currency: str | None = None
    refused: Refusal | None = None
    """Why there is no answer: what `check_room_availability` raises for this question alone."""


@contract(
    sql.GET_ALL_ROOM_AVAILABILITY,
    statements=1,
    rows=lambda found: max(1, len(found)),
    rows_in_words="one for each room type",
)
async def get_all_room_availability(
    db: ClockedReader, property_code: str, check_in: date, check_out: date, rooms: int = 1
) -> list[Availability]:
    """All room types of a property, by code. Nights without inventory count as sold out.

    The past can be looked at; it is not sellable. Raises `Missing` PROPERTY_UNKNOWN, `Invalid`
    STAY_INVALID, STAY_TOO_LONG, VALUE_OUT_OF_RANGE.
    """
    nights = _nights(check_in, check_out, rooms)
    found = await db.fetch_all(
        sql.GET_ALL_ROOM_AVAILABILITY,
        property=property_code,
        check_in=check_in,
        check_out=check_out if nights <= MAX_NIGHTS else check_in,
        nights=nights,
    )
    if not found:
        raise refusals.unknown_property(property_code)
    place = found[0]
    _check_length(nights, place.max_stay_nights)
    if not place.room_type:
        return []
    is_past = _is_past(check_in, place.time_zone, db.clock())
    return [_shown(row, rooms, nights, is_past) for row in found]


@contract(
    sql.CHECK_ROOM_AVAILABILITY,
    statements=1,
    rows=lambda found: 1,
    rows_in_words="one",
)
async def check_room_availability(
    db: ClockedReader,
    property_code: str,
    room_type: str,
    check_in: date,
    check_out: date,
    rooms: int = 1,
) -> Availability:
    """One room type. Raises as `get_all_room_availability`, and `Missing` ROOM_TYPE_UNKNOWN."""
    nights = _nights(check_in, check_out, rooms)
    found = await db.fetch_all(
        sql.CHECK_ROOM_AVAILABILITY,
        property=property_code,
        room_type=room_type,
        check_in=check_in,
        check_out=check_out if nights <= MAX_NIGHTS else check_in,
        nights=nights,
    )
    if not found:
        raise refusals.unknown_property(property_code)
    row = found[0]
    if not row.room_type:
        raise refusals.unknown_room_type(property_code, room_type)
    _check_length(nights, row.max_stay_nights)
    return _shown(row, rooms, nights, _is_past(check_in, row.time_zone, db.clock()))


@contract(
    sql.BATCH_CHECK_AVAILABILITY,
    statements=1,
    rows=len,
    rows_in_words="one for each check",
)
async def batch_check_availability(
    db: ClockedReader, checks: Sequence[StayCheck]
) -> list[CheckedStay]:
    """Many stays at once, in the order of the checks. What is wrong with one of them, an unknown
    name too, is said in its own answer and harms no other.

    Raises `Invalid` TOO_MANY_CHECKS for more than MAX_CHECKS.
    """
    if len(checks) > MAX_CHECKS:
        raise refusals.too_many_checks(len(checks), MAX_CHECKS)
    found = await db.fetch_all(sql.BATCH_CHECK_AVAILABILITY, checks=_wanted(checks))
    now = db.clock()
    rows = {row.position: row for row in found}
    return [_answered(check, rows[position], now) for position, check in enumerate(checks)]


def _nights(check_in: date, check_out: date, rooms: int) -> int:
    nights = (check_out - check_in).days
    if nights < 1:
        raise refusals.stay_reversed(check_in, check_out)
    if not 1 <= rooms <= MAX_ROOMS_IN_A_BOOKING:
        raise refusals.out_of_range("rooms", rooms, 1, MAX_ROOMS_IN_A_BOOKING)
    return nights


def _check_length(nights: int, max_stay_nights: int) -> None:
    if nights > max_stay_nights or nights > MAX_NIGHTS:
        raise refusals.stay_too_long(nights, min(max_stay_nights, MAX_NIGHTS))


def _is_past(check_in: date, time_zone: str, now: datetime) -> bool:
    # No zone is a whole day ahead of UTC: what begins after the UTC date is past nowhere, and the
    # zone need not be asked.
    return check_in <= now.date() and check_in < business_date(now, time_zone)


def _shown(row: AvailableRooms, rooms: int, nights: int, is_past: bool) -> Availability:
    return Availability(
        row.room_type,
        row.name,
        row.available,
        row.available >= rooms and not is_past,
        row.price_minor * nights * rooms,
        row.currency,
    )


def _wanted(checks: Sequence[StayCheck]) -> str:
    """All checks as one parameter. What can be no code is nobody's: as an empty text it is found
    nowhere. No nights are read for a stay that is none, or too long."""
    wanted = []
    for check in checks:
        nights = (check.check_out - check.check_in).days
        wanted.append(
            (
                _code(check.property),
                _code(check.room_type),
                check.check_in,
                check.check_out,
                nights if nights <= MAX_NIGHTS else 0,
            )
        )
    return _encode(wanted).decode()


def _code(given: str) -> str:
    # A database may not even be asked for a NUL.
    return given if given.isprintable() else ""


_encode = msgspec.json.Encoder().encode


def _answered(check: StayCheck, row: CheckedRooms, now: datetime) -> CheckedStay:
    try:
        nights = _nights(check.check_in, check.check_out, check.rooms)
        if row.max_stay_nights is None:
            raise refusals.unknown_property(check.property)
        if row.price_minor is None:
            raise refusals.unknown_room_type(check.property, check.room_type)
        _check_length(nights, row.max_stay_nights)
    except VacancyError as error:
        return CheckedStay(check.property, check.room_type, refused=error.to_refusal())
    return CheckedStay(
        check.property,
        check.room_type,
        row.available,
        row.available >= check.rooms and not _is_past(check.check_in, row.time_zone, now),
        row.price_minor * nights * check.rooms,
        row.currency,
    )
