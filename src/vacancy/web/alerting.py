"""Who is told what: the settings as hooks, and the places that have something to tell."""

from __future__ import annotations

import asyncio
import shlex
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote_to_bytes, urlsplit

from vacancy.bootstrap import House
from vacancy.cache.query_cache import QueryCache
from vacancy.config import Settings
from vacancy.contracts.guard import LISTENERS, Exceeded
from vacancy.db.gate import request_id_now
from vacancy.db.trace import SlowStatement
from vacancy.errors import Misconfigured
from vacancy.perf.alerts import AlertRecord, Alerts, Hook
from vacancy.perf.hooks import command_hook, url_hook
from vacancy.web.logs import masked

LOOK_EVERY_S = 60.0
ENOUGH_LOOKUPS = 1_000
"""With fewer in a minute, the hit rate says nothing."""


def hooks_of(settings: Settings) -> list[Hook]:
    """The hooks that are set. Raises `Misconfigured` SETTING_INVALID."""
    hooks: list[Hook] = []
    if settings.alert_command:
        hooks.append(_command(settings.alert_command))
    if settings.alert_url:
        hooks.append(_webhook(settings.alert_url))
    return hooks


def _command(command: str) -> Hook:
    # What is wrong is told without the text: a command may hold a key.
    try:
        arguments = shlex.split(command)
        wrong = "" if arguments and arguments[0] else "it names no program"
    except ValueError as error:
        arguments, wrong = [], str(error)
    if wrong:
        raise Misconfigured(
            "SETTING_INVALID",
            f"alert_command cannot be read: {wrong}.",
            hint="Write a program and its arguments as in a shell; none runs it.",
        )
    return command_hook(arguments)


def _webhook(url: str) -> Hook:
    """A user and a password before the host become a header: as a part of the address, they would
    be looked up as one of the host."""
    # First the characters, for urlsplit takes some of them out. No address is sent with these.
    if not url.isascii() or not url.isprintable() or " " in url:
        raise _no_address(
            "alert_url contains a blank, a control character or a letter that is not ASCII.",
            "Percent-encode it, such as %20 for a blank; in a host, use its xn-- form.",
        )
    try:
        parts = urlsplit(url)
        numbered = parts.port != 0
    except ValueError:
        # Its text would quote what stands behind the last colon: it may be of the password.
        numbered = False
    if not numbered:
        raise _no_address(
            "The host or the port of alert_url cannot be read.",
            "A port is a number from 1 to 65535. In a user or a password, write / as %2F,"
            " ? as %3F, # as %23 and @ as %40.",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _no_address(
            "alert_url is no address of the web.", "Give one that begins with http:// or https://."
        )
    userinfo, _, host = parts.netloc.rpartition("@")
    headers = {}
    if userinfo:
        user, _, password = userinfo.partition(":")
        pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
    return url_hook(parts._replace(netloc=host).geturl(), headers=headers)


def _no_address(sentence: str, hint: str) -> Misconfigured:
    return Misconfigured("SETTING_INVALID", sentence, hint=hint)


@asynccontextmanager
async def alerting(house: House, record: AlertRecord) -> AsyncIterator[None]:
    """While this is open, the hooks are told of slow statements, of N+1, of a budget that was
    exceeded and of a low hit rate. Without hooks nothing listens."""
    hooks = hooks_of(house.settings)
    if not hooks:
        yield
        return
    alerts = Alerts(hooks, record, mask=masked)

    def on_slow(slow: SlowStatement) -> None:
        tell_slow(alerts, slow)

    def on_exceeded(exceeded: Exceeded) -> None:
        tell_exceeded(alerts, exceeded)

    house.db.trace.on_slow.append(on_slow)
    LISTENERS.append(on_exceeded)
    watching = asyncio.create_task(_watch(house.cache, house.settings.alert_hit_rate, alerts))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        LISTENERS.remove(on_exceeded)
        house.db.trace.on_slow.remove(on_slow)
        await asyncio.to_thread(alerts.close)


def tell_slow(alerts: Alerts, slow: SlowStatement) -> None:
    """A statement that took longer than `slow_ms`."""
    how = "failed after" if slow.failed else "took"
    alerts.tell(
        "SLOW_STATEMENT",
        slow.name,
        f"{slow.name} {how} {slow.duration_ms:g} ms.",
        request_id=slow.request_id,
        details={
            "duration_ms": slow.duration_ms,
            "rows": slow.rows,
            "engine": slow.engine,
            "parameters": slow.parameters,
        },
    )


def tell_exceeded(alerts: Alerts, exceeded: Exceeded) -> None:
    """A request that has run one statement again and again, or too many."""
    request_id = request_id_now()
    alerts.tell(
        "N_PLUS_ONE" if exceeded.code == "STATEMENT_REPEATED" else "STATEMENT_BUDGET_EXCEEDED",
        exceeded.name,
        exceeded.sentence,
        request_id=None if request_id is None else request_id.decode("ascii", "replace"),
        details={
            "statement": exceeded.statement,
            "times": exceeded.times,
            "statements": exceeded.total,
            "budget": exceeded.budget,
            "place": exceeded.place,
        },
    )


class HitRate:
    """Judges the cache by what was asked since the last look."""

    def __init__(self, least: float, alerts: Alerts) -> None:
        self._least = least
        self._alerts = alerts
        self._hits = self._misses = 0

    def look(self, hits: int, misses: int) -> None:
        """Takes the counts since the start."""
        new_hits, lookups = hits - self._hits, hits + misses - self._hits - self._misses
        self._hits, self._misses = hits, misses
        if lookups < ENOUGH_LOOKUPS or new_hits >= self._least * lookups:
            return
        rate = new_hits / lookups
        self._alerts.tell(
            "HIT_RATE_LOW",
            "cache",
            f"{new_hits:,} of {lookups:,} lookups of the last minute were hits"
            f" ({100 * rate:.1f} %); the target is {100 * self._least:.1f} %."
            " `vacancy perf cache-stats` says why.",
            details={"hits": new_hits, "lookups": lookups, "hit_rate": round(rate, 4)},
        )


async def _watch(cache: QueryCache | None, least: float, alerts: Alerts) -> None:
    if cache is None or not least:
        return
    rate = HitRate(least, alerts)
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        rate.look(cache.counting.total("hits"), cache.counting.total("misses"))
