"""Counts the statements of one request while it runs, and speaks up when they are too many."""

from __future__ import annotations

import logging
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable
from pathlib import PurePath
from typing import Literal, Self

import msgspec

from vacancy.db.gate import COUNT
from vacancy.db.statement import AnyStatement
from vacancy.errors import Internal

Mode = Literal["raise", "log"]

REPEATS = 3
"""One statement run so often within one request is a loop."""
_FRAMES = 4
"""So many places are told: from the statement outwards."""
_OURS = "vacancy"
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")
_ENGINE_PARTS = frozenset({"db", "contracts"})
_log = logging.getLogger("vacancy.contracts")


class Exceeded(msgspec.Struct, frozen=True, kw_only=True):
    """A request that has run too much, for whoever listens."""

    code: Literal["STATEMENT_REPEATED", "STATEMENT_BUDGET_EXCEEDED"]
    name: str
    """Of the route, or of what else is watched."""
    statement: str
    times: int
    """So often it has run by now."""
    total: int
    """Statements of the request by now."""
    budget: int
    place: str
    sentence: str


LOOPS: dict[str, int] = {}
"""The most runs within one request of each statement that ran too often, in this process."""
LISTENERS: list[Callable[[Exceeded], None]] = []
"""Told once for each request, before it is logged or raised. They must be quick and raise
nothing."""


class watched:  # noqa: N801 - used as a word of the language: `with watched(…) as tally:`
    """Counts the statements that run inside, also in tasks that are begun there. One small object,
    because it stands around every request."""

    __slots__ = ("_before", "_budget", "_mode", "_name", "_told", "ran", "request_id")

    def __init__(self, name: str, budget: int, mode: Mode, request_id: bytes | None = None) -> None:
        self._name = name
        self._budget = budget
        self._mode = mode
        self._told = False
        self.request_id = request_id
        self.ran: list[str] = []
        """The names of what ran, in order. No counter: most requests run one or two."""

    def __enter__(self) -> Self:
        self._before = COUNT.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        COUNT.reset(self._before)

    def __call__(self, statement: AnyStatement) -> None:
        """Counts one. Raises `Internal` STATEMENT_REPEATED or STATEMENT_BUDGET_EXCEEDED, or logs
        the same once for each request."""
        name, ran = statement.name, self.ran
        ran.append(name)
        total = len(ran)
        if total > self._budget or (total >= REPEATS and ran.count(name) >= REPEATS):
            self._exceed(name, ran.count(name))

    @property
    def counts(self) -> dict[str, int]:
        """Runs by name."""
        return dict(Counter(self.ran))

    @property
    def total(self) -> int:
        return len(self.ran)

    def _exceed(self, name: str, times: int) -> None:
        if times >= REPEATS and times > LOOPS.get(name, 0):
            LOOPS[name] = times
        if self._told:
            return
        place = call_site()
        code: Literal["STATEMENT_REPEATED", "STATEMENT_BUDGET_EXCEEDED"]
        if times >= REPEATS:
            code = "STATEMENT_REPEATED"
            sentence = f"N+1: {self._name} runs {name} again, {times} times by now, at {place}."
        elif times > 1:
            code = "STATEMENT_REPEATED"
            sentence = (
                f"N+1: {self._name} runs {name} again at {place}, and with it"
                f" {self.total} statements of {self._budget}."
            )
        else:
            code = "STATEMENT_BUDGET_EXCEEDED"
            sentence = (
                f"{self._name} runs its statement number {self.total}, {name}, at {place};"
                f" its budget is {self._budget}."
            )
        exceeded = Exceeded(
            code=code,
            name=self._name,
            statement=name,
            times=times,
            total=self.total,
            budget=self._budget,
            place=place,
            sentence=sentence,
        )
        for listener in tuple(LISTENERS):
            listener(exceeded)
        if self._mode == "raise":
            raise Internal(code, sentence, hint="Ask for all rows at once, in one helper.")
        self._told = True
        _log.warning(sentence, extra={"code": code, "statement": name, "place": place})


def call_site() -> str:
    """Where a statement was asked for: `queries/orders.py:42 in get_…, api/orders.py:80 in …`,
    from the inside out, without the engines' own files."""
    places: list[str] = []
    frame = sys._getframe(1)
    while len(places) < _FRAMES:
        parts = str(frame.f_globals.get("__name__", "")).split(".")
        engine = parts[0] == _OURS and len(parts) > 1 and parts[1] in _ENGINE_PARTS
        path = PurePath(frame.f_code.co_filename)
        if not engine and not _is_library(path):
            file = "/".join(path.parts[-2:])
            places.append(f"{file}:{frame.f_lineno} in {frame.f_code.co_name}")
        following = frame.f_back
        if following is None:
            break
        frame = following
    return ", ".join(places) or "an unknown place"


def _is_library(path: PurePath) -> bool:
    """Python's own files, and those of packages beside ours."""
    if path.is_relative_to(_STANDARD_LIBRARY):
        return "site-packages" not in path.parts or _OURS not in path.parts
    return "site-packages" in path.parts and _OURS not in path.parts
