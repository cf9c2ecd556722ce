"""Users."""

from __future__ import annotations

from vacancy.contracts.contract import contract
from vacancy.db.database import Reader
from vacancy.hotel import refusals
from vacancy.hotel.statements import users as sql
from vacancy.hotel.statements.accounts import User


@contract(sql.GET_USER, statements=1, rows=lambda _: 1, rows_in_words="one")
async def get_user(db: Reader, user_id: int) -> User:
    """One user. Raises `Missing` USER_UNKNOWN."""
    found = await db.fetch_one(sql.GET_USER, user_id=user_id)
    if found is None:
        raise refusals.unknown_user(user_id)
    return found
