"""Alerts reach a real command and a real server, never more often than they may, and hold up
nobody."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import InvalidURL
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from tests.hotels import a_hotel
from tests.web.desk import a_desk, a_server
from tests.web.test_guard import add, look_again_and_again, look_at_much
from vacancy.cache.stats import NameStats
from vacancy.config import Settings
from vacancy.db.trace import SlowStatement
from vacancy.errors import Misconfigured
from vacancy.hotel.queries import list_properties
from vacancy.perf import alerts as perf_alerts
from vacancy.perf.alerts import QUEUED, QUIET_AFTER_FAILURE_S, QUIET_S, Alerts, HookFailed
from vacancy.perf.hooks import command_hook, url_hook
from vacancy.web.alerting import ENOUGH_LOOKUPS, HitRate, alerting, hooks_of, tell_slow
from vacancy.web.logs import masked

WAIT_S = 20.0
_APPENDS = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


def appending(path: Path) -> list[str]:
    """A command that writes what it is told to a file."""
    return [sys.executable, "-c", _APPENDS, str(path)]


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def until_told(path: Path, number: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + WAIT_S
    while len(found := told(path)) < number:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Heard(HTTPServer):
    """A webhook on this machine: what it was posted, and what it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []
        self.kinds: list[str | None] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Heard

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        self.server.bodies.append(self.rfile.read(length))
        self.server.kinds.append(self.headers["content-type"])
        self.server.keys.append(self.headers["authorization"])
        self.server.paths.append(self.path)
        status = 302 if self.path == "/moved" else 500 if self.path.startswith("/broken") else 204
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print nothing."""


@contextmanager
def a_webhook() -> Iterator[Heard]:
    with Heard() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_a_command_gets_one_line_and_no_secrets(tmp_path: Path) -> None:
    path = tmp_path / "told.jsonl"
    alerts = Alerts([command_hook(appending(path))], mask=masked)
    alerts.tell(
        "SLOW_STATEMENT",
        "users.get",
        "users.get took long for vac_abcdefgh of ada@example.org.",
        request_id="r-1",
        details={"rows": 3, "url": "postgresql://a:secret@db/x"},
    )
    (alert,) = until_told(path, 1)
    alerts.close()
    assert list(alert) == [
        *("kind", "subject", "sentence", "at", "pid", "request_id", "suppressed", "details")
    ]
    assert (alert["kind"], alert["subject"], alert["suppressed"]) == (
        *("SLOW_STATEMENT", "users.get"),
        0,
    )
    assert alert["request_id"] == "r-1"
    assert alert["details"]["rows"] == 3
    text = path.read_text()
    assert "abcdefgh" not in text
    assert "ada@" not in text
    assert "secret" not in text
    assert (alerts.record.delivered, alerts.record.failed) == (1, 0)


def test_one_in_ten_minutes_about_the_same(tmp_path: Path) -> None:
    path, clock = tmp_path / "told.jsonl", Clock()
    alerts = Alerts([command_hook(appending(path))], clock=clock)
    for _ in range(5):
        alerts.tell("N_PLUS_ONE", "GET /a", "again")
    alerts.tell("N_PLUS_ONE", "GET /b", "another subject")
    alerts.tell("SLOW_STATEMENT", "GET /a", "another kind")
    clock.now_s += QUIET_S - 1
    alerts.tell("N_PLUS_ONE", "GET /a", "still quiet")
    clock.now_s += 1
    alerts.tell("N_PLUS_ONE", "GET /a", "again after ten minutes")
    found = until_told(path, 4)
    alerts.close()
    assert [(one["subject"], one["suppressed"]) for one in found] == [
        *(("GET /a", 0), ("GET /b", 0), ("GET /a", 0)),
        ("GET /a", 5),
    ]
    assert (alerts.record.delivered, alerts.record.suppressed) == (4, 5)


def test_a_hook_that_hangs_is_left_and_ended_at_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started = tmp_path / "started"
    hangs = f"open({str(started)!r}, 'w').write('x'); import time; time.sleep(600)"
    path = tmp_path / "told.jsonl"
    alerts = Alerts([command_hook([sys.executable, "-c", hangs]), command_hook(appending(path))])
    before = time.monotonic()
    for number in range(QUEUED + 50):
        alerts.tell("SLOW_STATEMENT", f"s{number}", "slow")
    assert time.monotonic() - before < 1.0
    while not started.exists():
        assert time.monotonic() - before < WAIT_S
        time.sleep(0.02)
    assert alerts.record.dropped >= 49
    before = time.monotonic()
    alerts.close(2.0)
    assert time.monotonic() - before < 2.5
    record = alerts.record
    assert record.dropped + record.delivered + record.failed == QUEUED + 50
    assert "alerts were not delivered before the end" in caplog.text


def test_a_command_that_takes_too_long_does_not_stop_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "told.jsonl"
    hangs = command_hook([sys.executable, "-c", "import time; time.sleep(600)"], wait_s=0.2)
    missing = command_hook([str(tmp_path / "no-such-program")])
    fails = command_hook([sys.executable, "-c", "raise SystemExit(3)"])
    alerts = Alerts([hangs, missing, fails, command_hook(appending(path))])
    alerts.tell("N_PLUS_ONE", "GET /a", "again")
    alerts.tell("N_PLUS_ONE", "GET /b", "again")
    found = until_told(path, 2)
    alerts.close()
    assert [one["subject"] for one in found] == ["GET /a", "GET /b"]
    assert "took over 0.2 s" in caplog.text
    assert "no-such-program" in caplog.text
    assert "ended with 3" in caplog.text
    assert alerts.record.failed == 2


def test_a_webhook_is_posted_json_and_not_led_elsewhere(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with a_webhook() as heard:
        for where in ("/here", "/moved", "/broken"):
            alerts = Alerts([url_hook(heard.url + where)])
            alerts.tell("HIT_RATE_LOW", "cache", f"low {where}")
            alerts.close(WAIT_S)
            assert (alerts.record.delivered, alerts.record.failed) == (
                (1, 0) if where == "/here" else (0, 1)
            )
        assert heard.paths == ["/here", "/moved", "/broken"]
        assert heard.kinds == ["application/json"] * 3
        assert json.loads(heard.bodies[0])["sentence"] == "low /here"
    assert "the webhook at 127.0.0.1 answered 302" in caplog.text


@pytest.mark.parametrize(
    ("userinfo", "pair"),
    [
        ("bot:s3cr!t@", "bot:s3cr!t"),
        ("bot:s3%2Fcr%40t@", "bot:s3/cr@t"),
        ("s3cret@", "s3cret:"),
        ("b:o:t@x@", "b:o:t@x"),
    ],
)
def test_a_password_in_the_address_becomes_a_header(
    userinfo: str, pair: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with a_webhook() as heard:
        for where in ("/here", "/broken/s3cret"):
            url = heard.url.replace("://", f"://{userinfo}") + where
            alerts = Alerts(hooks_of(Settings(alert_url=url)))
            alerts.tell("HIT_RATE_LOW", "cache", "low")
            alerts.close(WAIT_S)
        assert heard.paths == ["/here", "/broken/s3cret"]
    assert heard.keys == [f"Basic {b64encode(pair.encode()).decode()}"] * 2
    assert "answered 500" in caplog.text
    assert "s3" not in caplog.text


@pytest.mark.parametrize(
    "error", [ValueError("at https://x/s3cret"), InvalidURL("port: 's3cret@host'")]
)
def test_what_an_error_quotes_is_not_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(line: bytes, ending: Event) -> None:
        raise error

    alerts = Alerts([fails])
    alerts.tell("HIT_RATE_LOW", "cache", "low")
    alerts.close(WAIT_S)
    assert type(error).__name__ in caplog.text
    assert "s3cret" not in caplog.text


def test_what_was_dropped_is_told_again_at_once() -> None:
    clock, held, seen = Clock(), Event(), _Seen()

    def waits(line: bytes, ending: Event) -> None:
        held.wait(WAIT_S)
        seen(line, ending)

    alerts = Alerts([waits], clock=clock)
    for _ in range(3):
        alerts.tell("N_PLUS_ONE", "GET /a", "again")  # the first is delivered, two are kept back
    until(alerts._queue.empty)
    clock.now_s += QUIET_S
    for number in range(QUEUED):
        alerts.tell("SLOW_STATEMENT", f"s{number}", "slow")
    alerts.tell("N_PLUS_ONE", "GET /a", "finds the queue full")
    alerts.tell("N_PLUS_ONE", "GET /new", "finds the queue full")
    assert alerts.record.dropped == 2
    held.set()
    seen.wait_for(1 + QUEUED)
    for subject in ("GET /a", "GET /new"):
        alerts.tell("N_PLUS_ONE", subject, "finds a place")
    found = seen.wait_for(1 + QUEUED + 2)
    alerts.close()
    assert [(one["subject"], one["suppressed"]) for one in found[-2:]] == [
        *(("GET /a", 2), ("GET /new", 0))
    ]
    assert (alerts.record.dropped, alerts.record.suppressed) == (2, 2)


def test_what_nobody_heard_is_told_again_soon() -> None:
    clock, seen, broken = Clock(), _Seen(), True

    def may_fail(line: bytes, ending: Event) -> None:
        if broken:
            raise HookFailed("not now")
        seen(line, ending)

    alerts = Alerts([may_fail], clock=clock)
    alerts.tell("N_PLUS_ONE", "vac_key1", "again")
    until(lambda: alerts.record.failed == 1)
    clock.now_s += QUIET_AFTER_FAILURE_S - 1
    alerts.tell("N_PLUS_ONE", "vac_key1", "kept back")
    clock.now_s += 1
    alerts.tell("N_PLUS_ONE", "vac_key1", "fails again")
    until(lambda: alerts.record.failed == 2)
    broken = False
    clock.now_s += QUIET_AFTER_FAILURE_S
    alerts.tell("N_PLUS_ONE", "vac_key1", "heard at last")
    (alert,) = seen.wait_for(1)
    until(lambda: alerts.record.delivered == 1)
    clock.now_s += QUIET_S - 1
    alerts.tell("N_PLUS_ONE", "vac_key1", "kept back")
    alerts.close()
    assert (alert["sentence"], alert["suppressed"]) == ("heard at last", 1)
    assert len(seen.lines) == 1


def test_a_broken_hook_does_not_make_the_other_a_nag() -> None:
    def fails(line: bytes, ending: Event) -> None:
        raise HookFailed("never")

    clock, seen = Clock(), _Seen()
    alerts = Alerts([fails, seen], clock=clock)
    alerts.tell("N_PLUS_ONE", "GET /a", "again")
    until(lambda: alerts.record.failed == 1)
    clock.now_s += QUIET_S - 1
    alerts.tell("N_PLUS_ONE", "GET /a", "kept back")
    alerts.close()
    assert len(seen.lines) == 1


def test_the_hit_rate_is_judged_over_enough_lookups(tmp_path: Path) -> None:
    seen = _Seen()
    rate = HitRate(0.7, Alerts([seen]))
    rate.look(500, 499)  # too few
    rate.look(500 + 700, 499 + 300)  # just enough hits
    assert seen.lines == []
    rate.look(1_200 + 600, 799 + 400)
    (alert,) = seen.wait_for(1)
    assert alert["kind"] == "HIT_RATE_LOW"
    assert alert["details"] == {"hits": 600, "lookups": 1_000, "hit_rate": 0.6}
    assert "600 of 1,000" in alert["sentence"]


class _Seen:
    """A hook that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def __call__(self, line: bytes, ending: Event) -> None:
        self.lines.append(line)

    def wait_for(self, number: int) -> Sequence[dict[str, Any]]:
        deadline = time.monotonic() + WAIT_S
        while len(self.lines) < number:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return [json.loads(line) for line in self.lines]


