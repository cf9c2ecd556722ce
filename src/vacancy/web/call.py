"""One request and its answer. Plain classes and bytes: this runs for every request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.types import Receive, Send

from vacancy.bootstrap import House
from vacancy.errors import Invalid, TooLarge, Unauthenticated, Unavailable
from vacancy.hotel.model import Actor

BODY_WAIT_S = 30.0
"""How long a body may take to arrive; a slower client gets 503 and its slot is free again."""

ONCE = (b"authorization", b"content-length", b"content-type", b"idempotency-key")
"""Headers that may come only once."""

Header = tuple[bytes, bytes]
Scope = Any
"""An ASGI scope: an open dict, in which Litestar's own type knows only Litestar's keys."""

_JSON_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
)
_encode = msgspec.json.Encoder().encode


class Answer:
    """A status, headers and a body, as an ASGI application. The request id is added on the way."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: Sequence[Header]) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [*self.headers, (b"x-request-id", request_id_of(scope))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def document(body: bytes, status: int = 200, headers: Sequence[Header] = ()) -> Answer:
    """An answer of JSON that is encoded already."""
    return Answer(status, body, (*_JSON_HEADERS, *headers))


def json_answer(value: msgspec.Struct) -> Answer:
    """200 with a struct as JSON."""
    return Answer(200, _encode(value), _JSON_HEADERS)


class Call:
    """One request on its way through a handler."""

    __slots__ = ("actor", "body", "headers", "house", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive, house: House) -> None:
        self.scope = scope
        self.receive = receive
        self.house = house
        self.headers: dict[bytes, bytes] | None = None
        self.actor: Actor | None = None
        self.body = b""

    @property
    def caller(self) -> Actor:
        """Who asks; only routes that are not public have one."""
        if self.actor is None:
            raise Unauthenticated("KEY_MISSING", "This needs an API key.")
        return self.actor

    def path_value(self, name: str) -> str:
        """A part of the path, by its name in the route."""
        return str(self.scope["path_params"][name])

    def header(self, name: bytes) -> str | None:
        """A header's value by its lower-case name, or None. Raises `Invalid` HEADER_REPEATED."""
        if self.headers is None:
            self.headers = dict(self.scope["headers"])
            if len(self.headers) != len(self.scope["headers"]):
                self._refuse_repeated()
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def _refuse_repeated(self) -> None:
        """The headers that decide something must be clear; proxies repeat others at will."""
        names = [name for name, _ in self.scope["headers"]]
        for name in ONCE:
            if names.count(name) > 1:
                raise Invalid(
                    "HEADER_REPEATED",
                    f"The header {name.decode()} came {names.count(name)} times.",
                    hint="Send it once.",
                    errors=({"field": name.decode()},),
                )


def request_id_of(scope: Scope) -> bytes:
    """The id that `front.Front` gave to this request."""
    found: bytes = scope["vacancy.request_id"]
    return found


async def read_body(call: Call, max_bytes: int) -> bytes:
    """The whole body. Raises `TooLarge` BODY_TOO_LARGE as soon as the limit is passed, whether
    the length was announced or not; `Invalid` BODY_CUT_OFF, `Unavailable` BODY_TOO_SLOW."""
    announced = call.header(b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            return await _receive_body(call.receive, max_bytes)
    except TimeoutError:
        raise Unavailable(
            "BODY_TOO_SLOW",
            f"The body had not arrived after {BODY_WAIT_S:g} s.",
            hint="Nothing was done. Send the request again.",
        ) from None


async def _receive_body(receive: Receive, max_bytes: int) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Invalid("BODY_CUT_OFF", "The connection was closed before the body had arrived.")
        if message["type"] != "http.request":
            continue
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        if not message.get("more_body", False):
            return body


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        "BODY_TOO_LARGE",
        f"The body has more than {max_bytes} bytes.",
        hint="Send less in one request; the setting is VACANCY_MAX_BODY_BYTES.",
        errors=({"field": "body", "limit": max_bytes},),
    )
