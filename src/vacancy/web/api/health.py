"""Whether the process runs, and whether it can work."""

from __future__ import annotations

import msgspec

from vacancy.db.revision import require_revision
from vacancy.hotel.revisions import REVISIONS
from vacancy.web.auth import PUBLIC
from vacancy.web.call import Answer, Call, json_answer
from vacancy.web.routing import Route


class Health(msgspec.Struct, frozen=True):
    """The server's word about itself."""

    status: str
    revision: str | None = None
    """Of the database's schema; only `ready` asks for it."""


async def live(call: Call, asked: None) -> Answer:
    return json_answer(Health("live"))


async def ready(call: Call, asked: None) -> Answer:
    return json_answer(Health("ready", await require_revision(call.house.db, REVISIONS)))


ROUTES = (
    Route(
        method="GET",
        path="/health/live",
        handler=live,
        access=PUBLIC,
        summary="200 while the process runs.",
        answer=Health,
        tag="Health",
    ),
    Route(
        method="GET",
        path="/health/ready",
        handler=ready,
        access=PUBLIC,
        summary="200 while the database answers and stands at a revision that fits; else 503.",
        answer=Health,
        codes=("DATABASE_UNAVAILABLE", "SCHEMA_MISSING", "SCHEMA_TOO_OLD", "SCHEMA_TOO_NEW"),
        tag="Health",
    ),
)
