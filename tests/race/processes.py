"""Starts processes that book (`tests.race.booker`) and reads what they say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tests.race.booker import Answered, Job

PROJECT = Path(__file__).parents[2]


class Booker:
    """One such process; leaving the context kills what is left of it."""

    def __init__(self, job: Job) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.race.booker", msgspec.json.encode(job).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in = self._process.stdin
        self._out = self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._process.wait()
        self._in.close()
        self._out.close()

    def wait_ready(self) -> None:
        """Returns once it has the database open. Raises AssertionError when it died before."""
        assert self._out.readline() == b"ready\n", "a booking process ended before it was ready"

    def go(self) -> None:
        """Lets it begin."""
        self._in.write(b"go\n")
        self._in.flush()

    def answers(self) -> Iterator[Answered]:
        """What it is answered, as it comes; ends with the process.

        The last line of a process that was killed may be torn: it was never told to anybody.
        """
        for line in self._out:
            if line.endswith(b"\n"):
                yield msgspec.json.decode(line, type=Answered)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()

    def wait(self) -> int:
        """Waits for its end; answers its exit code."""
        return self._process.wait()


@contextmanager
def bookers(jobs: Iterable[Job]) -> Iterator[list[Booker]]:
    """These processes, all of them ready, none of them begun."""
    with ExitStack() as stack:
        started = [stack.enter_context(Booker(job)) for job in jobs]
        for booker in started:
            booker.wait_ready()
        yield started
