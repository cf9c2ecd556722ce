"""What a helper promises: how many statements it runs, and how many rows it fetches for what it
returns. Written above the helper, so that it is read with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from vacancy.db.statement import AnyStatement
from vacancy.errors import Internal

Helper = TypeVar("Helper", bound=Callable[..., Awaitable[Any]])


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """One helper's promise. `uses` are all statements that it may run when it answers; what it
    runs in order to refuse is the refusal's affair."""

    name: str
    helper: Callable[..., Awaitable[Any]]
    uses: tuple[AnyStatement, ...]
    statements: int
    """So many run for one answer, however much that holds."""
    rows: Callable[[Any], int]
    """The most rows that may be fetched for this answer."""
    rows_in_words: str
    """The same for people."""


def contract(
    *uses: AnyStatement, statements: int, rows: Callable[[Any], int], rows_in_words: str
) -> Callable[[Helper], Helper]:
    """Binds a promise to a helper. The helper itself stays as it is: a call costs nothing more."""

    def bind(helper: Helper) -> Helper:
        promise = Contract(
            name=getattr(helper, "__name__", "helper"),
            helper=helper,
            uses=uses,
            statements=statements,
            rows=rows,
            rows_in_words=rows_in_words,
        )
        setattr(helper, "contract", promise)  # noqa: B010 - functions declare no such attribute
        return helper

    return bind


def contract_of(helper: Callable[..., Awaitable[Any]]) -> Contract:
    """The helper's promise. Raises `Internal` CONTRACT_MISSING."""
    found = getattr(helper, "contract", None)
    if not isinstance(found, Contract):
        raise Internal("CONTRACT_MISSING", f"{helper.__qualname__} promises nothing.")
    return found
