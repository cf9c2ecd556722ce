"""What may be asked without a key, the report, the health checks and the documentation."""

from __future__ import annotations

import asyncio
import json
import logging
import re

import pytest

from tests.web.desk import a_desk, new_key
from vacancy.web import metrics
from vacancy.web.app import ROUTES
from vacancy.web.logs import JsonLines, masked
from vacancy.web.openapi import openapi_document


def test_properties_room_types_and_availability(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            get = desk.client.get
            assert (await get("/v1/properties")).json() == {
                "items": [
                    {
                        "code": "alpine",
                        "name": "Hotel Alpine",
                        "currency": "EUR",
                        "time_zone": "Europe/Lisbon",
                        "max_stay_nights": 90,
                    }
                ],
                "next": None,
            }
            kinds = (await get("/v1/properties/alpine/room-types")).json()
            assert [kind["code"] for kind in kinds["items"]] == ["double", "single"]
            assert kinds["items"][0]["price_minor"] == 9000
            await desk.book()
            stay = "check_in=2027-01-11&check_out=2027-01-13&rooms=5"
            asked = await get(f"/v1/properties/alpine/availability?{stay}")
            assert asked.json() == {
                "property": "alpine",
                "check_in": "2027-01-11",
                "check_out": "2027-01-13",
                "items": [
                    {
                        "room_type": "double",
                        "name": "Double",
                        "available": 4,
                        "sellable": False,
                        "total_minor": 90000,
                        "currency": "EUR",
                    },
                    {
                        "room_type": "single",
                        "name": "Single",
                        "available": 10,
                        "sellable": True,
                        "total_minor": 60000,
                        "currency": "EUR",
                    },
                ],
            }
            one = await get(f"/v1/properties/alpine/availability?{stay}&room_type=single")
            assert one.json()["items"] == asked.json()["items"][1:]
            assert one.headers["cache-control"] == "public, no-cache"
            head = await desk.client.head("/v1/properties")
            assert head.status_code == 200

    asyncio.run(story())


def test_the_report_is_for_staff_of_the_property(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            booking = (await desk.book()).json()["id"]
            await desk.client.post(f"/v1/bookings/{booking}/confirm", headers=desk.as_("ada"))
            period = "property=alpine&from=2027-01-01&to=2027-02-01"
            desk.keys["own"] = await new_key(desk.hotel.house, "own@example.org", "staff", "alpine")
            for who in ("desk", "own"):
                answer = await desk.client.get(f"/v1/reports/kpi?{period}", headers=desk.as_(who))
                assert answer.status_code == 200
                report = answer.json()
                assert (report["rooms_sold"], report["rooms_revenue_minor"]) == (2, 18000)
                assert report["basis"] == "sellable"
            by_month = await desk.client.get(
                f"/v1/reports/kpi?{period}&by=month&basis=physical", headers=desk.as_("desk")
            )
            assert by_month.status_code == 200
            assert by_month.json()["basis"] == "physical"
            wrong = await desk.client.get(
                f"/v1/reports/kpi?{period}&by=year", headers=desk.as_("desk")
            )
            assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "by")

    asyncio.run(story())


def test_health(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            assert (await desk.client.get("/health/live")).json()["status"] == "live"
            ready = await desk.client.get("/health/ready")
            assert (ready.status_code, ready.json()["status"]) == (200, "ready")
            desk.front.opened = None
            starting = await desk.client.get("/health/ready")
            assert (starting.status_code, starting.headers["retry-after"]) == (503, "1")
            desk.front.opened = desk.hotel.house
            await desk.front.finish()
            stopping = await desk.client.get("/health/ready")
            assert (stopping.status_code, stopping.json()["code"]) == (503, "SERVER_STOPPING")

    asyncio.run(story())


def test_the_documentation_shows_every_route_and_calls_nobody(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            served = (await desk.client.get("/openapi.json")).json()
            described = (*ROUTES, *metrics.routes(desk.front))
            assert served == json.loads(json.dumps(openapi_document(described)))
            shown = {
                f"{verb.upper()} {address}"
                for address, verbs in served["paths"].items()
                for verb in verbs
            }
            assert shown == {
                f"{route.method} {re.sub(r':str', '', route.path)}" for route in described
            }
            text = json.dumps(served)
            for reference in re.findall(r'"#/components/schemas/(\w+)"', text):
                assert reference in served["components"]["schemas"]
            create = served["paths"]["/v1/bookings"]["post"]
            assert create["security"] == [{"key": []}]
            assert create["parameters"][0]["name"] == "Idempotency-Key"
            page = await desk.client.get("/docs")
            assert page.headers["content-type"].startswith("text/html")
            assert "https://" not in page.text
            assert "http://" not in page.text
            assert "default-src 'none'" in page.headers["content-security-policy"]

    asyncio.run(story())


def test_logs_hold_no_secrets() -> None:
    said = (
        "key vac_Ab-c_1 of ada.l@example.org, Authorization: Bearer abc.def,"
        " {'authorization': 'Bearer vac_x'} at postgresql://me:hidden@db.example/hotel"
    )
    text = masked(said)
    for secret in ("Ab-c_1", "ada.l", "abc.def", "hidden", "vac_x"):
        assert secret not in text
    assert "example.org" in text
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "sent %s", ("vac_secret",), None)
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "sent vac_***"
    assert line["level"] == "warning"


def test_debug_logs_one_line_for_each_request(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            with caplog.at_level(logging.DEBUG, logger="vacancy.web.requests"):
                answer = await desk.client.get("/v1/properties?x=vac_1", headers=desk.as_("ada"))
            (record,) = (one for one in caplog.records if one.name == "vacancy.web.requests")
            assert record.getMessage() == "GET /v1/properties 400"
            assert vars(record)["request_id"] == answer.headers["x-request-id"]
            assert vars(record)["client"] == "127.0.0.1"

    asyncio.run(story())
