"""Tells the operator's own program what should not be: by a command, a webhook, or both.

Whoever has something to tell never waits. One thread delivers, one alert after the other; when too
many wait, the newest is dropped and counted.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import Any, Literal, Protocol

import msgspec

Kind = Literal["SLOW_STATEMENT", "HIT_RATE_LOW", "N_PLUS_ONE", "STATEMENT_BUDGET_EXCEEDED"]

QUIET_S = 600.0
"""Of one kind about one subject there is no more than one alert in this time."""
QUIET_AFTER_FAILURE_S = 30.0
"""The same, where no hook took the last one: nobody has heard of it."""
QUEUED = 100
_SUBJECTS = 1_000
CLOSE_S = 2.0
"""How long the end may wait for what is still to be delivered."""

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


class HookFailed(Exception):
    """A hook did not do its work. The text is for the log and holds no secrets."""


class Hook(Protocol):
    """Delivers one alert, encoded. It gives up when `ending` is set. Of what it raises the log gets
    the text of a `HookFailed`, and of all else the type alone."""

    def __call__(self, line: bytes, ending: Event) -> None: ...


_Key = tuple[str, str]
"""The kind and the subject, as told: a mask might make two of them one."""


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
        self._queue: Queue[tuple[_Key, Alert] | None] = Queue(QUEUED)
        self._quiet: dict[_Key, tuple[float, int]] = {}
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
            now, key = self._clock(), (kind, subject)
            until, suppressed = self._quiet.get(key, (now, 0))
            if now < until:
                self._quiet[key] = (until, suppressed + 1)
                self.record.suppressed += 1
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
                self._queue.put_nowait((key, alert))
            except Full:
                # Nobody is told, so nobody is quiet: the next one may find a place.
                self.record.dropped += 1
                return
            if key not in self._quiet and len(self._quiet) >= _SUBJECTS:
                del self._quiet[min(self._quiet, key=lambda known: self._quiet[known][0])]
            self._quiet[key] = (now + QUIET_S, 0)
            if self._thread is None:
                self._thread = Thread(target=self._deliver_all, name="alerts", daemon=True)
                self._thread.start()

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
            waiting = self._queue.get()
            if waiting is None:
                return
            self._deliver(*waiting)

    def _deliver(self, key: _Key, alert: Alert) -> None:
        line = _encode(alert) + b"\n"
        failed = 0
        for hook in self._hooks:
            try:
                hook(line, self._ending)
            except Exception as error:  # noqa: BLE001 - one that fails does not stop the others
                failed += 1
                why = str(error) if isinstance(error, HookFailed) else type(error).__name__
                _log.warning("an alert (%s) was not delivered: %s", alert.kind, why)
        with self._lock:
            if not failed:
                self.record.delivered += 1
                return
            self.record.failed += 1
            # Where one hook took it, it was heard: the one that is broken does not make it a nag.
            if failed == len(self._hooks) and key in self._quiet:
                until, suppressed = self._quiet[key]
                soon = self._clock() + QUIET_AFTER_FAILURE_S
                self._quiet[key] = (min(until, soon), suppressed + alert.suppressed)
