"""Tells the operator's own program what should not be: a command, a webhook, or both.

Whoever has something to tell never waits. One thread delivers, one alert after the other; when too
many wait, the newest is dropped and counted.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPMessage
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import IO, Any, Literal, Protocol

import msgspec

Kind = Literal["SLOW_STATEMENT", "HIT_RATE_LOW", "N_PLUS_ONE", "STATEMENT_BUDGET_EXCEEDED"]

QUIET_S = 600.0
"""Of one kind about one subject there is no more than one alert in this time."""
QUEUED = 100
_SUBJECTS = 1_000
HOOK_S = 10.0
"""How long a command or a webhook may take."""
CLOSE_S = 2.0
"""How long the end may wait for what is still to be delivered."""
_LOOK_EVERY_S = 0.05

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that should not be: the line that a hook gets."""

    kind: Kind
    subject: str
    """The statement, the route, or `cache`."""
    sentence: str
    at: datetime
    pid: int
    request_id: str | None = None
    suppressed: int
    """So many more about the same were not sent since the last one."""
    details: dict[str, Any]


class AlertRecord(msgspec.Struct, kw_only=True):
    """What has become of alerts since the process began."""

    delivered: int = 0
    """To all hooks."""
    failed: int = 0
    """Some hook was not there, answered badly or took too long."""
    suppressed: int = 0
    dropped: int = 0
    """The queue was full, or no time at the end."""


class Hook(Protocol):
    """Delivers one alert, encoded. It gives up when `ending` is set. What it raises is logged."""

    def __call__(self, line: bytes, ending: Event) -> None: ...


class Alerts:
    """The alerts of one process. Any thread may tell."""

    def __init__(
        self,
        hooks: Sequence[Hook],
        record: AlertRecord | None = None,
        *,
        mask: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`mask` takes secrets out of a text; `clock` counts the seconds of quiet."""
        self.record = record or AlertRecord()
        self._hooks = hooks
        self._mask = mask
        self._clock = clock
        self._now = now
        self._queue: Queue[Alert | None] = Queue(QUEUED)
        self._quiet: dict[tuple[str, str], tuple[float, int]] = {}
        self._lock = Lock()  # guards the record and who is quiet; nothing waits inside
        self._ending = Event()
        self._thread: Thread | None = None

    def tell(
        self,
        kind: Kind,
        subject: str,
        sentence: str,
        *,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Takes on an alert, unless there was one about the same just now. Returns at once."""
        with self._lock:
            suppressed = self._suppressed(kind, subject)
            if suppressed is None:
                return
            alert = Alert(
                kind=kind,
                subject=self._mask(subject),
                sentence=self._mask(sentence),
                at=self._now(),
                pid=os.getpid(),
                request_id=request_id,
                suppressed=suppressed,
                details={name: self._masked(value) for name, value in (details or {}).items()},
            )
            try:
                self._queue.put_nowait(alert)
            except Full:
                self.record.dropped += 1
                return
            if self._thread is None:
                self._thread = Thread(target=self._deliver_all, name="alerts", daemon=True)
                self._thread.start()

    def _suppressed(self, kind: str, subject: str) -> int | None:
        """How many were kept back since the last one about this; None where this is one more."""
        now, key = self._clock(), (kind, subject)
        until, suppressed = self._quiet.get(key, (now, 0))
        if now < until:
            self._quiet[key] = (until, suppressed + 1)
            self.record.suppressed += 1
            return None
        if key not in self._quiet and len(self._quiet) >= _SUBJECTS:
            del self._quiet[min(self._quiet, key=lambda known: self._quiet[known][0])]
        self._quiet[key] = (now + QUIET_S, 0)
        return suppressed

    def _masked(self, value: object) -> object:
        return self._mask(value) if isinstance(value, str) else value

    def close(self, wait_s: float = CLOSE_S) -> None:
        """Delivers what waits, for so long at most; what is left is dropped and counted."""
        thread = self._thread
        if thread is None:
            return
        deadline = time.monotonic() + wait_s
        try:
            self._queue.put(None, timeout=wait_s / 2)
        except Full:
            self._ending.set()
        # Some of the time is for the program that is ended.
        thread.join(max(0.0, deadline - time.monotonic() - wait_s / 4))
        self._ending.set()
        thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            left = 0
            while True:
                try:
                    left += self._queue.get_nowait() is not None
                except Empty:
                    break
            self.record.dropped += left
        if left:
            _log.warning("%d alerts were not delivered before the end", left)

    def _deliver_all(self) -> None:
        while not self._ending.is_set():
            alert = self._queue.get()
            if alert is None:
                return
            self._deliver(alert)

    def _deliver(self, alert: Alert) -> None:
        line = _encode(alert) + b"\n"
        failed = False
        for hook in self._hooks:
            try:
                hook(line, self._ending)
            except Exception as error:  # noqa: BLE001 - one that fails does not stop the others
                failed = True
                _log.warning("an alert (%s) was not delivered: %s", alert.kind, error)
        with self._lock:
            if failed:
                self.record.failed += 1
            else:
                self.record.delivered += 1


# -- hooks


class HookFailed(Exception):
    """A hook that was there and did not do its work."""


def command_hook(arguments: Sequence[str], *, wait_s: float = HOOK_S) -> Hook:
    """Runs a program with the alert on its stdin, without a shell. What it prints goes nowhere."""

    def run(line: bytes, ending: Event) -> None:
        with subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what it has started ends with it
        ) as process:
            try:
                _wait(process, line, ending, time.monotonic() + wait_s)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode:
            raise HookFailed(f"the command {arguments[0]} ended with {process.returncode}")

    def _wait(
        process: subprocess.Popen[bytes], line: bytes, ending: Event, deadline: float
    ) -> None:
        given: bytes | None = line
        while True:
            try:
                process.communicate(given, timeout=_LOOK_EVERY_S)
                return
            except subprocess.TimeoutExpired:
                given = None
            if ending.is_set():
                raise HookFailed(f"the server ends; the command {arguments[0]} was stopped")
            if time.monotonic() > deadline:
                raise HookFailed(f"the command {arguments[0]} took over {wait_s:g} s")

    return run


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Another address is not the one that the operator has named."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def url_hook(url: str, *, wait_s: float = HOOK_S) -> Hook:
    """Posts the alert as JSON; anything but a 2xx is a failure. Redirects are not followed."""
    opener = urllib.request.build_opener(_NoRedirects)

    def post(line: bytes, ending: Event) -> None:
        request = urllib.request.Request(  # noqa: S310 - the settings let http and https through
            url, data=line, headers={"Content-Type": "application/json"}, method="POST"
        )
        with opener.open(request, timeout=wait_s) as answer:
            answer.read(1)

    return post
