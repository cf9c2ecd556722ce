"""The wheel, installed into an environment of its own, works outside the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.cli.commands import clean_environment, run_script

ROOT = Path(__file__).parents[2]


def pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_works_outside_the_checkout(empty_folder: Path, tmp_path: Path) -> None:
    wheels, scratch = tmp_path / "wheels", tmp_path / "scratch"
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(wheels), str(ROOT))
    (wheel,) = wheels.glob("vacancy-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(scratch)], check=True)
    python = scratch / "bin" / "python"
    pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    # What we depend on comes from the environment of the tests; a path that a .pth file names is
    # not searched for further .pth files, so the checkout itself does not come along.
    (packages,) = (scratch / "lib").glob("python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")

    environ = clean_environment(VACANCY_DATA_DIR="data")
    where = subprocess.run(
        [python, "-c", "import vacancy; print(vacancy.__file__)"],
        cwd=empty_folder,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(packages)

    script = scratch / "bin" / "vacancy"
    said = run_script("init", "--json", cwd=empty_folder, environ=environ, script=script)
    assert said.document["key"].startswith("vac_")
    assert (empty_folder / "data" / "vacancy.db").exists()
    demo = run_script(
        "demo", "--no-serve", "--json", cwd=empty_folder, environ=environ, script=script
    )
    assert json.loads((empty_folder / "data" / "demo.json").read_text()) == demo.document

    installed = {
        str(file.relative_to(packages / "vacancy"))
        for file in (packages / "vacancy").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    source = {
        str(file.relative_to(ROOT / "src" / "vacancy"))
        for file in (ROOT / "src" / "vacancy").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert source - installed == set()
