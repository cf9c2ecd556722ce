"""Runs commands for tests: in this process, or as the console script that users run."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import msgspec

from vacancy.cli.main import run

SCRIPT = Path(sys.executable).with_name("vacancy")


class Said(msgspec.Struct, frozen=True):
    """What a command answered."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The answer of `--json`; the command must have succeeded."""
        assert self.code == 0, self.stderr
        return json.loads(self.stdout)

    @property
    def refusal(self) -> Any:
        """The error of `--json`: the last line on stderr."""
        assert self.code != 0, self.stdout
        return json.loads(self.stderr.splitlines()[-1])


def vacancy(*arguments: str) -> Said:
    """Runs the command in this process."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = run(arguments)
    return Said(code, stdout.getvalue(), stderr.getvalue())


def clean_environment(**variables: str) -> dict[str, str]:
    """This environment without settings of ours, and then these."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith("VACANCY_")}
    return {**ours, **variables}


def run_script(
    *arguments: str, cwd: Path, environ: Mapping[str, str], script: Path = SCRIPT
) -> Said:
    """Runs the console script in a process of its own."""
    done = subprocess.run(
        [str(script), *arguments],
        cwd=cwd,
        env=dict(environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)
