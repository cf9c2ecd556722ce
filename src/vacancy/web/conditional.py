"""Answers that carry an ETag and are not sent twice: a client that shows the tag of what it has is
told that it is still so. What everybody may see is kept as encoded bytes, as long as it is true.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from time import perf_counter_ns

import msgspec

from vacancy.cache.query_cache import Miss, QueryCache
from vacancy.cache.reader import TIMED, USED, Used
from vacancy.cache.scopes import one_look
from vacancy.cache.store import Entry
from vacancy.web.call import Answer, Call, Header

Respond = Callable[[Call], Awaitable[Answer]]

_HEADERS_BYTES = 1_000
_CLOSE = timedelta(seconds=10)
_asked = itertools.count(1)
QUARTER_S = 900
"""Some answers say what is past. Every zone's midnight falls on a quarter of an hour of UTC."""


class Tagged(msgspec.Struct, frozen=True):
    """An encoded answer and its tag."""

    body: bytes
    etag: bytes
    headers: tuple[Header, ...]

    def answer(self, call: Call) -> Answer:
        """All of it, or 304 to who has it already."""
        for name, known in call.scope["headers"]:
            if name == b"if-none-match" and _names(known, self.etag):
                return Answer(304, b"", [header for header in self.headers if header[0] in _OF_304])
        return Answer(200, self.body, self.headers)


_OF_304 = (b"etag", b"cache-control", b"vary")
_PUBLIC: tuple[Header, ...] = ((b"cache-control", b"public, no-cache"),)
# The tag is of one caller's answer: another's key must not be answered with it on the way.
_PRIVATE: tuple[Header, ...] = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"authorization"),
)


class _Quarters:
    """Which quarter of an hour it is, by number. Told from the last answer as long as it lasts."""

    def __init__(self) -> None:
        self._number = 0
        self._from = self._until = datetime.max.replace(tzinfo=UTC)

    def of(self, now: datetime) -> int:
        if not self._from <= now < self._until:
            self._number = int(now.timestamp()) // QUARTER_S
            self._from = datetime.fromtimestamp(self._number * QUARTER_S, UTC)
            self._until = self._from + timedelta(seconds=QUARTER_S)
        return self._number

    def is_ending(self, now: datetime) -> bool:
        """Whether the next one may begin before a query is answered."""
        return now + _CLOSE >= self._until


def for_one(respond: Respond) -> Respond:
    """What a caller with a key gets. Made anew each time, from one look at the database."""

    async def respond_to_one(call: Call) -> Answer:
        with one_look():
            made = await respond(call)
        return _tagged(made, _PRIVATE).answer(call)

    return respond_to_one


def for_all(respond: Respond, name: str, bound_ms: int) -> Respond:
    """What everybody gets, kept as bytes where there is a cache. It depends on what it was made of;
    made of anything that is not in the cache, it is not kept."""
    quarters = _Quarters()

    async def respond_to_all(call: Call) -> Answer:
        cache = call.house.cache
        if cache is None:
            return _tagged(await respond(call), _PUBLIC).answer(call)
        asked = next(_asked)
        timed_from_ns = 0 if asked % TIMED else perf_counter_ns()
        scope = call.scope
        quarter = quarters.of(call.house.reads.clock())
        key = (name, scope["path"], scope["query_string"], quarter)
        found = (
            cache.find_now(key, name)
            if cache.instant
            else await cache.find(key, bound_ms / 1000, name)
        )
        if isinstance(found, Miss):
            found = await fill(cache, found, key, name, call)
        else:
            if timed_from_ns:
                cache.counting.time_hit(name, perf_counter_ns() - timed_from_ns)
            # Not when the day may end before the other answer is there.
            if cache.shadows.is_due() and not quarters.is_ending(call.house.reads.clock()):
                cache.shadows.compare(found, lambda: make(call))
        kept: Tagged = found.value
        return kept.answer(call)

    async def make(call: Call) -> Tagged:
        return _tagged(await respond(call), _PUBLIC)

    async def fill(cache: QueryCache, miss: Miss, key: object, name: str, call: Call) -> Entry:
        used = Used()

        async def query() -> Tagged:
            token = USED.set(used)
            try:
                return await make(call)
            finally:
                USED.reset(token)

        return await cache.fill(
            miss,
            key,
            query,
            lambda _: used.expires_at - cache.clock(),
            tags=lambda _: used.tags(),
            name=name,
            value_bytes=lambda kept: len(kept.body) + _HEADERS_BYTES,
        )

    return respond_to_all


def _tagged(answer: Answer, caching: tuple[Header, ...]) -> Tagged:
    etag = b'"%s"' % blake2b(answer.body, digest_size=12).hexdigest().encode()
    kept = [header for header in answer.headers if header[0] != b"cache-control"]
    return Tagged(answer.body, etag, (*kept, *caching, (b"etag", etag)))


def _names(known: bytes, etag: bytes) -> bool:
    """Whether If-None-Match names the tag. It compares weakly (RFC 9110, 13.1.2)."""
    if known.strip() == b"*":
        return True
    return any(one.strip().removeprefix(b"W/") == etag for one in known.split(b","))
