"""What every request passes first: it gets its id, it is counted while it runs, and a server that
is stopping takes no more."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
import re
from time import perf_counter
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Send

from vacancy.bootstrap import House
from vacancy.config import Settings
from vacancy.errors import Misconfigured, Unavailable
from vacancy.perf.alerts import AlertRecord
from vacancy.web.call import Scope
from vacancy.web.problems import problem
from vacancy.web.route_record import RouteRecords
from vacancy.web.tracing import tracing_of

_log = logging.getLogger("vacancy.web.requests")
_HARMLESS = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Front:
    """The outermost application. `house` is None until it is open."""

    def __init__(self, settings: Settings, *, prefix: str) -> None:
        """`prefix` is short random text that tells this process's request ids from others'."""
        self.settings = settings
        self.opened: House | None = None
        self.requests = RouteRecords()
        self.alerts = AlertRecord()
        self.tracing = tracing_of(settings)
        self.app: ASGIApp = _nothing
        self.stopping = False
        self._ids = (f"{prefix}-{number:x}".encode() for number in itertools.count(1))
        self._under_way = 0
        self._idle = asyncio.Event()
        self._proxies = _networks(settings.trusted_proxies)

    @property
    def house(self) -> House:
        if self.opened is None:
            raise Unavailable("SERVER_STARTING", "The server is not ready yet.", hint="Try again.")
        return self.opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = next(self._ids)
        if self._proxies:
            request_id = self._given_id(scope) or request_id
        scope["vacancy.request_id"] = request_id
        if self.stopping:
            refused = problem(_stopping(), request_id)
            self.requests.other.add_untimed(refused.status, refused.code)
            await refused(scope, receive, send)
            return
        self._under_way += 1
        try:
            if _log.isEnabledFor(logging.DEBUG):
                await self._logged(scope, receive, send)
            elif scope["method"] == "OPTIONS":  # answered by Litestar, which knows no request ids
                await self.app(scope, receive, _with_id(send, request_id))
            else:
                await self.app(scope, receive, send)
        finally:
            self._under_way -= 1
            if self.stopping and not self._under_way:
                self._idle.set()

    async def finish(self) -> None:
        """Takes no more requests and waits until those under way are answered."""
        self.stopping = True
        if self._under_way:
            await self._idle.wait()

    def _given_id(self, scope: Scope) -> bytes | None:
        if not self._is_trusted((scope["client"] or ("", 0))[0]):
            return None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                return value if _HARMLESS.fullmatch(value) else None
        return None

    def client_of(self, scope: Scope) -> str:
        """The address of the client: the last one that no trusted proxy has."""
        nearest = str((scope["client"] or ("", 0))[0])
        if not self._is_trusted(nearest):
            return nearest
        told = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        for address in reversed(told.decode("latin-1").split(",")):
            if address.strip() and not self._is_trusted(address.strip()):
                return address.strip()[:45]
        return nearest

    def _is_trusted(self, address: str) -> bool:
        try:
            number = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(number in network for network in self._proxies)

    async def _logged(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One line for the request. Its query and headers stay out: they may hold secrets."""
        started = perf_counter()
        seen: dict[str, Any] = {"status": 0}

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
            await send(message)

        request_id: bytes = scope["vacancy.request_id"]
        try:
            await self.app(scope, receive, _with_id(watch, request_id))
        finally:
            _log.debug(
                "%s %s %s",
                scope["method"],
                scope["path"],
                seen["status"],
                extra={
                    "request_id": request_id.decode(),
                    "duration_ms": round((perf_counter() - started) * 1000, 3),
                    "client": self.client_of(scope),
                },
            )


def _with_id(send: Send, request_id: bytes) -> Send:
    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            if all(name.lower() != b"x-request-id" for name, _ in headers):
                headers.append((b"x-request-id", request_id))
            message["headers"] = headers
        await send(message)

    return send_with_id


def _networks(
    addresses: tuple[str, ...],
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(address.strip(), strict=False) for address in addresses]
    except ValueError as error:
        raise Misconfigured(
            "SETTING_INVALID",
            f"trusted_proxies holds what is no address: {error}.",
            hint="Give addresses or networks, such as 127.0.0.1,10.0.0.0/8.",
        ) from None


def _stopping() -> Unavailable:
    return Unavailable(
        "SERVER_STOPPING",
        "The server is stopping; this request was not begun.",
        hint="Send it again: another process, or the next one, takes it.",
    )


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("The front has no application behind it yet.")
