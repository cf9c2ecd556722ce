"""From where on something is worth a sentence, and from where on it has to be mended."""

from __future__ import annotations

import msgspec

_MIB = 1 << 20
_GIB = 1 << 30


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """What is noted is worth knowing; what fails has to be mended."""

    many_rows: int = 10_000
    """A table with fewer is read whole in a moment: its statistics do not matter."""
    changed_share: float = 0.2
    """Statistics are stale when more of the rows than this changed since."""
    rows_misjudged: float = 2.0
    """SQLite: statistics are stale when they are out by more than this factor."""
    unused_bytes: int = _MIB
    """An index that nobody has read is noted from this size on."""
    unused_s: float = 7 * 86_400.0
    """For so long the counters must have counted."""
    wasted_share: float = 0.5
    wasted_noted_bytes: int = _MIB
    wasted_fails_bytes: int = 100 * _MIB
    dead_share: float = 0.4
    """Twice of what autovacuum waits for."""
    key_noted_share: float = 0.75
    key_fails_share: float = 0.9
    transactions_noted: int = 1_000_000_000
    transactions_fail: int = 1_600_000_000
    """Half a billion before the server stops to write."""
    connections_noted_share: float = 0.8
    connections_fail_share: float = 0.95
    query_noted_s: float = 60.0
    query_fails_s: float = 1_800.0
    hit_share: float = 0.9
    hits_counted: int = 1_000_000
    """Fewer blocks than this tell of a cold start."""
    slot_noted_bytes: int = _GIB
    slot_fails_bytes: int = 10 * _GIB
    idle_slot_fails_bytes: int = _GIB
    standby_noted_s: float = 60.0
    log_noted_bytes: int = 64 * _MIB
    """SQLite: four times the log between two checkpoints of ours."""
    log_fails_bytes: int = _GIB
