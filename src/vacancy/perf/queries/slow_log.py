"""One line in the log for each statement that took too long, as it happens."""

from __future__ import annotations

import logging

from vacancy.db.trace import NEVER_NS, SlowStatement, Trace

_log = logging.getLogger("vacancy.slow")


def watch_slow(trace: Trace, slow_ms: float) -> None:
    """From now on what takes longer is logged, and told to whoever else stands in
    `trace.on_slow`. 0 switches both off."""
    trace.slow_ns = round(slow_ms * 1_000_000) or NEVER_NS
    if log_slow not in trace.on_slow:
        trace.on_slow.append(log_slow)


def log_slow(slow: SlowStatement) -> None:
    """Writes the line. No value is in it: parameters were masked where they were given."""
    _log.warning(
        "%s %s %.1f ms on %s",
        slow.name,
        "failed after" if slow.failed else "took",
        slow.duration_ms,
        slow.engine,
        extra={
            "statement": slow.name,
            "duration_ms": slow.duration_ms,
            "rows": slow.rows,
            "parameters": slow.parameters,
            "request_id": slow.request_id,
        },
    )
