"""Serves as `vacancy serve` does and counts nothing: the other side of `benchmarks.record`.

python -m benchmarks.server_without_record
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vacancy.config import load_settings
from vacancy.db.postgres import database as postgres
from vacancy.db.sqlite import database as sqlite
from vacancy.db.statement import AnyStatement, SetStatement
from vacancy.db.trace import Given, Trace
from vacancy.web import front
from vacancy.web.route_record import RouteRecord
from vacancy.web.serve import serve


class NoTrace(Trace):
    """Forgets everything at once."""

    def add(self, statement: AnyStatement, given: Given, rows: int, duration_ns: int) -> None:
        pass

    def add_together(
        self, changes: Sequence[tuple[SetStatement[Any], Given]], duration_ns: int
    ) -> None:
        pass


class _NoRequestId:
    def set(self, request_id: bytes) -> None:
        pass


def _forget(record: RouteRecord, status: int, statements: int, duration_ns: int) -> None:
    pass


if __name__ == "__main__":
    # There is no setting for it: nobody is to run without.
    for module in (sqlite, postgres):
        setattr(module, "Trace", NoTrace)  # noqa: B010  (they offer no such name)
    setattr(RouteRecord, "add", _forget)  # noqa: B010
    setattr(front, "REQUEST_ID", _NoRequestId())  # noqa: B010
    serve(load_settings())
