"""What a command may ask a running worker. Every question stands here, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from vacancy.bootstrap import House
from vacancy.cache.report import CacheRecord, record_of

Question: TypeAlias = Callable[[House], Awaitable[object]]
"""Answers from what the worker knows, with a value that can be written as JSON."""


async def cache_stats(house: House) -> CacheRecord:
    return record_of(house.cache)


QUESTIONS: Mapping[str, Question] = {
    "cache-stats": cache_stats,
}
