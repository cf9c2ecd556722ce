"""Runs the server. One worker runs in this process, several in processes of their own."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket

import msgspec
import uvloop
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.server.embed import Server

from vacancy.bootstrap import open_database
from vacancy.config import PREFIX, Settings
from vacancy.db.durability import require_durability
from vacancy.db.revision import require_revision
from vacancy.errors import Misconfigured
from vacancy.hotel.revisions import REVISIONS
from vacancy.web.alerting import hooks_of
from vacancy.web.app import create_app, running
from vacancy.web.logs import start_logging
from vacancy.web.tracing import require_libraries

STOP_S = 25
"""How long a stopping server may take to answer what it accepted; then it ends regardless.
Longer than a request may wait for its turn, its commit included."""

_LINGER_S = 0.1
_BACKLOG = 1024
_HTTP1 = HTTP1Settings(header_read_timeout=10_000, keep_alive=True)
_log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what was accepted and returns.

    Raises `Misconfigured` PORT_TAKEN, and whatever makes the database unfit, before anything is
    served.
    """
    start_logging(settings.log_level)
    require_port(settings)
    require_hooks(settings)
    if settings.workers > 1:
        uvloop.run(_require_database(settings))
        _serve_in_processes(settings)
    else:
        uvloop.run(_serve_here(settings))


def require_port(settings: Settings) -> None:
    """Raises `Misconfigured` PORT_TAKEN. Asked beforehand, because Granian shares its port with
    whoever else shares it: a second server would take half of the first one's requests."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen(1)
    except (OSError, OverflowError) as error:
        raise Misconfigured(
            "PORT_TAKEN",
            f"Cannot listen at {settings.host} port {settings.port}: {error}.",
            hint="Stop the other program, or choose another with --port or VACANCY_PORT.",
        ) from None


def require_hooks(settings: Settings) -> None:
    """Whatever a worker would fail for at its start, again and again. Raises `Misconfigured`
    SETTING_INVALID, OTEL_MISSING."""
    hooks_of(settings)
    if settings.otel_url:
        require_libraries()


async def _require_database(settings: Settings) -> None:
    """Once, before there are workers: otherwise each of them would fail by itself, again and
    again."""
    async with open_database(settings) as db:
        await require_revision(db, REVISIONS)
        if settings.env == "production" and not settings.allow_unsafe_durability:
            await require_durability(db)


async def _serve_here(settings: Settings) -> None:
    """One process in all: it starts sooner and needs half the memory of a supervised worker."""
    front = create_app(settings, opens_house=False)
    server = Server(
        front,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=_HTTP1,
        websockets=False,
        backlog=_BACKLOG,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        if stopped.is_set():
            return
        stopped.set()
        _log.info("stopping: finishing what was accepted")
        # Closing the listener comes first: who is not yet accepted is told at connecting.
        server.stop()  # type: ignore[no-untyped-call]
        loop.call_later(STOP_S, _give_up)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with running(front):
        _log.info("serving at http://%s:%d", settings.host, settings.port)
        await server.serve()
        await front.finish()
        # The answers are with Granian's thread; the last ones need a moment to leave it.
        await asyncio.sleep(_LINGER_S)
    _log.info("stopped")


def _give_up() -> None:
    _log.error("stopping took over %d s; ending now", STOP_S)
    os._exit(1)


def _serve_in_processes(settings: Settings) -> None:
    os.environ.update(as_environment(settings))
    _log.info(
        "serving at http://%s:%d with %d workers", settings.host, settings.port, settings.workers
    )
    Granian(
        "vacancy.web.app:create_app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=_HTTP1,
        websockets=False,
        backlog=_BACKLOG,
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_S,
    ).serve()
    _log.info("stopped")


def as_environment(settings: Settings) -> dict[str, str]:
    """The settings as variables, so that worker processes read what flags have said."""
    return {
        PREFIX + name.upper(): ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in msgspec.structs.asdict(settings).items()
    }
