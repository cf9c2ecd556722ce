"""A real server process: races, a graceful stop, a database that goes away and comes back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import apsw
import httpx
import psutil
import pytest

from tests.fault.holder import holding
from tests.servers import postgres_server
from tests.web.desk import LOG, STOP_S, Server, a_server, a_server_on, launch, wait_until

CLIENTS = 200


async def _book_at_once(server: Server, keys: list[str]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=len(keys))
    async with httpx.AsyncClient(base_url=server.address, limits=limits, timeout=60.0) as client:
        return await asyncio.gather(
            *(
                client.post("/v1/bookings", json=server.booking(), headers=server.headers(key))
                for key in keys
            )
        )


def test_many_clients_and_one_room(database_url: str, tmp_path: Path) -> None:
    with a_server(database_url, tmp_path, capacity=1) as server:
        keys = [f"k{number}" for number in range(CLIENTS)]
        answers = asyncio.run(_book_at_once(server, keys))
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(201), statuses.count(409)) == (1, CLIENTS - 1)
        assert len({answer.headers["x-request-id"] for answer in answers}) == CLIENTS
        assert server.stop() == 0


def test_many_times_the_same_key(database_url: str, tmp_path: Path) -> None:
    with a_server(database_url, tmp_path, capacity=CLIENTS) as server:
        answers = asyncio.run(_book_at_once(server, ["the same"] * CLIENTS))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        fresh = [answer for answer in answers if "idempotent-replayed" not in answer.headers]
        assert len(fresh) == 1
        page = httpx.get(
            f"{server.address}/v1/users/me/bookings", headers=server.headers("-")
        ).json()
        assert len(page["items"]) == 1


def test_several_workers_sell_one_room_once(database_url: str, tmp_path: Path) -> None:
    with a_server(database_url, tmp_path, capacity=1, VACANCY_WORKERS="2") as server:
        answers = asyncio.run(_book_at_once(server, [f"k{number}" for number in range(60)]))
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(201), statuses.count(409)) == (1, 59)
        assert server.stop() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stopping_server_finishes_what_it_accepted(
    database_url: str, tmp_path: Path, workers: str
) -> None:
    """Requests run while SIGTERM arrives: each is answered whole, or was never accepted; what was
    answered stands, what was not is not there."""

    async def book_until_refused(server: Server, client: httpx.AsyncClient, number: int) -> int:
        done = 0
        while True:
            key = f"{number}-{done}"
            try:
                answer = await client.post(
                    "/v1/bookings", json=server.booking(), headers=server.headers(key)
                )
            except httpx.TransportError:
                return done
            if answer.status_code == 503:
                assert answer.json()["code"] == "SERVER_STOPPING"
                return done
            assert answer.status_code == 201, answer.text
            done += 1
            if done == 2 and number == 0:
                server.process.terminate()

    async def story(server: Server) -> list[int]:
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(
            base_url=server.address, limits=limits, timeout=30.0
        ) as client:
            return await asyncio.gather(
                *(book_until_refused(server, client, number) for number in range(50))
            )

    with a_server(database_url, tmp_path, capacity=100_000, VACANCY_WORKERS=workers) as server:
        done = asyncio.run(story(server))
        assert server.process.wait(STOP_S) == 0
    with a_server_on(database_url, tmp_path, server.guest, server.check_in) as again:
        keys = [
            f"{number}-{count}" for number, counts in enumerate(done) for count in range(counts)
        ]
        answers = asyncio.run(_book_at_once(again, keys))
        not_begun = [f"{number}-{count}" for number, count in enumerate(done)]
        fresh = asyncio.run(_book_at_once(again, not_begun))
    assert len(keys) > 50
    assert {answer.status_code for answer in answers} == {201}
    assert all(answer.headers["idempotent-replayed"] == "true" for answer in answers)
    # What got no answer was not booked behind its caller's back either.
    assert {answer.status_code for answer in fresh} == {201}
    assert not [answer for answer in fresh if "idempotent-replayed" in answer.headers]


def test_a_sqlite_file_held_by_another_program(tmp_path: Path) -> None:
    path = tmp_path / "vacancy.db"
    with a_server(f"sqlite:///{path}", tmp_path, VACANCY_QUEUE_WAIT_S="0.5") as server:
        holding = subprocess.Popen(
            [
                *(sys.executable, "-c"),
                "import apsw, sys; c = apsw.Connection(sys.argv[1]);"
                " c.execute('BEGIN IMMEDIATE'); print(flush=True); sys.stdin.read()",
                str(path),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert holding.stdin is not None
        assert holding.stdout is not None
        holding.stdout.readline()
        answer = _book(server, "k1")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        # Reading goes on meanwhile.
        assert httpx.get(f"{server.address}/v1/properties").status_code == 200
        holding.communicate()
        assert _until_booked(server, "k1").status_code == 201
        assert server.stop() == 0
    found = apsw.Connection(str(path)).execute("SELECT COUNT(*) FROM bookings").get
    assert found == 1


def test_a_full_queue_says_to_come_back(tmp_path: Path) -> None:
    """While another program holds the file, a few wait and all others are told so at once."""
    queue, clients = 4, 40
    url = f"sqlite:///{tmp_path / 'vacancy.db'}"

    async def story(server: Server) -> dict[str, httpx.Response]:
        limits = httpx.Limits(max_connections=clients)
        async with httpx.AsyncClient(
            base_url=server.address, limits=limits, timeout=60.0
        ) as client:

            async def book(key: str) -> tuple[str, httpx.Response]:
                answer = await client.post(
                    "/v1/bookings", json=server.booking(), headers=server.headers(key)
                )
                return key, answer

            with holding(url):
                tasks = [asyncio.create_task(book(f"k{number}")) for number in range(clients)]
                answered = asyncio.as_completed(tasks, timeout=30.0)
                # Besides those in the queue, one batch may wait for its turn to write already.
                for _ in range(clients - 2 * queue):
                    _, refused = await next(answered)
                    assert refused.status_code == 503, refused.text
                    assert refused.json()["code"] == "QUEUE_FULL"
                    assert refused.headers["retry-after"] == "1"
            return dict(await asyncio.gather(*tasks))

    settings = {"VACANCY_QUEUE_REQUESTS": str(queue), "VACANCY_QUEUE_WAIT_S": "60"}
    with a_server(url, tmp_path, capacity=clients, **settings) as server:
        answers = asyncio.run(story(server))
        booked = {key for key, answer in answers.items() if answer.status_code == 201}
        assert queue <= len(booked) <= 2 * queue
        assert {answer.status_code for answer in answers.values()} == {201, 503}
        # What was refused was not executed: its key is still free.
        for key in answers:
            again = _book(server, key)
            assert again.status_code == 201
            assert ("idempotent-replayed" in again.headers) == (key in booked)
        assert server.stop() == 0


def test_a_postgresql_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    with postgres_server(tmp_path / "postgres") as postgres:
        postgres.create_database("hotel")
        with a_server(postgres.url("hotel"), tmp_path) as server:
            assert _book(server, "k1").status_code == 201
            postgres.stop("immediate")
            away = _book(server, "k2")
            assert (away.status_code, away.headers["retry-after"]) == (503, "1")
            ready = httpx.get(f"{server.address}/health/ready", timeout=30.0)
            assert ready.status_code == 503
            assert httpx.get(f"{server.address}/health/live").status_code == 200
            postgres.start()
            wait_until(server, "/health/ready", 200)
            assert _until_booked(server, "k2").status_code == 201
            assert _book(server, "k1").headers["idempotent-replayed"] == "true"
            assert server.stop() == 0


def test_a_small_server_that_starts_soon(tmp_path: Path) -> None:
    """The goals are 1 s and 120 MB; a busy machine is given some grace on the time."""
    url = f"sqlite:///{tmp_path / 'vacancy.db'}"
    with a_server(url, tmp_path) as server:
        process = psutil.Process(server.process.pid)
        family = [process, *process.children(recursive=True)]
        assert sum(one.memory_info().rss for one in family) < 120 * 2**20
        mapped = {Path(one.path).name for one in process.memory_maps()}
        assert not [name for name in mapped if "asyncpg" in name or "sqlalchemy" in name.lower()]
        server.stop()
    started = time.monotonic()
    with a_server_on(url, tmp_path, server.guest, server.check_in):
        assert time.monotonic() - started < 5.0


def test_what_cannot_be_served_is_refused_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'vacancy.db'}"
    with a_server(url, tmp_path) as server:
        port = server.address.rpartition(":")[2]
        assert "PORT_TAKEN" in _refused_start(tmp_path, url, port)
        server.stop()
        database = apsw.Connection(str(tmp_path / "vacancy.db"))
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        for workers in ("1", "2"):
            assert "SCHEMA_TOO_NEW" in _refused_start(tmp_path, url, port, workers)
        empty = tmp_path / "empty.db"
        empty.touch()
        assert "SCHEMA_MISSING" in _refused_start(tmp_path, f"sqlite:///{empty}", port)


# -- helpers


def _book(server: Server, key: str) -> httpx.Response:
    return httpx.post(
        f"{server.address}/v1/bookings",
        json=server.booking(),
        headers=server.headers(key),
        timeout=30.0,
    )


def _refused_start(folder: Path, url: str, port: str, workers: str = "1") -> str:
    """What a server said that did not want to start."""
    process = launch(url, folder, int(port), VACANCY_WORKERS=workers)
    assert process.wait(STOP_S) != 0
    return (folder / LOG).read_text()


def _until_booked(server: Server, key: str) -> httpx.Response:
    """The answer after a bounded number of 503s, which are the server's word to try again."""
    deadline = time.monotonic() + 30.0
    while (answer := _book(server, key)).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer
