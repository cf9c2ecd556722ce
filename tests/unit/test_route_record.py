"""The records of routes: what is counted, and how workers add up."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path

import msgspec
import pytest

from tests.web.desk import a_desk
from tests.web.test_guard import add, look_again_and_again, look_at_much
from vacancy.db.durations import percentile_ns
from vacancy.db.gate import request_id_now
from vacancy.hotel.queries import list_properties
from vacancy.web.call import Answer, Call, document
from vacancy.web.logs import JsonLines
from vacancy.web.route_record import OTHER, RouteNotes, RouteRecord, RouteRecords, merge_routes


def test_a_request_is_counted_and_timed() -> None:
    notes = RouteNotes(RouteRecord(route="GET /x", budget=2))
    for status, statements, duration_ns in ((200, 1, 1_000), (200, 3, 5_000), (404, 0, 2_000)):
        notes.add(status, statements, duration_ns)
    record = notes.sum_up()
    record.refuse("BOOKING_UNKNOWN")
    assert record.requests == {200: 2, 404: 1}
    assert record.calls == sum(record.buckets) == 3
    assert (record.statements, record.statements_most, record.over_budget) == (4, 3, 1)
    assert record.total_ns == 8_000
    median_ns = percentile_ns(record.buckets, 50)
    assert median_ns is not None
    assert 1_600 <= median_ns <= 2_500
    assert record.refusals == {"BOOKING_UNKNOWN": 1}


def test_workers_add_up() -> None:
    first, second = RouteRecords(), RouteRecords()
    first.of("GET /x", 3).add(200, 2, 10)
    first.other.add_untimed(404, "ROUTE_UNKNOWN")
    second.of("GET /x", 3).add(503, 4, 30)
    second.of("GET /y", 1).add(200, 0, 5)
    sent = [
        msgspec.json.decode(msgspec.json.encode(records.all()), type=list[RouteRecord])
        for records in (first, second)
    ]
    merged = {record.route: record for record in merge_routes(sent)}
    assert list(merged) == [OTHER, "GET /x", "GET /y"]
    assert merged["GET /x"].requests == {200: 1, 503: 1}
    assert merged["GET /x"].statements_most == 4
    assert merged["GET /x"].over_budget == 1
    assert (merged["GET /x"].total_ns, sum(merged["GET /x"].buckets)) == (40, 2)
    assert merged[OTHER].refusals == {"ROUTE_UNKNOWN": 1}


def test_the_application_counts_every_answer_once(database_url: str) -> None:
    async def fails(call: Call, asked: None) -> Answer:
        raise ZeroDivisionError

    async def story() -> dict[str, RouteRecord]:
        async with a_desk(database_url) as desk:
            add(desk, "/fails", fails)
            add(desk, "/loop", look_again_and_again)
            add(desk, "/much", look_at_much, statements=2)
            for path in ("/fails", "/loop", "/much", "/v1/properties", "/nothing", "/v1/bookings"):
                await desk.client.get(path)
            await desk.client.head("/v1/properties")
            await desk.client.put("/v1/bookings")
            await desk.book(rooms=[{"room_type": "double", "count": 9, "adults": 9}])
            desk.front.stopping = True
            await desk.client.get("/v1/properties")
            return {record.route: record for record in desk.front.requests.all()}

    records = asyncio.run(story())
    assert records["GET /fails"].requests == {500: 1}
    assert records["GET /fails"].refusals == {"INTERNAL": 1}
    assert records["GET /loop"].refusals == {"STATEMENT_REPEATED": 1}
    assert records["GET /much"].refusals == {"STATEMENT_BUDGET_EXCEEDED": 1}
    assert records["GET /much"].over_budget == 1
    assert records["GET /v1/properties"].requests == {200: 2}
    assert records["GET /v1/bookings"].refusals == {"KEY_MISSING": 1}
    assert records["POST /v1/bookings"].requests == {409: 1}
    assert records["POST /v1/bookings"].refusals == {"INSUFFICIENT_INVENTORY": 1}
    assert records[OTHER].requests == {404: 1, 405: 1, 503: 1}
    assert set(records[OTHER].refusals) == {
        *("ROUTE_UNKNOWN", "METHOD_NOT_ALLOWED", "SERVER_STOPPING")
    }
    assert "GET /v1/properties/{code}/availability" in records


def test_a_line_for_what_failed_or_was_slow_and_for_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "vacancy.web.requests")

    async def fails(call: Call, asked: None) -> Answer:
        raise ZeroDivisionError

    async def story(slow_ms: float) -> list[str]:
        url = f"sqlite:///{tmp_path / f'{slow_ms}.db'}"
        async with a_desk(url, slow_ms=slow_ms) as desk:
            add(desk, "/fails", fails)
            caplog.clear()
            for path in ("/v1/properties", "/fails", "/v1/properties/none/room-types"):
                await desk.client.get(path)
            return [
                record.getMessage()
                for record in caplog.records
                if record.name == "vacancy.web.requests"
            ]

    assert asyncio.run(story(60_000.0)) == ["GET /fails 500"]
    assert asyncio.run(story(0.0)) == ["GET /fails 500"]
    lines = asyncio.run(story(0.000_001))
    assert lines == [
        "GET /v1/properties 200",
        "GET /fails 500",
        "GET /v1/properties/none/room-types 404",
    ]


def test_every_line_within_a_request_has_its_id(tmp_path: Path) -> None:
    log = logging.getLogger("test.of.request.ids")
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(JsonLines().format(record))

    async def logs(call: Call, asked: None) -> Answer:
        log.warning("one line")
        await asyncio.gather(*(asyncio.create_task(say()) for _ in range(2)))
        await list_properties(call.house.db)
        return document(b"{}")

    async def say() -> None:
        log.warning("one more")

    handler = Kept()
    log.addHandler(handler)

    async def story() -> list[str]:
        async with a_desk(f"sqlite:///{tmp_path / 'v.db'}") as desk:
            add(desk, "/logs", logs)
            answers = await asyncio.gather(*(desk.client.get("/logs") for _ in range(5)))
            return [answer.headers["x-request-id"] for answer in answers]

    try:
        request_ids = asyncio.run(story())
        log.warning("outside")
    finally:
        log.removeHandler(handler)
    told = [json.loads(line) for line in lines]
    assert [one["request_id"] for one in told if one["message"] == "one line"] == request_ids
    of_tasks = sorted(one["request_id"] for one in told if one["message"] == "one more")
    assert of_tasks == sorted(request_ids * 2)
    assert "request_id" not in told[-1]
    assert request_id_now() is None
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", one) for one in request_ids)
