"""Serves as `vacancy serve` does, and counts nothing every other tenth of a second: both sides of
`benchmarks.record` under one load in one process, for two equal ones differ by more than what is
looked for. Each slice of time is a line of a file: who, answers, nanoseconds, those of the CPU.

python -m benchmarks.server_that_forgets FILE
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns, process_time_ns, sleep
from typing import Any

from vacancy.config import load_settings
from vacancy.db.sqlite import database as sqlite
from vacancy.db.statement import AnyStatement, SetStatement
from vacancy.db.trace import Given, Trace
from vacancy.web.front import Front
from vacancy.web.route_record import RouteNotes
from vacancy.web.serve import serve

SLICE_S = 0.1
COUNTS, FORGETS = "counts", "forgets"
_requests = itertools.count()
_answer = Front.__call__


def _forget(trace: Trace, statement: AnyStatement, given: Given, rows: int, ns: int) -> None:
    pass


def _forget_together(
    trace: Trace, changes: Sequence[tuple[SetStatement[Any], Given]], duration_ns: int
) -> None:
    pass


def _forget_request(notes: RouteNotes, status: int, statements: int, duration_ns: int) -> None:
    pass


_WAYS = {
    COUNTS: (Trace.add, Trace.add_together, RouteNotes.add),
    FORGETS: (_forget, _forget_together, _forget_request),
}


def _take_turns(file: Path) -> None:
    """There is no setting for it: nobody is to run without. The order turns round, so that a load
    that grows weighs on both."""
    with file.open("w", buffering=1) as lines:
        for way in itertools.cycle((COUNTS, FORGETS, FORGETS, COUNTS)):
            one, together, request = _WAYS[way]
            setattr(Trace, "add", one)  # noqa: B010  (types would have it stay as it is)
            setattr(Trace, "add_together", together)  # noqa: B010
            setattr(RouteNotes, "add", request)  # noqa: B010
            began = (next(_requests), perf_counter_ns(), process_time_ns())
            sleep(SLICE_S)
            ended = (next(_requests), perf_counter_ns(), process_time_ns())
            answers, wall_ns, cpu_ns = (b - a for a, b in zip(began, ended, strict=True))
            lines.write(f"{way} {answers - 1} {wall_ns} {cpu_ns}\n")


async def _counted(front: Front, scope: Any, receive: Any, send: Any) -> None:
    next(_requests)
    await _answer(front, scope, receive, send)


class _Watched(Trace):
    """The worker's own: with it the turns begin."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        threading.Thread(target=_take_turns, args=(Path(sys.argv[1]),), daemon=True).start()


if __name__ == "__main__":
    setattr(sqlite, "Trace", _Watched)  # noqa: B010  (it offers no such name)
    setattr(Front, "__call__", _counted)  # noqa: B010
    serve(load_settings())
