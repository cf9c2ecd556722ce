"""Users, found by their id."""

from __future__ import annotations

from vacancy.db.statement import Statement
from vacancy.hotel.statements.accounts import User

GET_USER = Statement(
    "users.get_user",
    """
    SELECT
        id,
        name,
        email,
        guest_type
    FROM users
    WHERE id = :user_id
    """,
    row=User,
    reads=("users",),
)
