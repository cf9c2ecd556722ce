"""A route is a value: where, who may call, what it takes, what it answers. Litestar gets its
handlers from it, and the OpenAPI document its operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from vacancy.bootstrap import House
from vacancy.contracts.guard import watched
from vacancy.errors import VacancyError
from vacancy.hotel.wiring import SHOWN_BOUND_MS
from vacancy.web.asked import read_json, read_query, refuse_query, require_json
from vacancy.web.auth import NOBODY, Access, authenticate
from vacancy.web.call import Answer, Call, read_body, request_id_of
from vacancy.web.conditional import for_all, for_one
from vacancy.web.problems import problem

Handler = Callable[[Call, Any], Awaitable[Answer]]
"""Takes the call and what was asked: the query or the body as its struct, None where the route
has neither."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method at one address."""

    method: Literal["GET", "POST"]
    path: str
    """As Litestar writes it; `{code:str}` is a part that the handler asks for by `code`."""
    handler: Handler
    access: Access = NOBODY
    summary: str
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    body_optional: bool = False
    """An empty body counts as `{}`."""
    idempotency: Literal["required", "optional", ""] = ""
    answer: type[msgspec.Struct] | None = None
    status: int = 200
    """Of the answer that is no problem."""
    codes: tuple[str, ...] = ()
    """The refusals of its own, for the documentation."""
    tag: str = ""
    in_docs: bool = True
    conditional: bool = False
    """Whether the answer carries an ETag, and If-None-Match is honoured."""
    statements: int = 3
    """At most so many run for one request: as a rule one to know the caller, one for the answer,
    one more to find out what was wrong. What admission runs is its own affair."""


class Open(Protocol):
    """What an endpoint needs of the running application."""

    @property
    def house(self) -> House: ...


def to_litestar(route: Route, app: Open) -> HTTPRouteHandler:
    """The route as a Litestar handler. Litestar finds it and hands over; parsing, checking and
    encoding are ours, because its own, general as it is, costs more than the booking."""
    access = route.access
    name, budget = f"{route.method} {route.path}", route.statements
    respond = _responder(route, name)

    async def endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
        call = Call(request.scope, request.receive, app.house)
        try:
            with watched(name, budget, call.house.guard):
                if access is not None:
                    call.actor = await authenticate(call, access)
                return await respond(call)
        except VacancyError as error:
            return problem(error, request_id_of(request.scope))

    return HTTPRouteHandler(
        route.path,
        name=name,
        http_method=["GET", "HEAD"] if route.method == "GET" else ["POST"],
        status_code=200,
        opt={"access": access, "route": route},
        include_in_schema=False,
    )(endpoint)


def _responder(route: Route, name: str) -> Callable[[Call], Awaitable[Answer]]:
    handler, ask = route.handler, _asker(route)

    async def respond(call: Call) -> Answer:
        return await handler(call, await ask(call))

    if not route.conditional:
        return respond
    return for_all(respond, name, SHOWN_BOUND_MS) if route.access is None else for_one(respond)


def _asker(route: Route) -> Callable[[Call], Awaitable[Any]]:
    """Reads what the route takes. A parameter that it does not take is refused."""
    query = route.query

    async def ask_query(call: Call) -> Any:
        raw = call.scope["query_string"]
        if query is not None:
            return read_query(raw, query)
        return refuse_query(raw) if raw else None

    if route.body is None:
        return ask_query
    decoder = msgspec.json.Decoder(route.body)
    optional = route.body_optional

    async def ask_body(call: Call) -> Any:
        if call.scope["query_string"]:
            refuse_query(call.scope["query_string"])
        call.body = await read_body(call, call.house.settings.max_body_bytes)
        if optional and not call.body:
            return read_json(b"{}", decoder)
        require_json(call.header(b"content-type"))
        return read_json(call.body, decoder)

    return ask_body
