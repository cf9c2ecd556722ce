"""The machine a bench ran on: what it is, how long its disk takes to sync, how steady it is.

A rate of durable bookings means little without the fsync latency of the same minute beside it.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter_ns

import apsw
import msgspec

from benchmarks.stats import NS_PER_US, percentile

BLOCK = b"\xa5" * 4096
SPIN_STEPS = 20_000


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One flat record, printed above every table of figures.

    `noise` is the 90th percentile of a fixed piece of work over its 10th: 1.0 on a machine that
    does nothing else; from about 1.2 on, differences of a few percent between two sides mean
    nothing.
    """

    cpu: str
    cores: int
    os: str
    python: str
    sqlite: str
    fsync_p50_us: float
    fsync_p99_us: float
    noise: float


class Fsync(msgspec.Struct, frozen=True, kw_only=True):
    """How long 4 KiB appended to a file take to be safe."""

    p50_us: float
    p99_us: float


def machine(directory: Path) -> Machine:
    """Measure this machine, in a few seconds; `directory` is where the database under test lies."""
    fsync = measure_fsync(directory)
    return Machine(
        cpu=cpu_model(),
        cores=usable_cores(),
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        sqlite=apsw.sqlite_lib_version(),
        fsync_p50_us=fsync.p50_us,
        fsync_p99_us=fsync.p99_us,
        noise=measure_noise(),
    )


def measure_fsync(directory: Path, appends: int = 200) -> Fsync:
    """Append and sync 4 KiB, `appends` times, in a file of `directory` that is gone afterwards.

    Raises OSError where `directory` cannot be written.
    """
    # SQLite syncs its log with fdatasync; systems without it have the stronger and slower call.
    sync = getattr(os, "fdatasync", os.fsync)
    durations_ns: list[int] = []
    with TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(appends):
            started_ns = perf_counter_ns()
            file.write(BLOCK)
            sync(file.fileno())
            durations_ns.append(perf_counter_ns() - started_ns)
    durations_ns.sort()
    return Fsync(
        p50_us=percentile(durations_ns, 50) / NS_PER_US,
        p99_us=percentile(durations_ns, 99) / NS_PER_US,
    )


def measure_noise(repeats: int = 300) -> float:
    """The spread, p90 over p10, of one fixed loop run `repeats` times; about a millisecond each."""
    durations_ns = sorted(_spin_ns() for _ in range(repeats))
    return percentile(durations_ns, 90) / percentile(durations_ns, 10)


def cpu_model() -> str:
    """The processor's own name where the system tells it, else its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in {"model name", "Model", "Hardware"} and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """How many cores this process may use; under taskset fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _spin_ns() -> int:
    started_ns = perf_counter_ns()
    total = 0
    for step in range(SPIN_STEPS):
        total += step
    return perf_counter_ns() - started_ns
