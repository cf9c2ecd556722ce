"""Serves as `vacancy serve` does, and counts nothing as long as a file is there: both sides of
`benchmarks.record` in one process, for two equal ones differ by more than what is looked for.

python -m benchmarks.server_that_forgets FILE
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from time import sleep
from typing import Any

from vacancy.config import load_settings
from vacancy.db.sqlite import database as sqlite
from vacancy.db.statement import AnyStatement, SetStatement
from vacancy.db.trace import Given, Trace
from vacancy.web.route_record import RouteNotes
from vacancy.web.serve import serve

LOOK_S = 0.05
"""After so long at most the server does as the file says."""


def _forget(trace: Trace, statement: AnyStatement, given: Given, rows: int, ns: int) -> None:
    pass


def _forget_together(
    trace: Trace, changes: Sequence[tuple[SetStatement[Any], Given]], duration_ns: int
) -> None:
    pass


def _forget_request(notes: RouteNotes, status: int, statements: int, duration_ns: int) -> None:
    pass


_COUNTING = (Trace.add, Trace.add_together, RouteNotes.add)
_FORGETTING = (_forget, _forget_together, _forget_request)


def _watch(file: Path) -> None:
    """There is no setting for it: nobody is to run without."""
    forgets = False
    while True:
        if file.exists() != forgets:
            forgets = not forgets
            one, together, request = _FORGETTING if forgets else _COUNTING
            for owner, name, what in (
                (Trace, "add", one),
                (Trace, "add_together", together),
                (RouteNotes, "add", request),
            ):
                setattr(owner, name, what)
        sleep(LOOK_S)


class _Watched(Trace):
    """The worker's own: from when it is made the file is looked for."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        threading.Thread(target=_watch, args=(Path(sys.argv[1]),), daemon=True).start()


if __name__ == "__main__":
    setattr(sqlite, "Trace", _Watched)  # noqa: B010  (it offers no such name)
    serve(load_settings())
