"""What a caller may say about all that is asked inside: that nothing is to come from the cache, or
that one look at the source is enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

BYPASS: ContextVar[bool] = ContextVar("bypass", default=False)


class Scope:
    """Where one look is enough, and the caches that have had it: see `one_look`."""

    __slots__ = ("is_over", "looked")

    def __init__(self) -> None:
        self.looked: set[object] = set()
        self.is_over = False
        """What was begun inside may go on when the scope has ended, and must look itself then."""


SCOPE: ContextVar[Scope | None] = ContextVar("scope", default=None)


@contextmanager
def bypassed() -> Iterator[None]:
    """Inside, everything is asked of the source, and nothing of it is stored."""
    token = BYPASS.set(True)
    try:
        yield
    finally:
        BYPASS.reset(token)


@contextmanager
def one_look() -> Iterator[None]:
    """Inside, one look is enough for all exact reads: they are as fresh as the first of them. For a
    request, which wants one answer from one moment."""
    scope = Scope()
    token = SCOPE.set(scope)
    try:
        yield
    finally:
        scope.is_over = True
        SCOPE.reset(token)
