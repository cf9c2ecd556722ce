"""Reads what was asked, from a query string or a JSON body, into a struct. Whatever is wrong with
it is refused with the name of the field."""

from __future__ import annotations

import re
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from vacancy.errors import Invalid, VacancyError
from vacancy.web.problems import MediaRefused

T = TypeVar("T", bound=msgspec.Struct)

MAX_QUERY_BYTES = 2_048

_PLAIN = re.compile(r"[A-Za-z0-9._~=&-]*")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_WITH_PATH = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_NAMED_FIELD = re.compile(r"(?P<kind>unknown|missing required) field `(?P<name>.*)`", re.DOTALL)
_SHOWN = 60
_IN_OUR_WORDS = {"Invalid RFC3339 encoded date": "a date is written like 2027-03-01 and must exist"}


def read_query(raw: bytes, shape: type[T]) -> T:
    """The query string as a struct. Raises `Invalid` QUERY_INVALID: a parameter that is unknown,
    missing, repeated, of the wrong type, or not proper percent-encoded UTF-8."""
    try:
        return msgspec.convert(_pairs(raw), shape, strict=False)
    except msgspec.ValidationError as error:
        raise _refused(error, "QUERY_INVALID", "query parameter") from None


def refuse_query(raw: bytes) -> None:
    """For addresses that take no parameters at all. Raises `Invalid` QUERY_INVALID."""
    for name in _pairs(raw):
        raise _unknown(name)


def read_json(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body as a struct. Raises `Invalid` JSON_INVALID for what is no JSON, BODY_INVALID for
    a field that is unknown, missing or of the wrong type."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refused(error, "BODY_INVALID", "field") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Invalid(
            "JSON_INVALID",
            f"The body is no JSON document in UTF-8: {why}.",
            hint="Send one JSON object, encoded in UTF-8.",
            errors=({"field": "body"},),
        ) from None


def require_json(content_type: str | None) -> None:
    """Raises `MediaRefused` MEDIA_TYPE_REFUSED (415) for a body of another type."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise MediaRefused(
            "MEDIA_TYPE_REFUSED",
            f"The body is {media_type[:_SHOWN] or 'of no stated type'}.",
            hint="Send JSON with Content-Type: application/json.",
            errors=({"field": "content-type"},),
        )


def _pairs(raw: bytes) -> dict[str, str]:
    if not raw:
        return {}
    if len(raw) > MAX_QUERY_BYTES:
        raise _query_refused(f"The query has {len(raw)} bytes; the limit is {MAX_QUERY_BYTES}.")
    text = raw.decode("latin-1")
    is_plain = _PLAIN.fullmatch(text) is not None
    pairs: dict[str, str] = {}
    for piece in text.split("&"):
        name, _, value = piece.partition("=")
        if not is_plain:
            name, value = _decoded(name), _decoded(value)
        if name in pairs:
            raise _query_refused(
                f"The query parameter {name[:_SHOWN]!r} came more than once.", name
            )
        pairs[name] = value
    return pairs


def _decoded(text: str) -> str:
    if text.isascii() and "%" not in text:
        text = text.replace("+", " ")
        if text.isprintable():
            return text
    elif not _BAD_PERCENT.search(text):
        try:
            decoded = unquote_to_bytes(text.replace("+", " ").encode("latin-1")).decode()
        except UnicodeDecodeError:
            decoded = "\0"
        if decoded.isprintable():
            return decoded
    raise _query_refused(f"{text[:_SHOWN]!r} in the query is not percent-encoded UTF-8 text.")


def _query_refused(detail: str, field: str = "query") -> Invalid:
    return Invalid(
        "QUERY_INVALID",
        detail,
        hint="/docs shows the parameters of every address.",
        errors=({"field": field[:_SHOWN]},),
    )


def _unknown(name: str) -> Invalid:
    return _query_refused(f"There is no query parameter {name[:_SHOWN]!r} here.", name)


def _refused(error: msgspec.ValidationError, code: str, noun: str) -> VacancyError:
    """msgspec names the place as `$.rooms[0].count`; ours is `rooms[0].count`."""
    matched = _WITH_PATH.match(str(error))
    assert matched is not None
    what, path = matched["what"], matched["path"] or ""
    field = path.removeprefix("$").removeprefix(".")
    named = _NAMED_FIELD.search(what)
    fields: dict[str, Any]
    if named is not None:
        field = f"{field}.{named['name']}" if field else named["name"]
        known = "There is no" if named["kind"] == "unknown" else "There must be a"
        detail = f"{known} {noun} {field[:_SHOWN]!r}" + (
            " here." if known == "There is no" else "."
        )
        fields = {"field": field[:_SHOWN]}
    else:
        what = _IN_OUR_WORDS.get(what, what.replace("`", ""))
        detail = f"The {noun} {field[:_SHOWN]!r} is wrong: {what}." if field else f"{what}."
        fields = {"field": field[:_SHOWN] or noun, "problem": what}
    return Invalid(code, detail, hint="/docs shows what every address takes.", errors=(fields,))
