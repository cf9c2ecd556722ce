"""Puts the application together: the routes, their errors, the house behind them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.routes import HTTPRoute

from vacancy.bootstrap import House, open_house, tune_runtime, working
from vacancy.config import Settings, load_settings
from vacancy.errors import Internal
from vacancy.web import docs, metrics
from vacancy.web.alerting import alerting
from vacancy.web.api import bookings, desk, health, inventory, properties, reports, users
from vacancy.web.front import Front
from vacancy.web.logs import start_logging
from vacancy.web.problems import exception_handlers
from vacancy.web.routing import Route, to_litestar
from vacancy.web.worker_socket import listening

ROUTES: tuple[Route, ...] = (
    *health.ROUTES,
    *properties.ROUTES,
    *bookings.ROUTES,
    *desk.ROUTES,
    *users.ROUTES,
    *reports.ROUTES,
    *inventory.ROUTES,
)

_CORS_REQUEST_HEADERS = ["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"]
_CORS_ANSWER_HEADERS = ["ETag", "Idempotent-Replayed", "Location", "Retry-After", "X-Request-Id"]


def create_app(settings: Settings | None = None, *, opens_house: bool = True) -> Front:
    """The ASGI application. It opens its house when the server starts it and closes it at its
    end, unless the caller does that: see `running`.

    Granian's worker processes call it without arguments; then the settings come from the
    environment.
    """
    if settings is None:
        settings = load_settings()
        start_logging(settings.log_level)
    front = Front(settings, prefix=secrets.token_hex(4))
    described = (*ROUTES, *metrics.routes(front))
    routes = (*described, *docs.routes(described))

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        async with running(front):
            yield

    litestar = Litestar(
        [to_litestar(route, front) for route in routes],
        cors_config=_cors(settings),
        exception_handlers=exception_handlers(front.requests.other.add_untimed),
        lifespan=[lifespan] if opens_house else [],
        logging_config=None,
        openapi_config=None,
    )
    require_access(litestar)
    front.app = litestar
    return front


@asynccontextmanager
async def running(front: Front) -> AsyncIterator[None]:
    """The house behind the front. At the end, what was accepted is answered before it closes."""
    async with (
        open_house(front.settings) as house,
        working(house),
        alerting(house, front.alerts),
        listening(house, front.requests, front.alerts),
        _tracing(front, house),
    ):
        front.opened = house
        tune_runtime()
        try:
            yield
        finally:
            await front.finish()


@asynccontextmanager
async def _tracing(front: Front, house: House) -> AsyncIterator[None]:
    """While this is open, statements are spans where requests are."""
    if front.tracing is None:
        yield
        return
    front.tracing.watch(house.db.trace)
    try:
        yield
    finally:
        await asyncio.to_thread(front.tracing.close)


def require_access(app: Litestar) -> None:
    """Every handler came from a `Route`, which says who may call it. Raises `Internal`: an
    application with a door that nobody declared is not made."""
    for where in undeclared(app):
        raise Internal("ACCESS_UNDECLARED", f"{where} does not say who may call it.")


def undeclared(app: Litestar) -> Iterable[str]:
    """Handlers without a declaration. Litestar's own answers to OPTIONS tell nothing."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            yield route.path
            continue
        for handler in route.route_handlers:
            if handler.http_methods != {"OPTIONS"} and "access" not in handler.opt:
                yield f"{'/'.join(sorted(handler.http_methods))} {route.path}"


def _cors(settings: Settings) -> CORSConfig | None:
    if not settings.cors_origins:
        return None
    return CORSConfig(
        allow_origins=list(settings.cors_origins),
        allow_methods=["GET", "POST"],
        allow_headers=_CORS_REQUEST_HEADERS,
        expose_headers=_CORS_ANSWER_HEADERS,
    )
