"""Commands that look again and again, watched as a pipe or a terminal sees them."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from tests.cli.commands import SCRIPT, clean_environment
from vacancy.cli import screen

WAIT_S = 30.0


@contextmanager
def watching(folder: Path, stdout: int, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `perf` command on the server of the folder, until the end."""
    process = subprocess.Popen(
        [str(SCRIPT), "perf", *arguments, "--data-dir", str(folder / "data")],
        env=clean_environment(COLUMNS="160", LINES="60"),
        stdout=stdout,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def assert_draws_in_place_until_ctrl_c(folder: Path, *arguments: str) -> None:
    """On a terminal it clears once, draws over itself, and ends well."""
    master, terminal = pty.openpty()
    try:
        with watching(folder, terminal, *arguments) as process:
            os.close(terminal)
            seen = b""
            until_s = monotonic() + WAIT_S
            while seen.count(screen.HOME.encode()) < 3:
                seen += _read(master, until_s)
            assert seen.count(screen.CLEAR.encode()) == 1
            assert seen.startswith((screen.CLEAR + screen.HOME).encode())
            process.send_signal(signal.SIGINT)
            until_s = monotonic() + WAIT_S
            while process.poll() is None:
                try:
                    _read(master, until_s)
                except OSError:  # nobody has the other end any more
                    break
            assert process.wait(WAIT_S) == 0
    finally:
        os.close(master)


def _read(master: int, until_s: float) -> bytes:
    ready, _, _ = select.select([master], [], [], 0.5)
    assert monotonic() < until_s, "the command goes on and on"
    return os.read(master, 65_536) if ready else b""
