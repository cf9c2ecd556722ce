"""Who may call what. A route declares it; what is not declared is for nobody."""

from __future__ import annotations

from vacancy.errors import Forbidden, Unauthenticated
from vacancy.hotel.accounts import KEY_PREFIX, find_actor
from vacancy.hotel.model import Actor, Role
from vacancy.web.call import Call

Access = frozenset[Role] | None
"""The roles that may call; None is everybody, without a key."""

PUBLIC: Access = None
NOBODY: Access = frozenset[Role]()
ANY_KEY: Access = frozenset[Role](("guest", "staff", "admin", "superadmin"))
STAFF: Access = frozenset[Role](("staff", "admin", "superadmin"))

MAX_KEY_CHARACTERS = 200


async def authenticate(call: Call, access: frozenset[Role]) -> Actor:
    """Who calls, looked up anew each time: a revoked key ends with the next request.

    Raises `Unauthenticated` KEY_MISSING, KEY_INVALID; `Forbidden` ROLE_NOT_ALLOWED.
    """
    given = call.header(b"authorization")
    if given is None:
        raise Unauthenticated(
            "KEY_MISSING",
            "This needs an API key.",
            hint="Send it as `Authorization: Bearer vac_…`; `vacancy keys create` makes one.",
        )
    scheme, _, key = given.partition(" ")
    key = key.strip()
    if (
        scheme.lower() != "bearer"
        or not key.startswith(KEY_PREFIX)
        or len(key) > MAX_KEY_CHARACTERS
    ):
        raise Unauthenticated(
            "KEY_MALFORMED",
            "The Authorization header holds no key of ours.",
            hint="Send `Authorization: Bearer vac_…`.",
        )
    actor = await find_actor(call.house.db, key)
    if actor.role not in access:
        raise Forbidden(
            "ROLE_NOT_ALLOWED",
            f"A {actor.role} may not do this.",
            hint=f"It needs a key of: {', '.join(sorted(access)) or 'nobody'}.",
        )
    return actor
