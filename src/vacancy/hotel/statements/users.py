"""Users, found by their id."""

from __future__ import annotations

from vacancy.db.statement import Access, Statement
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
    access=Access(served_by={"users": "pk_users (id)"}),
)
