"""Users and their API keys. A key is shown once, when it is made; we keep its SHA-256."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import msgspec

from vacancy.db.database import Database, Reader, Transaction
from vacancy.errors import Missing, Unauthenticated
from vacancy.hotel import refusals
from vacancy.hotel.model import Actor, Role
from vacancy.hotel.statements import accounts as sql
from vacancy.hotel.statements import catalogue
from vacancy.hotel.statements.accounts import ApiKey, User

KEY_PREFIX = "vac_"


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made. `key` is the secret: nothing shows it again."""

    id: str
    key: str
    user_id: str
    role: Role
    property: str | None


async def take_node(db: Database) -> int:
    """A number for this process, from which its ids are made unique."""

    async def unit(tx: Transaction) -> int:
        node = await tx.fetch_one(sql.TAKE_NODE)
        assert node is not None
        return node.node

    return await db.transact(unit)


async def ensure_users(
    tx: Transaction, users: dict[str, str], next_id: Callable[[], int]
) -> dict[str, User]:
    """The users of these addresses (address to name), made where they are missing."""
    rows = [(next_id(), name, email, "regular", tx.now) for email, name in sorted(users.items())]
    await tx.execute_set(sql.INSERT_USERS, rows)
    found = await tx.fetch_set(sql.GET_USERS, [(email,) for email in sorted(users)])
    return {user.email: user for user in found}


async def create_key(
    db: Database,
    next_id: Callable[[], int],
    *,
    secret: str,
    role: Role,
    email: str,
    name: str,
    property_code: str | None = None,
    label: str = "",
) -> NewKey:
    """Makes a key for the user with that address, and the user where there is none.

    `secret` is random text of the caller's, at least 32 bytes of it. Raises `Missing`
    PROPERTY_UNKNOWN.
    """
    key = KEY_PREFIX + secret

    async def unit(tx: Transaction) -> NewKey:
        property_id = None
        if property_code is not None:
            place = await tx.fetch_one(catalogue.GET_PROPERTY, property=property_code)
            if place is None:
                raise refusals.unknown_property(property_code)
            property_id = place.id
        user = (await ensure_users(tx, {email: name}, next_id))[email]
        key_id = next_id()
        row = (key_id, user.id, role, property_id, label, _digest(key), tx.now, None)
        await tx.execute_set(sql.INSERT_KEYS, [row])
        return NewKey(str(key_id), key, str(user.id), role, property_code)

    return await db.transact(unit)


async def find_actor(db: Reader, key: str) -> Actor:
    """Who this key stands for. Raises `Unauthenticated` KEY_INVALID."""
    owner = await db.fetch_one(sql.FIND_KEY, secret_sha256=_digest(key))
    if owner is None:
        raise Unauthenticated(
            "KEY_INVALID",
            "This API key does not stand: it is unknown or revoked.",
            hint="`vacancy keys create --role ROLE` makes one.",
        )
    return Actor(owner.user_id, owner.role, owner.property_id)


async def list_keys(db: Reader) -> list[ApiKey]:
    """All keys, the oldest first."""
    return await db.fetch_all(sql.LIST_KEYS)


async def revoke_key(db: Database, key_id: int) -> None:
    """From the next request on the key does not stand. Raises `Missing` KEY_UNKNOWN."""

    async def unit(tx: Transaction) -> int:
        return await tx.execute(sql.REVOKE_KEY, key_id=key_id, now=tx.now)

    if not await db.transact(unit):
        raise Missing(
            "KEY_UNKNOWN",
            f"There is no key {key_id} that stands.",
            hint="`vacancy keys list` shows them.",
        )


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()
