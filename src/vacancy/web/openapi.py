"""The OpenAPI document, made from the routes: what is served is what is described."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from vacancy import __version__
from vacancy.web.auth import ANY_KEY, PUBLIC
from vacancy.web.problems import MEDIA_TYPE, Problem
from vacancy.web.routing import Route

_PATH_PART = re.compile(r"\{(\w+):\w+\}")
_REFERENCE = "#/components/schemas/{name}"
_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}

DESCRIPTION = """\
Book hotel rooms. Money is integer minor units (cents) with a currency; a stay is \
[check_in, check_out), nights are plain dates in the property's zone, instants are UTC; ids are \
strings. Every refusal is a problem document (RFC 9457) with a stable `code`."""

_STATUS_WORDS = {
    "400": "The question is wrong: a field, a date, a limit.",
    "401": "No key, or one that does not stand.",
    "403": "The key may not do this.",
    "404": "There is no such thing, or none that the caller may know of.",
    "409": "The state of the hotel says no.",
    "413": "The body is over the limit.",
    "415": "The body is not JSON.",
    "422": "The Idempotency-Key came before with another request.",
    "503": "Try again after the seconds in Retry-After, with the same Idempotency-Key.",
}


def openapi_document(routes: Iterable[Route]) -> dict[str, Any]:
    """The document of these routes, as OpenAPI 3.1."""
    shown = [route for route in routes if route.in_docs]
    kinds = {
        kind
        for route in shown
        for kind in (route.query, route.body, route.answer, Problem)
        if kind is not None
    }
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REFERENCE)
    references = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        address = _PATH_PART.sub(r"{\1}", route.path)
        operation = _operation(route, address, references, components)
        paths.setdefault(address, {})[route.method.lower()] = operation
    # A query's struct is shown as its parameters, not as a document.
    for query in {route.query for route in shown if route.query is not None}:
        components.pop(query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Vacancy", "version": __version__, "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, `vac_…`; `vacancy keys create` makes one.",
                }
            },
        },
    }


def _operation(
    route: Route, address: str, references: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', address[1:])}".rstrip(
            "_"
        ),
        "summary": route.summary,
        "tags": [route.tag],
        "description": _description(route),
        "parameters": _parameters(route, components),
        "responses": _responses(route, references),
    }
    if route.access is not PUBLIC:
        operation["security"] = [{"key": []}]
    if route.body is not None:
        operation["requestBody"] = {
            "required": not route.body_optional,
            "content": {"application/json": {"schema": references[route.body]}},
        }
    return operation


def _description(route: Route) -> str:
    if route.access is PUBLIC:
        who = "Public."
    elif route.access == ANY_KEY:
        who = "Any API key."
    else:
        who = f"A key of: {', '.join(sorted(route.access or ()))}."
    return f"{who} Codes: {', '.join(route.codes)}." if route.codes else who


def _parameters(route: Route, components: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PART.findall(route.path)
    ]
    if route.idempotency:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": route.idempotency == "required",
                "description": "The same key with the same request gives the first answer again.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )
    if route.conditional:
        found.append(
            {
                "name": "If-None-Match",
                "in": "header",
                "required": False,
                "description": "The ETag of an answer that you have: 304 says it is still so.",
                "schema": {"type": "string"},
            }
        )
    if route.query is not None:
        schema = components[route.query.__name__]
        required = schema.get("required", ())
        found.extend(
            {"name": name, "in": "query", "required": name in required, "schema": shape}
            for name, shape in schema["properties"].items()
        )
    return found


def _responses(route: Route, references: dict[Any, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": route.summary}
    kind = "object" if route.media_type == "application/json" else "string"
    schema = references[route.answer] if route.answer is not None else {"type": kind}
    good["content"] = {route.media_type: {"schema": schema}}
    met: dict[str, Any] = {}
    if route.conditional:
        good["headers"] = {"ETag": {"schema": {"type": "string"}}}
        met["304"] = {"description": "What If-None-Match names is still so."}
    statuses = {"400", "503"}
    if route.access is not PUBLIC:
        statuses |= {"401", "403"}
    if "{" in route.path or route.body is not None:
        statuses.add("404")
    if route.method == "POST":
        statuses |= {"409", "413", "415", "422"}
    refused = {
        status: {"description": _STATUS_WORDS[status], **_PROBLEM} for status in sorted(statuses)
    }
    return {str(route.status): good, **met, **refused}
