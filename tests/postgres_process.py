"""The processes of a PostgreSQL that tests start: launching, finding and stopping them."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

STOP_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.01

# PostgreSQL refuses to run as root; this account exists on every system and owns nothing.
SERVER_USER = "nobody"


def account_to_run_as() -> pwd.struct_passwd | None:
    """The account that runs the server when we are root; None when we run it ourselves."""
    return pwd.getpwnam(SERVER_USER) if os.geteuid() == 0 else None


def launch(command: list[str], home: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a program as the server's user, in a session of its own: Ctrl-C is not for it."""
    account = account_to_run_as()
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=home,
            # Nothing of the caller's environment reaches the server, PGDATA and locale included.
            env={"PATH": os.defpath, "HOME": str(home), "LC_ALL": "C"},
            start_new_session=True,
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
        )


def stop(
    data: Path,
    signal_number: signal.Signals,
    process: subprocess.Popen[bytes] | None,
    timeout_s: float = STOP_TIMEOUT_S,
) -> None:
    """Signal the postmaster and wait until it is gone; RuntimeError when it stays."""
    pid = running_pid(data)
    if pid is None:
        return
    os.kill(pid, signal_number)
    # One that a test has frozen hears the signal only when it runs again.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    deadline = time.monotonic() + timeout_s
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL (process {pid}) is still there after {timeout_s} s")
        time.sleep(POLL_INTERVAL_S)
    if process is not None:
        process.wait()


def running_pid(data: Path) -> int | None:
    """The process id of the postmaster of a data directory, when it is alive."""
    lines = pid_file_lines(data)
    return int(lines[0]) if lines and is_alive(int(lines[0])) else None


def pid_file_lines(data: Path) -> list[str]:
    """The lines of postmaster.pid: the process id comes first, the status last."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def is_alive(pid: int) -> bool:
    """Whether a process is a PostgreSQL that runs; a zombie does not."""
    try:
        process = psutil.Process(pid)
        is_zombie: bool = process.status() == psutil.STATUS_ZOMBIE
        is_postgres: bool = process.name() == "postgres"
    except psutil.NoSuchProcess:
        return False
    return is_postgres and not is_zombie


def free_port() -> int:
    """A free port below those which systems give to outgoing connections.

    A client that keeps trying a stopped server there could otherwise connect to itself.
    """
    while True:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
