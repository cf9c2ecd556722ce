"""A hook takes no longer than it may, leaves nothing behind, and tells no secrets."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer

import pytest

from vacancy.perf.alerts import HookFailed
from vacancy.perf.hooks import command_hook, url_hook

WAIT_S = 20.0
NEVER = Event()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@contextmanager
def a_server(answer: bytes, then_every_s: float | None) -> Iterator[tuple[str, list[bytes], Event]]:
    """Answers one connection so, then sends a byte again and again until the other side is gone,
    or nothing. Where it is, what it got, and whether the other side has left."""
    got: list[bytes] = []
    left = Event()

    def serve() -> None:
        try:
            one, _ = listening.accept()
        except OSError:
            return
        with one:
            one.settimeout(WAIT_S)
            # All of it: a connection closed over unread bytes is reset, and the answer lost.
            asked = b""
            while not asked.endswith(b"{}\n") and (more := one.recv(65_536)):
                asked += more
            got.append(asked)
            try:
                one.sendall(answer)
                while then_every_s is not None and not stopping.wait(then_every_s):
                    one.sendall(b"x")
            except OSError:
                left.set()

    stopping = Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", got, left
        finally:
            stopping.set()
            thread.join(WAIT_S)


# -- commands


@pytest.mark.parametrize("has_waitid", [True, False])
@pytest.mark.parametrize("status", [0, 3])
def test_what_a_command_has_started_ends_with_it(
    tmp_path: Path, status: int, has_waitid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_waitid:  # as on macOS
        monkeypatch.delattr(os, "waitid", raising=False)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        run = command_hook(["sh", "-c", f"exec 3>'{pipe}'; sleep 30 & exit {status}"])
        if status:
            with pytest.raises(HookFailed, match="the command sh ended with 3"):
                run(b"{}\n", NEVER)
        else:
            run(b"{}\n", NEVER)
        deadline = time.monotonic() + 5
        while not _at_end(reading):
            assert time.monotonic() < deadline, "somebody still holds the pipe open"
            time.sleep(0.01)
    finally:
        os.close(reading)


def _at_end(reading: int) -> bool:
    try:
        return os.read(reading, 1) == b""
    except BlockingIOError:
        return False


def test_a_command_gets_a_long_line_whole(tmp_path: Path) -> None:
    path = tmp_path / "got"
    line = b"x" * 1_000_000 + b"\n"
    code = (
        "import sys, time; time.sleep(0.1); open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    )
    command_hook([sys.executable, "-c", code, str(path)])(line, NEVER)
    assert path.read_bytes() == line


def test_a_command_may_do_without_the_line() -> None:
    command_hook(["true"])(b"x" * 1_000_000, NEVER)


def test_a_command_that_never_reads_has_its_time() -> None:
    with pytest.raises(HookFailed, match=r"the command sleep took over 0\.2 s"):
        command_hook(["sleep", "30"], wait_s=0.2)(b"x" * 1_000_000, NEVER)


def test_a_command_ends_when_the_server_does() -> None:
    ending = Event()
    ending.set()
    with pytest.raises(HookFailed, match="the server ends; the command sleep was stopped"):
        command_hook(["sleep", "30"])(b"{}\n", ending)


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(HookFailed, match="the command /no/such cannot be run: No such file"):
        command_hook(["/no/such", "s3cret"])(b"{}\n", NEVER)


# -- webhooks


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_a_webhook_has_one_deadline_for_all(answer: bytes) -> None:
    with a_server(answer, 0.02) as (url, got, left):
        before = time.monotonic()
        with pytest.raises(HookFailed, match=r"the webhook at 127\.0\.0\.1 took over 0\.4 s"):
            url_hook(url, wait_s=0.4)(b"{}\n", NEVER)
        assert time.monotonic() - before < 3
        assert left.wait(WAIT_S), "the connection is still there"
        assert got


def test_a_webhook_is_left_when_the_server_ends() -> None:
    ending = Event()
    with a_server(b"HTTP/1.1 200 OK\r\nX-Slow: ", 0.02) as (url, _, left):
        timer = Timer(0.2, ending.set)
        timer.start()
        before = time.monotonic()
        with pytest.raises(HookFailed, match="the server ends; the webhook at"):
            url_hook(url, wait_s=10)(b"{}\n", ending)
        timer.join()
        assert time.monotonic() - before < 3
        assert left.wait(WAIT_S)


def test_a_webhook_that_is_late_to_connect_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up, may_go_on = Event(), Event()
    plain = socket.create_connection

    def slow(*arguments: object, **named: object) -> socket.socket:
        looked_up.set()
        assert may_go_on.wait(WAIT_S)
        return plain(*arguments, **named)  # type: ignore[arg-type]

    with a_server(b"HTTP/1.1 204 No Content\r\n\r\n", None) as (url, got, _):
        monkeypatch.setattr(socket, "create_connection", slow)
        with pytest.raises(HookFailed, match="took over"):
            url_hook(url, wait_s=0.1)(b"{}\n", NEVER)
        assert looked_up.is_set()
        may_go_on.set()
        deadline = time.monotonic() + WAIT_S
        while not got:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert got == [b""]


def test_a_body_without_end_is_not_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with a_server(head, 0.02) as (url, _, left):
        url_hook(url, wait_s=WAIT_S)(b"{}\n", NEVER)
        assert left.wait(WAIT_S)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1/s3cret?k=s3cret", "was not reached: ConnectionRefusedError"),
        ("https://127.0.0.1:1/s3cret", "was not reached: ConnectionRefusedError"),
        ("http://127.0.0.1/a s3cret", "did not answer: InvalidURL"),
        ("http://u:s3cret@127.0.0.1/", "did not answer: InvalidURL"),
    ],
)
def test_a_webhook_that_fails_is_told_by_its_host_alone(url: str, why: str) -> None:
    with pytest.raises(HookFailed) as failed:
        url_hook(url)(b"{}\n", NEVER)
    assert str(failed.value) == f"the webhook at 127.0.0.1 {why}"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 403 s3cret\r\nContent-Length: 0\r\n\r\n", "answered 403"),
        (b"s3cret\r\n\r\n", "did not answer: BadStatusLine"),
        (b"", "did not answer: RemoteDisconnected"),
    ],
)
def test_what_a_webhook_says_stays_out_of_the_log(answer: bytes, why: str) -> None:
    with a_server(answer, None) as (url, _, _), pytest.raises(HookFailed) as failed:
        url_hook(url)(b"{}\n", NEVER)
    assert str(failed.value) == f"the webhook at 127.0.0.1 {why}"


def test_a_webhook_is_reached_through_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with a_server(b"HTTP/1.1 204 No Content\r\n\r\n", None) as (url, got, _):
        monkeypatch.setenv("http_proxy", url)
        url_hook("http://hooks.invalid/x", headers={"Authorization": "Basic x"})(b"{}\n", NEVER)
    assert got[0].startswith(b"POST http://hooks.invalid/x HTTP/1.1\r\n")
    assert b"authorization: basic x\r\n" in got[0].lower()
