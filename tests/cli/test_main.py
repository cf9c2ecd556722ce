"""What all commands have in common: flags, errors, exit codes, and how little they load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from tests.cli.commands import SCRIPT, clean_environment, vacancy
from vacancy.cli.main import BROKEN_PIPE, INTERRUPTED, commands


def leaves(group: click.Group, path: str = "vacancy") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= leaves(command, f"{path} {name}")
        else:
            found[f"{path} {name}"] = command
    return found


@pytest.mark.parametrize("name", sorted(leaves(commands)))
def test_every_command_takes_the_shared_flags_and_has_help(name: str) -> None:
    command = leaves(commands)[name]
    flags = {flag for option in command.params for flag in option.opts}
    assert flags >= {"--json", "--database-url", "--data-dir", "--env"}
    said = vacancy(*name.split()[1:], "--help")
    assert said.code == 0
    assert command.help is not None
    assert command.help.splitlines()[0][:40] in said.stdout


def test_help_and_serving_load_no_tools_that_they_do_not_need() -> None:
    program = (
        "import sys\n"
        "from vacancy.cli.main import run\n"
        "code = run(['db', 'migrate', '--help'])\n"
        "heavy = ('sqlalchemy', 'alembic', 'asyncpg', 'apsw', 'litestar', 'granian', 'asyncio')\n"
        "print(code, [name for name in heavy[:-1] if name in sys.modules])\n"
        "import vacancy.web.serve, vacancy.web.app\n"
        "print([name for name in heavy[:3] if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-2:] == ["0 []", "[]"]


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["nope"], "COMMAND_INVALID", 2),
        (["keys", "create"], "COMMAND_INVALID", 2),
        (["keys", "create", "--role", "king"], "COMMAND_INVALID", 2),
        (["db", "status"], "DATABASE_MISSING", 4),
        (["db", "status", "--database-url", "mysql://x"], "DATABASE_URL_UNKNOWN", 3),
        (["db", "migrate", "--to", "9999"], "REVISION_UNKNOWN", 2),
        (["keys", "list", "--data-dir", "elsewhere"], "DATABASE_MISSING", 4),
        (["init", "--data-dir", "/dev/null/here"], "DATA_DIR_UNUSABLE", 3),
        (["init", "--email", "nobody"], "TEXT_INVALID", 2),
        (["import", "hotel-demand", "nothing.csv"], "DATABASE_MISSING", 4),
        (["properties", "create", "nothing.toml"], "PROPERTY_FILE_INVALID", 3),
        (["report", "kpi", "--property", "a", "--from", "2027-02-30", "--to", "2027-03-01"],
         "COMMAND_INVALID", 2),
    ],
)  # fmt: skip
def test_an_error_has_its_exit_code_and_goes_to_stderr(
    arguments: list[str], code: str, exit_code: int
) -> None:
    said = vacancy(*arguments)
    assert (said.code, said.stdout) == (exit_code, "")
    assert said.stderr.startswith(f"error {code}: ")
    as_json = vacancy(*arguments, "--json")
    assert (as_json.code, as_json.stdout) == (exit_code, "")
    assert set(as_json.refusal) == {"code", "detail", "hint", "errors"}
    assert as_json.refusal["code"] == code
    assert as_json.refusal["hint"] in said.stderr


def test_a_file_that_is_no_database_is_refused_and_left_alone(empty_folder: Path) -> None:
    file = empty_folder / "letter.db"
    file.write_text("Dear guest, " * 200)
    before = file.read_bytes()
    for arguments in (["init"], ["db", "migrate"], ["db", "status"], ["keys", "list"]):
        said = vacancy(*arguments, "--database-url", "sqlite:///letter.db", "--json")
        assert (said.code, said.refusal["code"]) == (8, "NOT_A_DATABASE"), arguments
    assert file.read_bytes() == before


def test_flags_win_over_the_environment_over_the_file(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "vacancy.toml").write_text('data_dir = "of-the-file"\n')
    assert vacancy("init", "--json").document["data_dir"] == "of-the-file"
    monkeypatch.setenv("VACANCY_DATA_DIR", "of-the-environment")
    assert vacancy("init", "--json").document["data_dir"] == "of-the-environment"
    assert vacancy("--data-dir", "of-a-flag", "init", "--json").document["data_dir"] == "of-a-flag"
    last = vacancy("--data-dir", "of-a-flag", "init", "--data-dir", "of-the-last", "--json")
    assert last.document["data_dir"] == "of-the-last"


def test_a_password_in_the_url_is_not_shown() -> None:
    said = vacancy("db", "status", "--database-url", "postgresql://me:secret@127.0.0.1:1/none")
    assert said.code == 75
    assert "secret" not in said.stdout + said.stderr


def test_a_fault_of_ours_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**flags: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("vacancy.cli.keys.settings_given", broken)
    said = vacancy("keys", "list")
    assert said.code == 70
    assert "ZeroDivisionError: planted" in said.stderr
    assert "error INTERNAL: A fault of ours" in said.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        done = subprocess.run(
            [str(SCRIPT), "--help"],
            stdout=nobody,
            stderr=subprocess.PIPE,
            env=clean_environment(),
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (BROKEN_PIPE, b"")


def test_control_c_ends_quietly(empty_folder: Path) -> None:
    """A command that waits for the migration lock of another is interrupted."""
    assert vacancy("init", "--data-dir", "data").code == 0
    program = (
        "import fcntl, os, sys\n"
        "lock = os.open('data/vacancy.db.queue', os.O_RDWR)\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], **pipes) as holder:  # type: ignore[call-overload]
        assert holder.stdout.readline() == b"held\n"
        waiting = subprocess.Popen(
            [str(SCRIPT), "db", "migrate", "--data-dir", "data"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(),
        )
        deadline = time.monotonic() + 20
        while not _has_open(waiting.pid, "vacancy.db.queue") and time.monotonic() < deadline:
            time.sleep(0.02)
        waiting.send_signal(2)
        stdout, stderr = waiting.communicate(timeout=20)
        holder.communicate(timeout=20)
    assert (waiting.returncode, stdout, stderr) == (INTERRUPTED, b"", b"")


def _has_open(pid: int, name: str) -> bool:
    import psutil

    try:
        return any(file.path.endswith(name) for file in psutil.Process(pid).open_files())
    except psutil.Error:
        return False


def test_the_module_is_the_command(empty_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vacancy", "init", "--json"],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["role"] == "superadmin"
    assert (empty_folder / "vacancy-data" / "vacancy.db").exists()
