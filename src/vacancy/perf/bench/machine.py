"""The machine a bench ran on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter_ns

from vacancy.db.database import Database
from vacancy.perf.bench.report import Machine, percentile_ns

_APPENDS = 100
_BLOCK = b"\xa5" * 4096


async def read_machine(db: Database, *, rounds: int, seconds: float) -> Machine:
    """Conditions of measuring, in less than a second."""
    version = "sqlite_version()" if db.engine == "sqlite" else "current_setting('server_version')"
    ((told,),) = await db.adhoc(f"SELECT {version}", limit=1)
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        database=f"{'SQLite' if db.engine == 'sqlite' else 'PostgreSQL'} {told}",
        fsync_p50_us=_fsync_us(),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        rounds=rounds,
        seconds=seconds,
    )


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    if file.exists():
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model", "Hardware") and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def _fsync_us() -> float:
    """Of the disk that temporary files lie on."""
    sync = getattr(os, "fdatasync", os.fsync)
    durations_ns = []
    with TemporaryFile(buffering=0) as file:
        for _ in range(_APPENDS):
            started_ns = perf_counter_ns()
            file.write(_BLOCK)
            sync(file.fileno())
            durations_ns.append(perf_counter_ns() - started_ns)
    return percentile_ns(sorted(durations_ns), 50) / 1000
