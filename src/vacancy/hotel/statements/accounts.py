"""Users, their API keys, and the node numbers of processes."""

from __future__ import annotations

from datetime import datetime

import msgspec

from vacancy.db.statement import Access, NoRow, SetStatement, Statement
from vacancy.hotel.model import GuestType, Role


class User(msgspec.Struct, frozen=True):
    """The account that books."""

    id: int
    name: str
    email: str
    guest_type: GuestType


class KeyOwner(msgspec.Struct, frozen=True):
    """Who a key stands for."""

    key_id: int
    user_id: int
    role: Role
    property_id: int | None


class ApiKey(msgspec.Struct, frozen=True):
    """A key as it is listed; the secret itself is nowhere."""

    id: int
    user_id: int
    email: str
    role: Role
    property: str | None
    label: str
    created_at: datetime
    revoked_at: datetime | None


class Node(msgspec.Struct, frozen=True):
    node: int


TAKE_NODE = Statement(
    "accounts.take_node",
    """
    INSERT INTO installation (only_row, next_node)
    VALUES (1, 1)
    ON CONFLICT (only_row) DO UPDATE SET next_node = installation.next_node + 1
    RETURNING next_node
    """,
    row=Node,
    writes=("installation",),
    access=Access(served_by={"installation": "pk_installation (only_row)"}),
)

INSERT_USERS = SetStatement(
    "accounts.insert_users",
    """
    INSERT INTO users (id, name, email, guest_type, created_at)
    {rows}
    ON CONFLICT (email) DO NOTHING
    """,
    columns={
        "id": "integer",
        "name": "text",
        "email": "text",
        "guest_type": "text",
        "created_at": "instant",
    },
    row=NoRow,
    writes=("users",),
    access=Access(),
)

GET_USERS = SetStatement(
    "accounts.get_users",
    """
    WITH wanted (email) AS ({rows})
    SELECT
        u.id,
        u.name,
        u.email,
        u.guest_type
    FROM wanted AS w
    JOIN users AS u ON u.email = w.email
    """,
    columns={"email": "text"},
    row=User,
    reads=("users",),
    access=Access(served_by={"users": "uq_users_email (email)"}),
)

FIND_KEY = Statement(
    "accounts.find_key",
    """
    SELECT
        id,
        user_id,
        role,
        property_id
    FROM api_keys
    WHERE secret_sha256 = :secret_sha256
        AND revoked_at IS NULL
    """,
    row=KeyOwner,
    reads=("api_keys",),
    access=Access(served_by={"api_keys": "uq_api_keys_secret_sha256 (secret_sha256)"}),
)

INSERT_KEYS = SetStatement(
    "accounts.insert_keys",
    """
    INSERT INTO api_keys (
        id, user_id, role, property_id, label, secret_sha256, created_at, revoked_at
    )
    {rows}
    """,
    columns={
        "id": "integer",
        "user_id": "integer",
        "role": "text",
        "property_id": "integer",
        "label": "text",
        "secret_sha256": "text",
        "created_at": "instant",
        "revoked_at": "instant",
    },
    row=NoRow,
    writes=("api_keys",),
    access=Access(),
)

LIST_KEYS = Statement(
    "accounts.list_keys",
    """
    SELECT
        k.id,
        k.user_id,
        u.email,
        k.role,
        p.code,
        k.label,
        k.created_at,
        k.revoked_at
    FROM api_keys AS k
    JOIN users AS u ON u.id = k.user_id
    LEFT JOIN properties AS p ON p.id = k.property_id
    ORDER BY k.id
    """,
    row=ApiKey,
    reads=("api_keys", "users", "properties"),
    access=Access(
        served_by={"users": "pk_users (id)", "properties": "pk_properties (id)"},
        may_scan={"api_keys": "the command lists all of them"},
    ),
)

REVOKE_KEY = Statement(
    "accounts.revoke_key",
    """
    UPDATE api_keys
    SET revoked_at = :now
    WHERE id = :key_id
        AND revoked_at IS NULL
    """,
    row=NoRow,
    writes=("api_keys",),
    access=Access(served_by={"api_keys": "pk_api_keys (id)"}),
)
