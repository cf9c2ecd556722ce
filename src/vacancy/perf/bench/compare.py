"""What has become slower since an earlier run, beyond the noise that both have told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from vacancy.errors import Invalid
from vacancy.perf.bench.report import BenchReport, OperationReport, Side

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


def slower(earlier: BenchReport, now: BenchReport) -> tuple[Slower, ...]:
    """What costs more than it did. Times count beyond the noise of both runs; statements and rows
    always, for they have none.

    Raises `Invalid` BENCH_NOT_COMPARABLE for another database or one of another size.
    """
    for name in ("engine", "size"):
        if getattr(earlier, name) != getattr(now, name):
            raise Invalid(
                "BENCH_NOT_COMPARABLE",
                f"The earlier run has {name} {getattr(earlier, name)}, this one"
                f" {getattr(now, name)}.",
                hint="Compare runs on the same database of the same size.",
            )
    before = {operation.name: operation for operation in earlier.operations}
    noise = earlier.noise * now.noise
    return tuple(
        found
        for operation in now.operations
        if operation.name in before
        for found in _of_one(before[operation.name], operation, noise)
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
