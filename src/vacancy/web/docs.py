"""The OpenAPI document and a page to read it with. The page is one file of ours and needs no
other server."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from vacancy.web.auth import PUBLIC
from vacancy.web.call import Answer, Call
from vacancy.web.openapi import openapi_document
from vacancy.web.routing import Route

_PAGE = Path(__file__).parent / "static" / "docs.html"
_PAGE_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
        b" connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_DOCUMENT_HEADERS = ((b"content-type", b"application/json"),)


def routes(described: Iterable[Route]) -> tuple[Route, ...]:
    """The addresses under which the described routes are documented."""

    @cache  # made when it is first asked for: a server's start need not wait for it
    def encoded() -> bytes:
        return msgspec.json.encode(openapi_document(described))

    async def openapi(call: Call, asked: None) -> Answer:
        return Answer(200, encoded(), _DOCUMENT_HEADERS)

    return (
        Route(
            method="GET",
            path="/openapi.json",
            handler=openapi,
            access=PUBLIC,
            summary="This API as OpenAPI 3.1.",
            in_docs=False,
        ),
        Route(
            method="GET",
            path="/docs",
            handler=page,
            access=PUBLIC,
            summary="The OpenAPI document as a page.",
            in_docs=False,
        ),
    )


async def page(call: Call, asked: None) -> Answer:
    return Answer(200, _page(), _PAGE_HEADERS)


@cache
def _page() -> bytes:
    return _PAGE.read_bytes()
