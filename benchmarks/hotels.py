"""Databases to measure on: a group of hotels with rooms enough for every booking of a run."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.servers import postgres_server
from vacancy.bootstrap import House, open_house
from vacancy.config import Settings
from vacancy.db.database import Transaction
from vacancy.hotel.accounts import ensure_users
from vacancy.hotel.admission.requests import CreateBooking, Idempotency, RoomsWanted
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.model import Actor, Guest
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property

PROPERTIES = 4
ROOM_TYPES = 10
NIGHTS = 400
CAPACITY = 1_000_000
EMAIL = "bench@example.org"
ENGINES = ("sqlite", "postgresql")


@contextmanager
def database_urls(folder: Path, engines: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """An empty database of each kind; PostgreSQL with its own defaults, a server of our own."""
    urls = {"sqlite": f"sqlite:///{folder / 'bench.db'}"} if "sqlite" in engines else {}
    if "postgresql" not in engines:
        yield urls
        return
    with postgres_server(folder / "postgres") as server:
        server.create_database("bench")
        yield urls | {"postgresql": server.url("bench")}


def first_night() -> date:
    """Tomorrow: nobody may book in the past."""
    return datetime.now(UTC).date() + timedelta(days=1)


async def fresh_hotels(url: str) -> None:
    """Empties the database and makes the hotels anew."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
    else:
        await migrate_database(url, "base")
    await migrate_database(url)
    async with open_house(settings(url)) as house:
        await house.db.transact(lambda tx: _make(tx, house))


async def _make(tx: Transaction, house: House) -> None:
    for number in range(PROPERTIES):
        wanted = NewProperty(
            code=f"hotel{number}",
            name=f"Hotel {number}",
            currency="EUR",
            time_zone="Europe/Lisbon",
            first_night=first_night(),
            nights=NIGHTS,
            room_types=tuple(
                NewRoomType(
                    code=f"type{n}",
                    name=f"Type {n}",
                    price_minor=9000,
                    max_adults=2,
                    capacity=CAPACITY,
                )
                for n in range(ROOM_TYPES)
            ),
        )
        await create_property(tx, wanted, house.ids.next)
    await ensure_users(tx, {EMAIL: "Bench"}, house.ids.next)


def settings(url: str) -> Settings:
    return Settings(database_url=url, env="test")


@asynccontextmanager
async def open_hotels(url: str) -> AsyncIterator[tuple[House, Actor]]:
    """The house, and who books in it."""
    async with open_house(settings(url)) as house:
        users = await house.db.transact(lambda tx: ensure_users(tx, {EMAIL: ""}, house.ids.next))
        yield house, Actor(users[EMAIL].id, "staff")


def booking_request(actor: Actor, rng: random.Random, key: str, *, hot: bool) -> CreateBooking:
    """Three nights, one room: anywhere in the group, or where everybody wants to be."""
    night = first_night() + timedelta(days=0 if hot else rng.randrange(NIGHTS - 3))
    return CreateBooking(
        property="hotel0" if hot else f"hotel{rng.randrange(PROPERTIES)}",
        check_in=night,
        check_out=night + timedelta(days=3),
        rooms=(RoomsWanted("type0" if hot else f"type{rng.randrange(ROOM_TYPES)}", 1, 2),),
        guest=Guest("Ada Lovelace", "ada@example.org"),
        user_id=actor.user_id,
        actor=actor,
        idempotency=Idempotency(key, "0" * 64),
    )
