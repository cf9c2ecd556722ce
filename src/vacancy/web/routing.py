"""A route is a value: where, who may call, what it takes, what it answers. Litestar gets its
handlers from it, and the OpenAPI document its operations."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any, Literal, Protocol

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from vacancy.bootstrap import House
from vacancy.config import Settings
from vacancy.contracts.guard import watched
from vacancy.hotel.wiring import SHOWN_BOUND_MS
from vacancy.web.asked import read_json, read_query, refuse_query, require_json
from vacancy.web.auth import NOBODY, Access, authenticate
from vacancy.web.call import Answer, Call, read_body, request_id_of
from vacancy.web.conditional import for_all, for_one
from vacancy.web.problems import Refused, as_ours, problem
from vacancy.web.route_record import RouteRecord, RouteRecords
from vacancy.web.tracing import Tracing

_log = logging.getLogger("vacancy.web.requests")
NEVER_NS = 1 << 62
_PATH_PART = re.compile(r":\w+\}")

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
    media_type: str = "application/json"
    """Of the answer."""
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

    settings: Settings
    requests: RouteRecords
    tracing: Tracing | None

    @property
    def house(self) -> House: ...


def to_litestar(route: Route, app: Open) -> HTTPRouteHandler:
    """The route as a Litestar handler. Litestar finds it and hands over; parsing, checking and
    encoding are ours, because its own, general as it is, costs more than the booking."""
    access = route.access
    name, budget = f"{route.method} {route.path}", route.statements
    respond = _responder(route, name)
    notes = app.requests.of(_PATH_PART.sub("}", name), budget)
    slow_ns = round(app.settings.slow_ms * 1_000_000) or NEVER_NS

    async def endpoint(request: Request[Any, Any, Any]) -> ASGIApp:
        started_ns = perf_counter_ns()
        call = Call(request.scope, request.receive, app.house)
        tally = watched(name, budget, call.house.guard, request_id_of(request.scope))
        try:
            with tally:
                if access is not None:
                    call.actor = await authenticate(call, access)
                answer = await respond(call)
        except Exception as error:  # noqa: BLE001 - what is no refusal is a fault, and counts too
            answer = problem(as_ours(error), request_id_of(request.scope))
        duration_ns = perf_counter_ns() - started_ns
        notes.add(answer.status, len(tally.ran), duration_ns)
        if answer.status >= 400 or duration_ns >= slow_ns:
            _look_closer(call, answer, notes.record, duration_ns, slow_ns)
        return answer

    return HTTPRouteHandler(
        route.path,
        name=name,
        http_method=["GET", "HEAD"] if route.method == "GET" else ["POST"],
        status_code=200,
        opt={"access": access, "route": route},
        include_in_schema=False,
    )(endpoint if app.tracing is None else app.tracing.around(endpoint, notes.record.route))


def _look_closer(
    call: Call, answer: Answer, record: RouteRecord, duration_ns: int, slow_ns: int
) -> None:
    """Counts what a refused request was refused for. Who failed, or was slow, gets a line in the
    log; the query and the headers stay out, they may hold secrets."""
    if isinstance(answer, Refused):
        record.refuse(answer.code)
    if answer.status < 500 and duration_ns < slow_ns:
        return
    level = logging.WARNING if answer.status >= 500 else logging.INFO
    _log.log(
        level,
        "%s %s %s",
        call.scope["method"],
        call.scope["path"],
        answer.status,
        extra={
            "request_id": request_id_of(call.scope).decode(),
            "duration_ms": round(duration_ns / 1_000_000, 3),
            "route": record.route,
            "status": answer.status,
        },
    )


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
