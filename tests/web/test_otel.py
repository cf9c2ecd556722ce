"""Traces: a span for each request with its statements below it, and nothing at all when off.

The libraries are an extra that the lock files do not hold: without them only what must hold without
them is tested.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.web.desk import Desk, a_desk, a_server
from vacancy.config import Settings
from vacancy.db.trace import Trace
from vacancy.errors import Misconfigured
from vacancy.web.serve import require_hooks
from vacancy.web.tracing import Tracing, tracing_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_off_means_that_nothing_is_loaded_or_wrapped(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            assert desk.front.tracing is None
            await desk.client.get("/v1/properties")
            trace = desk.front.house.db.trace
            assert trace.add.__func__ is Trace.add  # type: ignore[attr-defined]

    loaded = set(sys.modules)
    asyncio.run(story())
    assert not [name for name in set(sys.modules) - loaded if name.startswith("opentelemetry.sdk")]


def test_without_the_libraries_it_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    settings = Settings(otel_url="http://127.0.0.1:4318")
    for asked in (tracing_of, require_hooks):
        with pytest.raises(Misconfigured) as raised:
            asked(settings)
        assert raised.value.code == "OTEL_MISSING"
        assert "pip install 'vacancy[otel]'" in raised.value.hint


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Misconfigured, match="SETTING_INVALID"):
        tracing_of(Settings(otel_url="collector:4318"))


class _Traced:
    """A desk whose spans are kept in memory."""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self.kept = InMemorySpanExporter()
        self.tracing = Tracing(SimpleSpanProcessor(self.kept))

    def spans(self) -> list[Any]:
        return list(self.kept.get_finished_spans())


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Traced]:
    pytest.importorskip("opentelemetry.sdk")
    made = _Traced()
    monkeypatch.setattr("vacancy.web.front.tracing_of", lambda settings: made.tracing)
    yield made
    made.tracing.close()


async def _watched(desk: Desk, traced: _Traced) -> None:
    traced.tracing.watch(desk.front.house.db.trace)


def test_a_request_is_a_span_and_its_statements_are_below_it(
    database_url: str, traced: _Traced
) -> None:
    async def story() -> tuple[str, int]:
        async with a_desk(database_url) as desk:
            await _watched(desk, traced)
            answer = await desk.client.get(
                "/v1/users/me/bookings", headers={**desk.as_("ada"), "traceparent": PARENT}
            )
            missing = await desk.client.get("/v1/properties/none/room-types")
            return answer.headers["x-request-id"], missing.status_code

    request_id, missing = asyncio.run(story())
    spans = {span.name: span for span in traced.spans()}
    request = spans.pop("GET /v1/users/{user_id}/bookings")
    assert f"{request.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{request.parent.span_id:016x}" == PARENT.split("-")[2]
    assert request.attributes["vacancy.request_id"] == request_id
    assert request.attributes["http.response.status_code"] == 200
    below = [
        span
        for span in spans.values()
        if span.parent and span.parent.span_id == request.context.span_id
    ]
    assert len(below) == 2
    for span in below:
        assert set(span.attributes) == {"db.system.name", "db.response.returned_rows"}
        assert request.start_time <= span.start_time <= span.end_time <= request.end_time
    other = spans["GET /v1/properties/{code}/room-types"]
    assert other.parent is None
    assert other.attributes["http.response.status_code"] == missing == 404
    assert "ada" not in "".join(span.to_json() for span in traced.spans())


def test_who_does_not_record_is_not_recorded(tmp_path: Path, traced: _Traced) -> None:
    async def story() -> None:
        async with a_desk(f"sqlite:///{tmp_path / 'v.db'}") as desk:
            await _watched(desk, traced)
            not_recorded = PARENT[:-2] + "00"
            await desk.client.get("/v1/properties", headers={"traceparent": not_recorded})
            await desk.book()

    asyncio.run(story())
    names = [span.name for span in traced.spans()]
    assert "GET /v1/properties" not in names
    assert "POST /v1/bookings" in names


class _Collector(HTTPServer):
    """A collector on this machine: what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sent: list[tuple[str, bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.sent.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print nothing."""


def test_a_server_sends_its_spans_to_a_collector(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    with _Collector() as collector:
        thread = Thread(target=collector.serve_forever)
        thread.start()
        try:
            settings: dict[str, Any] = {
                "VACANCY_OTEL_URL": f"http://127.0.0.1:{collector.server_port}"
            }
            with a_server(f"sqlite:///{tmp_path / 'v.db'}", tmp_path, **settings) as server:
                assert httpx.get(f"{server.address}/v1/properties").status_code == 200
                assert server.stop() == 0
        finally:
            collector.shutdown()
            thread.join()
    assert {path for path, _ in collector.sent} == {"/v1/traces"}
    assert b"/v1/properties" in b"".join(body for _, body in collector.sent)


def test_a_collector_that_is_not_there_does_not_hold_up_the_end(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    settings: dict[str, Any] = {"VACANCY_OTEL_URL": "http://127.0.0.1:9"}
    with a_server(f"sqlite:///{tmp_path / 'v.db'}", tmp_path, **settings) as server:
        assert httpx.get(f"{server.address}/v1/properties").status_code == 200
        assert server.stop() == 0
    assert "ending now" not in server.log.read_text()
