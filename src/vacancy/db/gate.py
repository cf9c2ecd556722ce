"""The one place that every statement passes before it runs: only registered ones do, and whoever
has opened a tally counts them.

The world is closed: what is not registered has no contract, and so nobody knows what it costs.
`Database.adhoc` is the one door beside this one, read-only; migrations have their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar

from vacancy.db.statement import AnyStatement
from vacancy.errors import Internal

_registered: dict[str, AnyStatement] = {}
COUNT: ContextVar[Callable[[AnyStatement], None] | None] = ContextVar("count", default=None)
"""Called with each statement before it runs, in the context of whoever set it; it may raise."""
IN_UNIT: ContextVar[bool] = ContextVar("in_unit", default=False)
"""Whether this is inside a unit of work, which must see its own changes: no cache answers there."""


def register(statements: Iterable[AnyStatement]) -> None:
    """Lets statements run from now on. Registering the same one again changes nothing.

    Raises `Internal` STATEMENT_TWICE when two bear one name: traces and contracts hang on it.
    """
    for statement in statements:
        known = _registered.setdefault(statement.name, statement)
        if known is not statement:
            raise Internal("STATEMENT_TWICE", f"Two statements are called {statement.name!r}.")
        statement.registered = True


def registered_statements() -> list[AnyStatement]:
    """All that may run, by name."""
    return [statement for _, statement in sorted(_registered.items())]


class Counted:
    """Stands for work that is counted elsewhere, and knows whose it is."""

    __slots__ = ("request_id",)

    def __init__(self, request_id: bytes | None) -> None:
        self.request_id = request_id

    def __call__(self, statement: AnyStatement) -> None:
        pass


def request_id_now() -> bytes | None:
    """The id of the request that runs here; None where none does. Whoever counts its statements
    carries it: a variable of its own would cost each request another one."""
    return getattr(COUNT.get(), "request_id", None)


def admit(statement: AnyStatement) -> None:
    """Raises `Internal` STATEMENT_UNREGISTERED, and what the count raises."""
    if not statement.registered:
        raise Internal(
            "STATEMENT_UNREGISTERED",
            f"The statement {statement.name!r} is not registered and was not run.",
            hint="Put it where the wiring finds it, and declare its access.",
        )
    count = COUNT.get()
    if count is not None:
        count(statement)
