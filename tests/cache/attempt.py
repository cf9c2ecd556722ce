"""One attempt to catch the tree that is first on the path: `python -m tests.cache.attempt JOB`.

It runs the scenarios on an empty database, then the random run, stops at the first broken promise
and prints what it found as one line of JSON.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.cache.mutant import PACKAGE, Mutant
from vacancy.db.statement import Engine

PROJECT = Path(__file__).parents[2]
ATTEMPT_S = 90.0
"""After so long an attempt has failed by itself."""


class Job(msgspec.Struct, frozen=True):
    """What a child process is to do."""

    url: str
    folder: str
    """An empty folder for the files of the run."""
    ddl: tuple[str, ...] = ()
    scenarios: bool = True
    seconds: float = 0.0
    """How long the random run lasts; 0 for none."""
    seed: int = 1


class Outcome(msgspec.Struct, frozen=True):
    """What came of it."""

    violation: str
    """In words; empty when every promise was kept."""
    by: str = ""
    """`scenario` or `random run`."""
    reads: int = 0


def attempt(mutant: Mutant | None, engine: Engine, job: Job) -> Outcome:
    """Runs the job on a copy of the sources with the mutant in it, in processes of its own."""
    sources = Path(job.folder) / "src"
    shutil.copytree(PACKAGE, sources / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    if mutant is not None:
        for edit in mutant.edits:
            edit.apply(sources / PACKAGE.name)
        job = msgspec.structs.replace(job, ddl=tuple(mutant.ddl(engine)))
    run = subprocess.run(
        [sys.executable, "-m", "tests.cache.attempt", msgspec.json.encode(job).decode()],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(sources), str(PROJECT)))},
        capture_output=True,
        timeout=ATTEMPT_S,
        check=False,
    )
    # What cannot even be tried is not caught.
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    lines = run.stdout.splitlines()
    return msgspec.json.decode(lines[-1], type=Outcome)


async def _play(job: Job) -> str:
    from tests.cache.scenarios import play, scenarios_of
    from tests.cache.stage import Stage
    from tests.cache.tables import make_tables

    await make_tables(job.url, job.ddl)
    stage = Stage(job.url, job.ddl)
    try:
        violation = await play(stage, scenarios_of(stage.engine))
        await stage.clear_away()
        return violation
    finally:
        stage.close()


def main(job: Job) -> Outcome:
    import vacancy

    assert str(Path(job.folder)) in str(vacancy.__file__), "the copy is not first on the path"
    if job.scenarios:
        violation = asyncio.run(_play(job))
        if violation:
            return Outcome(violation, "scenario")
    if job.seconds:
        from tests.cache.checker import Plan, run_checker

        url = f"{job.url}.random" if job.url.startswith("sqlite:") else job.url
        plan = Plan(url=url, folder=job.folder, seed=job.seed, seconds=job.seconds, ddl=job.ddl)
        result = run_checker(plan)
        return Outcome(result.violation, "random run" if result.violation else "", result.reads)
    return Outcome("")


if __name__ == "__main__":
    outcome = main(msgspec.json.decode(sys.argv[1], type=Job))
    print(msgspec.json.encode(outcome).decode(), flush=True)  # noqa: T201
