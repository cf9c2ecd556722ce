"""Errors as problem documents (RFC 9457) with a stable code. Every refusal of the API is one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from vacancy.errors import HTTP_STATUS, KINDS, Internal, Invalid, Missing, Refusal, VacancyError
from vacancy.web.call import Answer, Header, request_id_of

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1

_log = logging.getLogger(__name__)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a refusal looks like. Programs look at `code`; people read `detail` and `hint`."""

    type: str = "about:blank"
    """Always about:blank: `title` is the status's own words, `code` tells the case."""
    title: str
    status: int
    code: str
    detail: str
    hint: str = ""
    errors: tuple[dict[str, Any], ...] = ()
    """One entry for each field or night that is at fault."""
    request_id: str


class Refused(Answer):
    """An answer that is a problem. Its code is counted."""

    __slots__ = ("code",)

    def __init__(self, status: int, body: bytes, headers: Sequence[Header], code: str) -> None:
        super().__init__(status, body, headers)
        self.code = code


class MediaRefused(Invalid):
    """A body of another media type than JSON."""


class MethodRefused(Invalid):
    """The address is right and the method is not."""


STATUS: dict[type[VacancyError], int] = {**HTTP_STATUS, MediaRefused: 415, MethodRefused: 405}

_FOR_CLIENTS: dict[type[VacancyError], str] = {
    Internal: "The server met a fault of its own; it is in its log under this request_id.",
}
_encode = msgspec.json.Encoder().encode

Count = Callable[[int, str], None]
"""Takes the status and the code of a problem."""


def problem(error: VacancyError, request_id: bytes) -> Refused:
    """An error as an answer. A fault of ours is logged and tells the client nothing of it."""
    kind = type(error)
    if STATUS[kind] == 500:
        _log.error("%s", error, exc_info=error, extra={"request_id": request_id.decode()})
        error = Internal(error.code, _FOR_CLIENTS[Internal])
    return _answer(kind, error, request_id)


def refusal(refused: Refusal, request_id: bytes) -> Refused:
    """A refusal that was not raised, such as one that is stored behind an Idempotency-Key."""
    return problem(
        KINDS[refused.kind](refused.code, refused.detail, hint=refused.hint, errors=refused.errors),
        request_id,
    )


def _answer(kind: type[VacancyError], error: VacancyError, request_id: bytes) -> Refused:
    status = STATUS[kind]
    body = _encode(
        Problem(
            title=HTTPStatus(status).phrase,
            status=status,
            code=error.code,
            detail=error.detail,
            hint=error.hint,
            errors=error.errors,
            request_id=request_id.decode(),
        )
    )
    headers: list[Header] = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == 503:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    elif status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="vacancy"'))
    return Refused(status, body, headers, error.code)


def exception_handlers(count: Count) -> dict[int | type[Exception], Any]:
    """How Litestar answers what no route of ours has answered; `count` is told of each."""

    def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
        return on_http_exception(request, error, count)

    def on_other(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        return _response(request, as_ours(error), {}, count)

    return {HTTPException: on_http, Exception: on_other}


def on_http_exception(
    request: Request[Any, Any, Any], error: HTTPException, count: Count
) -> Response[bytes]:
    """What Litestar itself refuses: no such address, no such method there, a bad Host."""
    path, method = request.scope["path"], request.scope["method"]
    ours: VacancyError
    match error.status_code:
        case 404:
            ours = Missing(
                "ROUTE_UNKNOWN",
                f"There is nothing at {path[:200]!r}.",
                hint="/docs shows every address.",
            )
        case 405:
            ours = MethodRefused(
                "METHOD_NOT_ALLOWED",
                f"{method} is not allowed at {path[:200]!r}.",
                hint="The Allow header names what is; /docs shows every address.",
            )
        case status if status < 500:
            ours = Invalid("REQUEST_INVALID", f"The request was refused: {error.detail}.")
        case _:
            ours = Internal("INTERNAL", error.detail)
    headers = {key: value for key, value in (error.headers or {}).items() if key.lower() == "allow"}
    return _response(request, ours, headers, count)


def as_ours(error: Exception) -> VacancyError:
    """An error of ours; whatever else was raised is a fault of ours."""
    if isinstance(error, VacancyError):
        return error
    fault = Internal("INTERNAL", f"{type(error).__name__}: {error}")
    fault.__cause__ = error
    return fault


def _response(
    request: Request[Any, Any, Any],
    error: VacancyError,
    headers: dict[str, str],
    count: Count,
) -> Response[bytes]:
    request_id = request_id_of(request.scope)
    answer = problem(error, request_id)
    count(answer.status, answer.code)
    plain = {key.decode(): value.decode() for key, value in answer.headers}
    plain.pop("content-type")
    return Response(
        answer.body,
        status_code=answer.status,
        media_type=MEDIA_TYPE,
        headers={**plain, **headers, "x-request-id": request_id.decode()},
    )
