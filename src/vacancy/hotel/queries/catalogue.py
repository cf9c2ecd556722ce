"""Properties and room types."""

from __future__ import annotations

from vacancy.contracts.contract import contract
from vacancy.db.database import Reader
from vacancy.hotel import refusals
from vacancy.hotel.model import Property, RoomType
from vacancy.hotel.statements import catalogue as sql


@contract(sql.LIST_PROPERTIES, statements=1, rows=len, rows_in_words="one for each property")
async def list_properties(db: Reader) -> list[Property]:
    """All properties by code."""
    return await db.fetch_all(sql.LIST_PROPERTIES)


@contract(sql.GET_PROPERTY, statements=1, rows=lambda _: 1, rows_in_words="one")
async def find_property(db: Reader, code: str) -> Property | None:
    """One property, or None."""
    return await db.fetch_one(sql.GET_PROPERTY, property=code)


@contract(sql.GET_PROPERTY, statements=1, rows=lambda _: 1, rows_in_words="one")
async def get_property(db: Reader, code: str) -> Property:
    """One property. Raises `Missing` PROPERTY_UNKNOWN."""
    found = await find_property(db, code)
    if found is None:
        raise refusals.unknown_property(code)
    return found


@contract(sql.LIST_ROOM_TYPES, statements=1, rows=len, rows_in_words="one for each room type")
async def list_room_types(db: Reader, property_code: str) -> list[RoomType]:
    """A property's room types by code. Raises `Missing` PROPERTY_UNKNOWN."""
    found = await db.fetch_all(sql.LIST_ROOM_TYPES, property=property_code)
    if not found:
        await get_property(db, property_code)
    return found
