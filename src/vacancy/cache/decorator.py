"""A decorator that caches what a coroutine function answers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

from vacancy.cache.query_cache import EXACT_S, QueryCache

P = ParamSpec("P")
T = TypeVar("T")


def cached(
    cache: QueryCache,
    *,
    ttl_s: float,
    tags: Iterable[str] | Callable[..., Iterable[str]] = (),
    bound_s: float = EXACT_S,
    name: str = "",
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Answers calls with the same arguments from the cache: see `QueryCache.with_cache`.

    The key is the function and its arguments, which must have a hash; it is the same however they
    are passed. `tags` are texts, or a function of the same arguments that gives them. `name` is
    what statistics call it: the function's own name unless said.
    """

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        bind = inspect.signature(function).bind
        called = name or function.__qualname__
        fixed_tags = () if callable(tags) else tuple(tags)

        @wraps(function)
        async def answer(*args: P.args, **kwargs: P.kwargs) -> T:
            bound = bind(*args, **kwargs)
            bound.apply_defaults()
            return await cache.with_cache(
                (function, bound.args, *sorted(bound.kwargs.items())),
                lambda: function(*args, **kwargs),
                ttl_s,
                tags=tags(*args, **kwargs) if callable(tags) else fixed_tags,
                bound_s=bound_s,
                name=called,
            )

        return answer

    return decorate
