"""The PostgreSQL that the tests start: durable, shared, restartable, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest

from tests.servers import PostgresServer, StopMode, postgres_server

WAIT_S = 30.0
REPOSITORY = Path(__file__).parents[2]

# Joins the server of argv[1], says so, and stays until its standard input closes.
USER_PROGRAM = """
import sys
from pathlib import Path
from tests.servers import postgres_server
server = postgres_server(Path(sys.argv[1]))
print(server.pid, flush=True)
sys.stdin.read()
server.close()
"""


def _value(url: str, sql: str) -> object:
    async def fetch() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {WAIT_S} s"
        time.sleep(0.01)


def _is_gone(pid: int) -> bool:
    try:
        # An orphan stays as a zombie where process 1 collects none; it runs no more.
        is_zombie: bool = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    return is_zombie


def _start_user(root: Path) -> tuple[subprocess.Popen[str], int]:
    """Another process that uses the server of `root`, and the server's process id."""
    user = subprocess.Popen(
        [sys.executable, "-c", USER_PROGRAM, str(root)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert user.stdout is not None
    return user, int(user.stdout.readline())


def _end_user(user: subprocess.Popen[str]) -> int:
    """Let a user process leave in good order; its exit code."""
    with user:
        user.communicate(timeout=WAIT_S)
    return user.returncode


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("max_connections", "200"),
        ("shared_preload_libraries", "pg_stat_statements"),
        ("server_encoding", "UTF8"),
    ],
)
def test_settings(postgres: PostgresServer, setting: str, value: str) -> None:
    """The shared server is durable and has room for many clients."""
    assert _value(postgres.url(), f"SHOW {setting}") == value


def test_each_test_gets_an_empty_database(postgres_url: str) -> None:
    """The database holds no table of anybody's, and can count its statements."""
    tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert _value(postgres_url, tables) == 0
    assert _value(postgres_url, "CREATE EXTENSION pg_stat_statements") is None
    assert _value(postgres_url, "SELECT count(*) > 0 FROM pg_stat_statements") is True


def test_databases_are_dropped_with_their_connections(postgres: PostgresServer) -> None:
    """A drop throws out who is still connected, and a second drop is no error."""
    postgres.create_database("dropped")

    async def drop_while_connected() -> None:
        connection = await asyncpg.connect(postgres.url("dropped"))
        await asyncio.to_thread(postgres.drop_database, "dropped")
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT 1")
        connection.terminate()

    asyncio.run(drop_while_connected())
    postgres.drop_database("dropped")
    assert _value(postgres.url(), "SELECT count(*) FROM pg_database WHERE datname = 'dropped'") == 0


def test_a_private_server_keeps_its_data_and_address_over_every_stop(tmp_path: Path) -> None:
    """Rows, port and settings outlive fast, immediate and killed; nothing stays after close."""
    with postgres_server(tmp_path, {"synchronous_commit": "off"}) as server:
        assert _value(server.url(), "SHOW synchronous_commit") == "off"
        server.execute("SET synchronous_commit = on", "CREATE TABLE kept (step integer)")
        url, pids = server.url(), {server.pid}
        modes: tuple[StopMode, ...] = ("fast", "immediate", "kill")
        for step, mode in enumerate(modes, start=1):
            server.execute(
                "SET synchronous_commit = on", f"INSERT INTO kept (step) VALUES ({step})"
            )
            server.stop(mode)
            assert not server.is_running
            with pytest.raises(ConnectionRefusedError):
                _value(url, "SELECT 1")
            server.start()
            pids.add(server.pid)
            assert _value(url, "SELECT count(*) FROM kept") == step
        assert len(pids) == 4
        last_pid = server.pid
    assert _is_gone(last_pid)
    assert not server.home.exists()
    assert "database system is ready" in server.log.read_text()


def test_a_killed_server_starts_again_when_the_test_killed_it(tmp_path: Path) -> None:
    """A test may send SIGKILL by itself; the handle notices and starts it anew."""
    with postgres_server(tmp_path) as server:
        pid = server.pid
        os.kill(pid, signal.SIGKILL)
        _wait_until(lambda: not server.is_running)
        with pytest.raises(RuntimeError, match="not running"):
            _ = server.pid
        server.start()
        assert server.pid != pid
        assert _value(server.url(), "SELECT 1") == 1


def test_a_frozen_server_is_stopped_too(tmp_path: Path) -> None:
    """Closing ends a server that a test has stopped with SIGSTOP."""
    with postgres_server(tmp_path) as server:
        pid = server.pid
        os.kill(pid, signal.SIGSTOP)
    assert _is_gone(pid)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error carries the end of the server's log, and nothing is left running."""
    with pytest.raises(RuntimeError, match="unrecognized configuration parameter"):
        postgres_server(tmp_path, {"no_such_setting": "1"})


def test_processes_share_one_server_and_the_last_one_stops_it(tmp_path: Path) -> None:
    """Who joins gets the same server; who started it may leave before the others."""
    first, pid = _start_user(tmp_path)
    with postgres_server(tmp_path) as server:
        assert server.pid == pid
        assert _end_user(first) == 0
        assert _value(server.url(), "SELECT 1") == 1
    assert _is_gone(pid)


def test_no_server_outlives_killed_users(tmp_path: Path) -> None:
    """With kill -9 of every user the watchdog stops the server and deletes its data."""
    users = [_start_user(tmp_path), _start_user(tmp_path)]
    pid = users[0][1]
    assert users[1][1] == pid
    for user, _ in users:
        with user:
            user.kill()
    _wait_until(lambda: _is_gone(pid))
    _wait_until(lambda: not (tmp_path / "server.json").exists())
    with postgres_server(tmp_path) as server:
        assert server.pid != pid
