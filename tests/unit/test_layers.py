"""Imports go one way, and the engines do not know what a hotel is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ENGINES = ("db", "cache", "contracts", "perf", "backup")
HOTEL_WORDS = re.compile(
    r"hotel|booking|guest|inventor|room|check_in\b|check_out\b|overbook|\bnights?\b",
    re.IGNORECASE,
)


def _lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Checks the contracts of the pyproject.toml of `root` on the package in its `src`."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    shutil.copytree(
        REPOSITORY / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def test_imports_go_one_way() -> None:
    checked = _lint_imports(REPOSITORY)
    assert checked.returncode == 0, checked.stdout
    assert "0 broken" in checked.stdout


@pytest.mark.parametrize(
    ("module", "line", "sentence"),
    [
        ("db/trace.py", "from vacancy.hotel import model", "vacancy.db.trace -> vacancy.hotel"),
        ("errors.py", "import vacancy.config", "vacancy.errors -> vacancy.config"),
        (
            "web/call.py",
            "from vacancy.hotel.statements import users",
            "vacancy.web.call -> vacancy.hotel.statements",
        ),
        ("hotel/booking.py", "import sqlalchemy", "vacancy.hotel.booking -> sqlalchemy"),
    ],
)
def test_a_planted_import_is_found(copy: Path, module: str, line: str, sentence: str) -> None:
    with (copy / "src" / "vacancy" / module).open("a") as file:
        file.write(f"\n{line}\n")
    checked = _lint_imports(copy)
    assert checked.returncode == 1, checked.stdout
    assert "1 broken" in checked.stdout
    assert sentence in checked.stdout


def test_a_package_without_a_layer_is_found(copy: Path) -> None:
    (copy / "src" / "vacancy" / "extras.py").write_text('"""Belongs nowhere."""\n')
    checked = _lint_imports(copy)
    assert checked.returncode == 1, checked.stdout
    assert "vacancy.extras" in checked.stdout


def test_the_engines_contain_no_word_of_the_domain() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for engine in ENGINES
        for path in sorted((REPOSITORY / "src" / "vacancy" / engine).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if HOTEL_WORDS.search(line)
    ]
    assert found == []
