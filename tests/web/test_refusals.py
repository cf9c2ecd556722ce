"""What bad input gets: a 400-class problem with the name of the field, and never a 500."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.web.desk import a_desk, body
from vacancy.errors import VacancyError
from vacancy.web.api.properties import AvailabilityQuery
from vacancy.web.asked import read_query

STAY = "check_in=2027-01-10&check_out=2027-01-12"


def _rooms(**changes: Any) -> list[dict[str, Any]]:
    return [{"room_type": "double", "count": 1, **changes}]


BAD_BODIES: dict[str, tuple[Any, int, str, str]] = {
    "check-out on check-in": (body(check_out="2027-01-10"), 400, "STAY_INVALID", "check_out"),
    "in the past": (body(check_in="2020-01-10"), 400, "STAY_IN_THE_PAST", "check_in"),
    "too long": (body(check_out="2027-12-12"), 400, "STAY_TOO_LONG", "check_out"),
    "no such day": (body(check_in="2027-02-30"), 400, "BODY_INVALID", "check_in"),
    "no date": (body(check_in="soon"), 400, "BODY_INVALID", "check_in"),
    "a number for a date": (body(check_in=20270110), 400, "BODY_INVALID", "check_in"),
    "no rooms": (body(rooms=[]), 400, "VALUE_OUT_OF_RANGE", "rooms"),
    "count 0": (body(rooms=_rooms(count=0)), 400, "VALUE_OUT_OF_RANGE", "count"),
    "count 501": (body(rooms=_rooms(count=501)), 400, "VALUE_OUT_OF_RANGE", "count"),
    "a huge count": (body(rooms=_rooms(count=10**30)), 400, "BODY_INVALID", "rooms[0].count"),
    "huge adults": (body(rooms=_rooms(adults=10**30)), 400, "BODY_INVALID", "rooms[0].adults"),
    "most adults": (body(rooms=_rooms(adults=2**53)), 400, "TOO_MANY_ADULTS", "adults"),
    "half a room": (body(rooms=_rooms(count=0.5)), 400, "BODY_INVALID", "rooms[0].count"),
    "a text for a count": (body(rooms=_rooms(count="1")), 400, "BODY_INVALID", "rooms[0].count"),
    "an unknown field": (body(colour="red"), 400, "BODY_INVALID", "colour"),
    "one in a room": (body(rooms=_rooms(view="sea")), 400, "BODY_INVALID", "rooms[0].view"),
    "null rooms": (body(rooms=None), 400, "BODY_INVALID", "rooms"),
    "no guest": ({**body(), "guest": {}}, 400, "BODY_INVALID", "guest.name"),
    "no address": (body(guest={"name": "A", "email": "x"}), 400, "TEXT_INVALID", "guest.email"),
    "NUL in a name": (
        body(guest={"name": "\0", "email": "a@b"}),
        400,
        "TEXT_INVALID",
        "guest.name",
    ),
    "a name of blanks": (
        body(guest={"name": " ", "email": "a@b"}),
        400,
        "TEXT_INVALID",
        "guest.name",
    ),
    "NUL in a code": (body(property="a\0b"), 400, "TEXT_INVALID", "property"),
    "NUL in a type": (
        body(rooms=_rooms(room_type="\0")),
        400,
        "TEXT_INVALID",
        "rooms[0].room_type",
    ),
    "an unknown property": (body(property="nowhere"), 404, "PROPERTY_UNKNOWN", "property"),
    "an unknown room type": (
        body(rooms=_rooms(room_type="tent")),
        404,
        "ROOM_TYPE_UNKNOWN",
        "room_type",
    ),
    "a list": ([1, 2], 400, "BODY_INVALID", "field"),
    "the last day": (
        body(check_in="9999-12-30", check_out="9999-12-31"),
        409,
        "INSUFFICIENT_INVENTORY",
        "",
    ),
}


def test_bad_bodies(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            for number, (name, (given, status, code, field)) in enumerate(BAD_BODIES.items()):
                answer = await desk.client.post(
                    "/v1/bookings", json=given, headers=desk.as_("ada", f"k{number}")
                )
                problem = answer.json()
                assert (answer.status_code, problem["code"]) == (status, code), name
                assert answer.headers["content-type"] == "application/problem+json"
                assert set(problem) == {
                    *("type", "title", "status", "code", "detail", "hint", "errors", "request_id")
                }
                if field:
                    assert problem["errors"][0]["field"] == field, name
            mine = await desk.client.get("/v1/users/me/bookings", headers=desk.as_("ada"))
            assert mine.json()["items"] == []

    asyncio.run(story())


NOT_JSON: dict[str, tuple[bytes, str, int, str]] = {
    "broken": (b'{"property": ', "application/json", 400, "JSON_INVALID"),
    "empty": (b"", "application/json", 400, "JSON_INVALID"),
    "not UTF-8": (b'{"property": "\xff"}', "application/json", 400, "JSON_INVALID"),
    "a lone surrogate": (b'{"property": "\\ud800"}', "application/json", 400, "JSON_INVALID"),
    "deep": (b'{"rooms": ' + b"[" * 5_000, "application/json", 400, "BODY_INVALID"),
    "deep in what is unknown": (b'{"x": ' + b"[" * 9_000, "application/json", 400, "BODY_INVALID"),
    "a form": (b"property=alpine", "application/x-www-form-urlencoded", 415, "MEDIA_TYPE_REFUSED"),
    "of no type": (b"{}", "", 415, "MEDIA_TYPE_REFUSED"),
    "too large": (b'"' + b"x" * 20_000, "application/json", 413, "BODY_TOO_LARGE"),
}


def test_what_is_no_json(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url, max_body_bytes=10_000) as desk:
            for name, (content, kind, status, code) in NOT_JSON.items():
                headers = {**desk.as_("ada", name), "Content-Type": kind}
                answer = await desk.client.post("/v1/bookings", content=content, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (status, code), name

            sent = 0

            async def endless() -> AsyncIterator[bytes]:
                nonlocal sent
                while sent < 10**9:
                    sent += 4_096
                    yield b"x" * 4_096

            headers = {**desk.as_("ada", "k"), "Content-Type": "application/json"}
            answer = await desk.client.post("/v1/bookings", content=endless(), headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")

    asyncio.run(story())


BAD_ADDRESSES: dict[str, tuple[int, str, str]] = {
    f"/v1/properties/nowhere/availability?{STAY}": (404, "PROPERTY_UNKNOWN", "property"),
    "/v1/properties/nowhere/room-types": (404, "PROPERTY_UNKNOWN", "property"),
    f"/v1/properties/{'x' * 500}/room-types": (404, "PROPERTY_UNKNOWN", "property"),
    "/v1/properties/%00/room-types": (404, "PROPERTY_UNKNOWN", "property"),
    f"/v1/properties/alpine/availability?{STAY}&room_type=tent": (
        404,
        "ROOM_TYPE_UNKNOWN",
        "room_type",
    ),
    "/v1/properties/alpine/availability": (400, "QUERY_INVALID", "check_in"),
    "/v1/properties/alpine/availability?check_in=2027-02-30&check_out=2027-03-01": (
        400,
        "QUERY_INVALID",
        "check_in",
    ),
    "/v1/properties/alpine/availability?check_in=2027-02-03&check_out=2027-02-03": (
        400,
        "STAY_INVALID",
        "check_out",
    ),
    "/v1/properties/alpine/availability?check_in=2027-02-03&check_out=2029-02-03": (
        400,
        "STAY_TOO_LONG",
        "check_out",
    ),
    "/v1/properties/alpine/availability?check_in=2027-02-03&check_out=2027-05-05": (
        400,
        "STAY_TOO_LONG",
        "check_out",
    ),
    f"/v1/properties/alpine/availability?{STAY}&rooms=0": (400, "VALUE_OUT_OF_RANGE", "rooms"),
    f"/v1/properties/alpine/availability?{STAY}&rooms=one": (400, "QUERY_INVALID", "rooms"),
    f"/v1/properties/alpine/availability?{STAY}&rooms={'9' * 40}": (
        400,
        "VALUE_OUT_OF_RANGE",
        "rooms",
    ),
    f"/v1/properties/alpine/availability?{STAY}&rooms=1&rooms=2": (400, "QUERY_INVALID", "rooms"),
    f"/v1/properties/alpine/availability?{STAY}&colour=red": (400, "QUERY_INVALID", "colour"),
    f"/v1/properties/alpine/availability?{STAY}&room_type=%00": (400, "QUERY_INVALID", "query"),
    f"/v1/properties/alpine/availability?{STAY}&room_type=%ff": (400, "QUERY_INVALID", "query"),
    f"/v1/properties/alpine/availability?{STAY}&room_type=%f": (400, "QUERY_INVALID", "query"),
    "/v1/properties?page=2": (400, "QUERY_INVALID", "page"),
    "/v1/users/me/bookings?limit=0": (400, "VALUE_OUT_OF_RANGE", "limit"),
    "/v1/users/me/bookings?limit=201": (400, "VALUE_OUT_OF_RANGE", "limit"),
    "/v1/users/me/bookings?status=lost": (400, "QUERY_INVALID", "status"),
    "/v1/users/me/bookings?cursor=abc": (400, "CURSOR_INVALID", "cursor"),
    f"/v1/users/me/bookings?cursor={2**63}": (400, "CURSOR_INVALID", "cursor"),
    "/v1/bookings/abc": (404, "BOOKING_UNKNOWN", ""),
    f"/v1/bookings/{10**19 - 1}": (404, "BOOKING_UNKNOWN", ""),
    "/v1/bookings/123": (404, "BOOKING_UNKNOWN", ""),
    "/v1/nothing": (404, "ROUTE_UNKNOWN", ""),
    "/v1/holds": (405, "METHOD_NOT_ALLOWED", ""),
    "/v1/reports/kpi?property=alpine&from=2027-01-01&to=2027-02-01": (403, "ROLE_NOT_ALLOWED", ""),
}


def test_bad_addresses(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            for address, (status, code, field) in BAD_ADDRESSES.items():
                answer = await desk.client.get(address, headers=desk.as_("ada"))
                problem = answer.json()
                assert (answer.status_code, problem["code"]) == (status, code), address
                assert answer.headers["x-request-id"] == problem["request_id"]
                if field:
                    assert problem["errors"][0]["field"] == field, address

    asyncio.run(story())


@pytest.mark.parametrize("key", ["", "x" * 256, "naïve", "tab\there"])
def test_a_bad_idempotency_key_is_refused(database_url: str, key: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            headers = {
                b"Authorization": desk.as_("ada")["Authorization"].encode(),
                b"Idempotency-Key": key.encode("latin-1"),
                b"Content-Type": b"application/json",
            }
            answer = await desk.client.post(
                "/v1/bookings", content=json.dumps(body()), headers=headers
            )
            assert (answer.status_code, answer.json()["code"]) == (400, "IDEMPOTENCY_KEY_INVALID")
            none = await desk.client.post("/v1/holds", json=body(), headers=desk.as_("ada"))
            assert (none.status_code, none.json()["code"]) == (400, "IDEMPOTENCY_KEY_MISSING")

    asyncio.run(story())


def test_bad_credentials(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            good = desk.as_("ada")["Authorization"]
            for given, code in (
                (None, "KEY_MISSING"),
                ("", "KEY_MALFORMED"),
                ("Bearer", "KEY_MALFORMED"),
                ("Basic abc", "KEY_MALFORMED"),
                ("Bearer vac_" + "x" * 500, "KEY_MALFORMED"),
                (good[:-1] + "y", "KEY_INVALID"),
            ):
                headers = {} if given is None else {"Authorization": given}
                answer = await desk.client.get("/v1/users/me/bookings", headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (401, code), given
                assert answer.headers["www-authenticate"] == 'Bearer realm="vacancy"'
            twice = [("Authorization", good), ("Authorization", good)]
            answer = await desk.client.get("/v1/users/me/bookings", headers=twice)
            assert (answer.status_code, answer.json()["code"]) == (400, "HEADER_REPEATED")
            lower = {"Authorization": good.replace("Bearer", "bearer")}
            assert (
                await desk.client.get("/v1/users/me/bookings", headers=lower)
            ).status_code == 200

    asyncio.run(story())


def test_encoded_queries_are_read_like_plain_ones() -> None:
    plain = read_query(b"check_in=2027-01-10&check_out=2027-01-12&room_type=a b", AvailabilityQuery)
    for raw in (
        b"check_in=2027%2D01-10&check_out=2027-01-12&room_type=a%20b",
        b"room_type=a+b&%63heck_in=2027-01-10&check_out=2027-01-12",
    ):
        assert read_query(raw, AvailabilityQuery) == plain
    for raw in (b"x" * 3_000, b"&&", b"=1", b"\xc3\xa9=1"):
        with pytest.raises(VacancyError, match="QUERY_INVALID"):
            read_query(raw, AvailabilityQuery)