def test_a_house_tells_of_slow_statements_and_of_loops(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "told.jsonl"
    command = " ".join(f"'{part}'" for part in appending(path)).replace(
        f"'{_APPENDS}'", f'"{_APPENDS}"'
    )

    async def story() -> None:
        async with a_desk(database_url, alert_command=command) as desk:
            house = desk.front.house
            add(desk, "/loop", look_again_and_again)
            add(desk, "/much", look_at_much, statements=2)
            async with alerting(house, desk.front.alerts):
                house.db.trace.slow_ns = 0
                await list_properties(house.db)
                house.db.trace.slow_ns = 1 << 62
                loop = await desk.client.get("/loop")
                much = await desk.client.get("/much")
                assert (loop.status_code, much.status_code) == (500, 500)
                request_ids = [one.headers["x-request-id"] for one in (loop, much)]
            found = {one["kind"]: one for one in told(path)}
            assert set(found) == {"SLOW_STATEMENT", "N_PLUS_ONE", "STATEMENT_BUDGET_EXCEEDED"}
            assert found["SLOW_STATEMENT"]["subject"] == "catalogue.list_properties"
            assert found["N_PLUS_ONE"]["subject"] == "GET /loop"
            assert found["N_PLUS_ONE"]["details"]["statement"] == "catalogue.get_property"
            assert "look_again_and_again" in found["N_PLUS_ONE"]["details"]["place"]
            assert found["STATEMENT_BUDGET_EXCEEDED"]["details"]["budget"] == 2
            assert [
                found[kind]["request_id"] for kind in ("N_PLUS_ONE", "STATEMENT_BUDGET_EXCEEDED")
            ] == request_ids
            # Afterwards nobody listens.
            await desk.client.get("/loop")
            assert desk.front.alerts.suppressed == 0

    asyncio.run(story())


def test_a_server_tells_and_answers_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "told.jsonl"
    script = tmp_path / "hook.py"
    script.write_text(_APPENDS)
    settings: dict[str, Any] = {
        "VACANCY_ALERT_COMMAND": f"{sys.executable} {script} {path}",
        "VACANCY_SLOW_MS": "0.001",
    }
    with a_server(f"sqlite:///{tmp_path / 'vacancy.db'}", tmp_path, **settings) as server:
        answer = httpx.get(f"{server.address}/v1/properties")
        assert answer.status_code == 200
        found = until_told(path, 1)
        assert {one["kind"] for one in found} == {"SLOW_STATEMENT"}
        assert server.stop() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"alert_url": "ftp://x/y"},
        {"alert_url": "nothing"},
        {"alert_url": "http://:80/s3cret"},
        {"alert_url": "http://localhost:s3cret/hook"},
        {"alert_url": "http://bot:s3cret/x@localhost/hook"},
        {"alert_url": "http://localhost:0/s3cret"},
        {"alert_url": "http://localhost:65536/s3cret"},
        {"alert_url": "http://[s3cret/hook"},
        {"alert_url": "http://localhost/a s3cret"},
        {"alert_url": " http://localhost/s3cret"},
        {"alert_url": "http://localhost/a\ns3cret"},
        {"alert_url": "http://localhost/a\x7fs3cret"},
        {"alert_url": "http://localhost/\xe4/s3cret"},
        {"alert_command": "s3cret 'b"},
        {"alert_command": " "},
        {"alert_command": "'' s3cret"},
    ],
)
def test_a_hook_that_cannot_be_is_refused_at_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="SETTING_INVALID") as refused:
        hooks_of(Settings(**wrong))  # type: ignore[arg-type]
    assert next(iter(wrong)) in str(refused.value)
    assert "s3cret" not in f"{refused.value} {refused.value.hint}"


def test_without_hooks_nothing_listens(tmp_path: Path) -> None:
    async def story() -> None:
        async with a_hotel(f"sqlite:///{tmp_path / 'v.db'}") as hotel:
            before = list(hotel.house.db.trace.on_slow)
            async with alerting(hotel.house, perf_alerts.AlertRecord()):
                assert hotel.house.db.trace.on_slow == before

    asyncio.run(story())
    assert hooks_of(Settings()) == []


def test_a_slow_statement_is_told_with_its_parameters_masked() -> None:
    seen = _Seen()
    slow = SlowStatement(
        name="users.find",
        engine="sqlite",
        duration_ms=312.5,
        rows=1,
        failed=False,
        parameters="email=text(15)",
        request_id="r-9",
    )
    tell_slow(Alerts([seen]), slow)
    (alert,) = seen.wait_for(1)
    assert alert["sentence"] == "users.find took 312.5 ms."
    assert alert["details"]["parameters"] == "email=text(15)"
    assert NameStats().hits < ENOUGH_LOOKUPS
