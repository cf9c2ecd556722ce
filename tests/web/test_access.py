"""Every route says who may call it, and only they may."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from litestar import Litestar, get

from tests.web.desk import a_desk, new_key
from vacancy.config import Settings
from vacancy.errors import Internal
from vacancy.hotel.model import Role
from vacancy.web.app import ROUTES, create_app, require_access, undeclared
from vacancy.web.auth import ANY_KEY, NOBODY, PUBLIC, STAFF
from vacancy.web.call import Answer, Call
from vacancy.web.front import Front
from vacancy.web.routing import Route, to_litestar

DECLARED = {
    "GET /health/live": PUBLIC,
    "GET /health/ready": PUBLIC,
    "GET /v1/properties": PUBLIC,
    "GET /v1/properties/{code:str}/room-types": PUBLIC,
    "GET /v1/properties/{code:str}/availability": PUBLIC,
    "POST /v1/availability": PUBLIC,
    "POST /v1/bookings": ANY_KEY,
    "POST /v1/holds": ANY_KEY,
    "GET /v1/bookings": ANY_KEY,
    "GET /v1/bookings/{booking_id:str}": ANY_KEY,
    "POST /v1/bookings/{booking_id:str}/confirm": ANY_KEY,
    "POST /v1/bookings/{booking_id:str}/cancel": ANY_KEY,
    "GET /v1/users/{user_id:str}/bookings": ANY_KEY,
    "GET /v1/users/{user_id:str}/payments": ANY_KEY,
    "GET /v1/properties/{code:str}/bookings": STAFF,
    "GET /v1/reports/kpi": STAFF,
    "GET /v1/reports/occupancy": STAFF,
    "GET /v1/reports/statistics": STAFF,
    "GET /v1/properties/{code:str}/inventory": STAFF,
    "GET /v1/properties/{code:str}/room-types/{room_type:str}/inventory": STAFF,
}
"""Written out once more on purpose: a route that becomes public changes this list too."""

ROLES: tuple[Role, ...] = ("guest", "staff", "admin", "superadmin")


def test_every_route_is_declared_as_we_think() -> None:
    assert {f"{route.method} {route.path}": route.access for route in ROUTES} == DECLARED
    app = create_app(Settings(), opens_house=False).app
    assert isinstance(app, Litestar)
    assert list(undeclared(app)) == []


def test_an_undeclared_handler_is_not_served() -> None:
    @get("/back-door")
    async def back_door() -> str:
        return "open"

    with pytest.raises(Internal, match="GET /back-door does not say who may call it"):
        require_access(Litestar([back_door], openapi_config=None, logging_config=None))


def test_without_a_declaration_nobody_may_call(database_url: str) -> None:
    async def secret(call: Call, asked: None) -> Answer:
        raise AssertionError("the handler was reached")

    async def story() -> None:
        async with a_desk(database_url) as desk:
            route = Route(method="GET", path="/secret", handler=secret, summary="Not declared.")
            assert route.access == NOBODY
            app = desk.front.app
            assert isinstance(app, Litestar)
            app.register(to_litestar(route, desk.front))
            assert (await desk.client.get("/secret")).status_code == 401
            for role in ROLES:
                desk.keys[role] = await new_key(desk.hotel.house, f"{role}@example.org", role)
                answer = await desk.client.get("/secret", headers=desk.as_(role))
                assert (answer.status_code, answer.json()["code"]) == (403, "ROLE_NOT_ALLOWED")

    asyncio.run(story())


def test_who_is_let_in(database_url: str) -> None:
    """Each route with no key and with a key of each role: 401 and 403 exactly where declared."""

    async def story() -> None:
        async with a_desk(database_url) as desk:
            for role in ROLES:
                desk.keys[role] = await new_key(desk.hotel.house, f"{role}@example.org", role)
            for route in ROUTES:
                address = (
                    route.path.replace("{code:str}", "alpine")
                    .replace("{booking_id:str}", "1")
                    .replace("{user_id:str}", "me")
                )
                nobody = await desk.client.request(route.method, address)
                assert (nobody.status_code == 401) == (route.access is not None), route.path
                for role in ROLES:
                    answer = await desk.client.request(
                        route.method, address, headers=desk.as_(role)
                    )
                    is_let_in = route.access is None or role in route.access
                    assert (answer.status_code == 403) != is_let_in, (route.path, role)

    asyncio.run(story())


def test_a_fault_of_ours_tells_the_client_nothing(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def faulty(call: Call, asked: None) -> Answer:
        raise ZeroDivisionError("the secret is vac_abc")

    async def story() -> None:
        async with a_desk(database_url) as desk:
            app = desk.front.app
            assert isinstance(app, Litestar)
            route = Route(
                method="GET", path="/faulty", handler=faulty, access=PUBLIC, summary="Faulty."
            )
            app.register(to_litestar(route, desk.front))
            answer = await desk.client.get("/faulty")
            assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
            assert "secret" not in answer.text
            assert "ZeroDivision" not in answer.text
            record = next(one for one in caplog.records if one.levelno == logging.ERROR)
            assert vars(record)["request_id"] == answer.json()["request_id"]
            assert "ZeroDivisionError" in str(record.exc_text or record.exc_info)

    asyncio.run(story())


def test_request_ids_are_ours_unless_a_trusted_proxy_gives_one(database_url: str) -> None:
    async def ask(desk: Any, given: str) -> str:
        answer = await desk.client.get("/health/live", headers={"X-Request-Id": given})
        return str(answer.headers["x-request-id"])

    async def story() -> None:
        async with a_desk(database_url) as desk:
            first, second = await ask(desk, "mine"), await ask(desk, "mine")
            assert first != second
            assert "mine" not in (first, second)
            desk.front._proxies = Front(
                Settings(trusted_proxies=("127.0.0.0/8",)), prefix="x"
            )._proxies
            assert await ask(desk, "theirs-1") == "theirs-1"
            assert await ask(desk, "a" * 65) != "a" * 65
            assert await ask(desk, "<script>") != "<script>"
            options = await desk.client.options("/v1/bookings")
            assert options.headers["x-request-id"]

    asyncio.run(story())


def test_pages_of_other_origins_may_call_only_where_it_is_set(database_url: str) -> None:
    async def story() -> None:
        headers = {"Origin": "https://hotel.example", "Access-Control-Request-Method": "POST"}
        async with a_desk(database_url) as desk:
            closed = await desk.client.options("/v1/bookings", headers=headers)
            assert "access-control-allow-origin" not in closed.headers
            app = create_app(Settings(cors_origins=("https://hotel.example",)), opens_house=False)
            app.opened = desk.hotel.house
            desk.client._transport.app = app  # type: ignore[attr-defined]
            asked = await desk.client.options("/v1/bookings", headers=headers)
            assert asked.headers["access-control-allow-origin"] == "https://hotel.example"
            refused = await desk.client.get("/v1/nothing", headers=headers)
            assert refused.headers["access-control-allow-origin"] == "https://hotel.example"
            other = await desk.client.get(
                "/v1/properties", headers={"Origin": "https://evil.example"}
            )
            assert "access-control-allow-origin" not in other.headers

    asyncio.run(story())
