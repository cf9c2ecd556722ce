"""What has become slower since an earlier run, beyond the noise that both have told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from vacancy.db.statement import Engine
from vacancy.errors import Invalid
from vacancy.perf.bench.report import BenchReport, OperationReport, Side

GROWN = 0.25
"""A database may be so much larger than it was, or smaller, and still be compared."""
Report = TypeVar("Report", bound=BenchReport)


class Slower(msgspec.Struct, frozen=True, kw_only=True):
    """One side of one operation that costs more than it did."""

    operation: str
    side: str
    what: str
    """`p50_us`, `statements` or `rows`."""
    was: float
    now: float

    def __str__(self) -> str:
        ratio = self.now / self.was if self.was else float("inf")
        return (
            f"{self.operation}, {self.side}: {self.what} was {self.was:,.6g}, is"
            f" {self.now:,.6g}, {ratio:.3g} times as much."
        )


def read_report(file: Path, kind: type[Report]) -> Report:
    """A report that `--json` has written. Raises `Invalid` BENCH_FILE_UNREADABLE."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise Invalid(
            "BENCH_FILE_UNREADABLE",
            f"{file} is no report of a bench: {error}.",
            hint="Give a file that `vacancy perf bench --json` has written.",
        ) from None


def require_comparable(earlier: BenchReport, engine: Engine, size: int | None = None) -> None:
    """To be asked before anything is measured; again when the size is known.

    Raises `Invalid` BENCH_NOT_COMPARABLE for another kind of database, or one that has grown or
    shrunk by more than a quarter.
    """
    if earlier.engine != engine:
        told = f"is on {earlier.engine}, this one on {engine}"
    elif size is not None and abs(size - earlier.size) > earlier.size * GROWN:
        told = f"has size {earlier.size:,}, this one {size:,}"
    else:
        return
    raise Invalid(
        "BENCH_NOT_COMPARABLE",
        f"The earlier run {told}.",
        hint="Compare runs on the same database, or on ones that were made of the same size.",
    )


def slower(earlier: BenchReport, now: BenchReport) -> tuple[Slower, ...]:
    """What costs more than it did. Times count beyond the noise of both runs; statements always,
    for they have none; rows too, where both have the same size. Raises as `require_comparable`.
    """
    require_comparable(earlier, now.engine, now.size)
    before = {operation.name: operation for operation in earlier.operations}
    noise = earlier.noise * now.noise
    return tuple(
        found
        for operation in now.operations
        if operation.name in before
        for found in _of_one(before[operation.name], operation, noise)
        if found.what != "rows" or earlier.size == now.size
    )


def _of_one(was: OperationReport, now: OperationReport, noise: float) -> Iterator[Slower]:
    # The side before is nobody's: that it has become slower tells nothing.
    for name in ("after", "cached"):
        earlier: Side | None = getattr(was, name)
        later: Side | None = getattr(now, name)
        if earlier is None or later is None:
            continue
        for what, allowed in (("p50_us", noise), ("statements", 1.0), ("rows", 1.0)):
            one, other = getattr(earlier, what), getattr(later, what)
            if other > one * allowed:
                yield Slower(operation=now.name, side=name, what=what, was=one, now=other)
