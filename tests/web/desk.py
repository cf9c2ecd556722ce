"""The API for tests: in this process over ASGI, or as a real server in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.hotels import Hotel, a_hotel
from tests.postgres_process import free_port
from vacancy.bootstrap import House, open_house
from vacancy.config import Settings
from vacancy.db.database import Clock
from vacancy.hotel.accounts import create_key
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.model import Role
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property
from vacancy.web.app import create_app
from vacancy.web.front import Front

START_S = 30.0
STOP_S = 40.0
LOG = "server.log"

_SERVE = (
    "from vacancy.config import load_settings; from vacancy.web.serve import serve;"
    " serve(load_settings())"
)


async def new_key(
    house: House, email: str, role: Role = "guest", property_code: str | None = None
) -> str:
    """A key for the user of that address."""
    made = await create_key(
        house.db,
        house.ids.next,
        secret=f"{email.partition('@')[0]}-{role}-{property_code}".ljust(43, "x"),
        role=role,
        email=email,
        name="Somebody",
        property_code=property_code,
    )
    return made.key


@dataclass
class Desk:
    """A hotel behind the API, with a client and a key for each of its three users."""

    hotel: Hotel
    front: Front
    client: httpx.AsyncClient
    keys: dict[str, str]

    def as_(self, who: str, idempotency_key: str | None = None) -> dict[str, str]:
        """Headers of a caller: ada and eve are guests, desk is staff."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return headers

    async def book(
        self, who: str = "ada", key: str = "k1", path: str = "/v1/bookings", **changes: Any
    ) -> httpx.Response:
        return await self.client.post(path, json=body(**changes), headers=self.as_(who, key))


def body(**changes: Any) -> dict[str, Any]:
    """A good booking of one double for two nights; everything may be said otherwise."""
    return {
        "property": "alpine",
        "check_in": "2027-01-10",
        "check_out": "2027-01-12",
        "rooms": [{"room_type": "double", "count": 1, "adults": 2}],
        "guest": {"name": "Ada Lovelace", "email": "ada@example.org"},
        **changes,
    }


@asynccontextmanager
async def a_desk(
    url: str, *, capacity: int = 5, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[Desk]:
    """The whole application on a real database, called in this process."""
    async with a_hotel(url, capacity=capacity, clock=clock) as hotel:
        told = Settings(database_url=url, env="test", **settings)
        front = create_app(told, opens_house=False)
        front.opened = msgspec.structs.replace(hotel.house, settings=told)
        roles: dict[str, Role] = {"ada": "guest", "eve": "guest", "desk": "staff"}
        keys = {
            name: await new_key(hotel.house, f"{name}@example.org", role)
            for name, role in roles.items()
        }
        app: Any = front  # httpx and Litestar name the same protocol by different types
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Desk(hotel, front, client, keys)


@dataclass
class Server:
    """A running server process, a guest's key to it, and a stay that it sells."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path
    guest: str
    check_in: date

    def booking(self, **changes: Any) -> dict[str, Any]:
        stay = {
            "check_in": self.check_in.isoformat(),
            "check_out": (self.check_in + timedelta(days=2)).isoformat(),
        }
        return body(**{**stay, **changes})

    def headers(self, idempotency_key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.guest}", "Idempotency-Key": idempotency_key}

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)


@contextmanager
def a_server(url: str, folder: Path, *, capacity: int = 5, **environment: str) -> Iterator[Server]:
    """`serve` in a process of its own, on a new database with one property `alpine`."""
    check_in = datetime.now(UTC).date() + timedelta(days=30)
    guest = asyncio.run(_furnish(url, check_in, capacity))
    with a_server_on(url, folder, guest, check_in, **environment) as server:
        yield server


@contextmanager
def a_server_on(
    url: str, folder: Path, guest: str, check_in: date, **environment: str
) -> Iterator[Server]:
    """`serve` in a process of its own, on a database that is furnished already."""
    port = free_port()
    process = launch(url, folder, port, **environment)
    server = Server(process, f"http://127.0.0.1:{port}", folder / LOG, guest, check_in)
    try:
        wait_until(server, "/health/ready", 200)
        yield server
    finally:
        if process.poll() is None:
            # The supervisor of several workers takes them along; a kill would leave them behind.
            process.terminate()
            process.wait(STOP_S)


def launch(url: str, folder: Path, port: int, **environment: str) -> subprocess.Popen[bytes]:
    """A server process; what it says goes to LOG in the folder."""
    with (folder / LOG).open("wb") as stderr:
        return subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            stderr=stderr,
            cwd=folder,
            env={
                **os.environ,
                "VACANCY_DATABASE_URL": url,
                "VACANCY_ENV": "test",
                "VACANCY_PORT": str(port),
                **environment,
            },
        )


def wait_until(server: Server, path: str, status: int) -> httpx.Response:
    """Asks until the answer has that status; at most START_S."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            answer = httpx.get(server.address + path, timeout=10.0)
            if answer.status_code == status:
                return answer
            seen = answer.text
        except httpx.TransportError as error:
            seen = repr(error)
        if server.process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"{path} never was {status}: {seen}\n{server.log.read_text()}")
        time.sleep(0.02)


async def _furnish(url: str, first_night: date, capacity: int) -> str:
    await migrate_database(url)
    doubles = NewRoomType(
        code="double", name="Double", price_minor=9000, max_adults=2, capacity=capacity
    )
    wanted = NewProperty(
        code="alpine",
        name="Hotel Alpine",
        currency="EUR",
        time_zone="Europe/Lisbon",
        first_night=first_night,
        nights=10,
        room_types=(doubles,),
    )
    async with open_house(Settings(database_url=url, env="test")) as house:
        await house.db.transact(lambda tx: create_property(tx, wanted, house.ids.next))
        return await new_key(house, "ada@example.org")
