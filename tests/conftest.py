"""Fixtures every test may ask for: a real PostgreSQL and empty databases on it."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers import PostgresServer, postgres_server
from vacancy.hotel.wiring import introduce

introduce()  # for tests that connect without opening a house
# A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


class SpareDatabases:
    """Hands out empty databases and makes the next one while a test uses the last.

    Creating and dropping one durably costs 150 ms and more, nearly all of it waiting for the
    disk, so one thread does both beside the tests.
    """

    def __init__(self, server: PostgresServer, prefix: str) -> None:
        self._server = server
        self._names = (f"{prefix}_{number}" for number in itertools.count())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spare-databases")
        self._next = self._thread.submit(self._create)
        self._drops: list[Future[None]] = []

    def take(self) -> str:
        """The name of an empty database that is the caller's alone."""
        name = self._next.result()
        self._next = self._thread.submit(self._create)
        return name

    def give_back(self, name: str) -> None:
        """Drop a database that was taken; whoever is still connected is thrown out."""
        self._drops.append(self._thread.submit(self._server.drop_database, name))

    def close(self) -> None:
        """Wait for what is under way; raises what creating or dropping raised."""
        self._thread.shutdown()
        self._next.result()
        for drop in self._drops:
            drop.result()

    def _create(self) -> str:
        name = next(self._names)
        self._server.create_database(name)
        return name


@pytest.fixture(scope="session")
def worker() -> str:
    """The name of this test process: gw0, gw1, … under xdist, otherwise main."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, worker: str) -> Iterator[PostgresServer]:
    """The PostgreSQL that all workers of this run share; tests never stop it.

    A test that stops, kills or configures a server makes its own: `postgres_server(tmp_path)`.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker == "main" else base.parent
    with postgres_server(shared / "postgres") as server:
        yield server


@pytest.fixture(scope="session")
def spare_databases(postgres: PostgresServer, worker: str) -> Iterator[SpareDatabases]:
    """Where `postgres_url` takes its databases from; for tests that need several."""
    databases = SpareDatabases(postgres, f"test_{worker}")
    yield databases
    databases.close()


@pytest.fixture
def postgres_url(postgres: PostgresServer, spare_databases: SpareDatabases) -> Iterator[str]:
    """The address of a fresh, empty PostgreSQL database, dropped after the test."""
    name = spare_databases.take()
    yield postgres.url(name)
    spare_databases.give_back(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind in turn: what a test asserts holds on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vacancy.db'}"
    return str(request.getfixturevalue("postgres_url"))
