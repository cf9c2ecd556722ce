"""Generated hotel groups to measure on, up to millions of bookings: ten hotels of five room types
over three years, seed 1, and a payment for four of five bookings.

Each is made when it is first asked for. A folder that is kept holds them for the next run: one
file for each size, `group-1000000.db`, and the data of one PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import asyncpg

from benchmarks.hotels import settings
from tests.servers import PostgresServer, postgres_server
from vacancy.bootstrap import open_database
from vacancy.db.connect import sqlite_path
from vacancy.db.database import Database
from vacancy.db.statement import Engine
from vacancy.hotel.generate.group import generate_group
from vacancy.hotel.generate.plan import GroupPlan, written_at
from vacancy.hotel.headline import ADD_PAYMENTS, ADDED_INDEXES
from vacancy.hotel.migrating import migrate_database

PROPERTIES = 10
SEED = 1
BOOKINGS = 200_000
"""Unless others are asked for: small enough for every run."""
SIZES = (20_000, 200_000)
"""Between which a report shall cost the same, unless others are asked for."""


class Groups:
    """The groups of one run; `open_groups` makes and closes it."""

    def __init__(
        self, folder: Path, *, keep: Path | None, bookings: int, sizes: tuple[int, ...]
    ) -> None:
        self.bookings = bookings
        self.sizes = sizes
        self._scratch = folder
        self._folder = keep or folder
        self._keep = keep
        self._server: PostgresServer | None = None
        self._ready: dict[tuple[Engine, int], str] = {}

    async def url(self, engine: Engine, bookings: int) -> str:
        """The group of that size, for reading alone: a kept one is used again."""
        key = (engine, bookings)
        if key not in self._ready:
            if engine == "sqlite":
                url = f"sqlite:///{self._folder / f'group-{bookings}.db'}"
            else:
                url = await asyncio.to_thread(self._database, f"group_{bookings}")
            await make_group(url, plan_of(bookings))
            self._ready[key] = url
        return self._ready[key]

    async def copy(self, engine: Engine, bookings: int, name: str) -> str:
        """A copy to be changed; `throw_away` ends it. Nobody may have the group open."""
        url = await self.url(engine, bookings)
        if engine == "postgresql":
            return await asyncio.to_thread(self._copy_database, f"group_{bookings}", name)
        path = self._scratch / f"{name}.db"
        await asyncio.to_thread(_copy_file, sqlite_path(url), path)
        return f"sqlite:///{path}"

    async def throw_away(self, engine: Engine, name: str) -> None:
        if engine == "postgresql":
            await asyncio.to_thread(self._postgres().drop_database, name)
        else:
            for file in self._scratch.glob(f"{name}.db*"):
                file.unlink()

    def close(self) -> None:
        """Stops PostgreSQL; what is kept stays."""
        if self._server is not None:
            self._server.close()

    def _database(self, name: str) -> str:
        server = self._postgres()
        if name not in asyncio.run(_database_names(server.url())):
            server.create_database(name)
        return server.url(name)

    def _copy_database(self, group: str, name: str) -> str:
        server = self._postgres()
        server.drop_database(name)  # that of a run that was killed
        server.create_database(name, template=group)
        return server.url(name)

    def _postgres(self) -> PostgresServer:
        if self._server is None:
            self._server = postgres_server(self._scratch / "groups-postgres")
            if self._keep is not None:
                _lay_in(self._server, self._keep / "postgres-data")
        return self._server


@contextlib.contextmanager
def open_groups(
    folder: Path, *, keep: Path | None, bookings: int = BOOKINGS, sizes: tuple[int, ...] = SIZES
) -> Iterator[Groups]:
    """Groups in a folder that goes, or in `keep`, which PostgreSQL must be able to reach."""
    if keep is not None:
        keep = keep.resolve()
        keep.mkdir(parents=True, exist_ok=True)
    groups = Groups(folder, keep=keep, bookings=bookings, sizes=sizes)
    try:
        yield groups
    finally:
        groups.close()


def plan_of(bookings: int) -> GroupPlan:
    return GroupPlan(properties=PROPERTIES, bookings=bookings, seed=SEED)


async def make_group(url: str, plan: GroupPlan) -> None:
    """Makes what is missing of a group: bookings, payments, statistics."""
    await migrate_database(url)
    gc.disable()  # as the command does: millions of rows come and go and make no cycles
    try:
        async with open_database(settings(url), clock=lambda: written_at(plan)) as db:
            await generate_group(db, plan)
    finally:
        gc.enable()
    await add_payments(url)


async def add_payments(url: str) -> None:
    """Four of five bookings are paid for, those cancelled are paid back. Where there are payments
    nothing is done; else the database learns what is in its tables, too."""
    if url.startswith("sqlite"):
        connection = apsw.Connection(str(sqlite_path(url)))
        connection.execute(ADD_PAYMENTS)
        if connection.changes():
            connection.execute("ANALYZE")
        connection.close()
        return
    postgres = await asyncpg.connect(url)
    try:
        if await postgres.execute(ADD_PAYMENTS) != "INSERT 0 0":
            await _analyze(postgres)
    finally:
        await postgres.close()


async def _analyze(postgres: Any) -> None:
    """The tables that hold something. One that was analyzed while it was empty is taken for empty
    by planners, however much comes, until autovacuum looks at it again."""
    tables = await postgres.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    filled = [
        name
        for (name,) in tables
        if await postgres.fetchval(f"SELECT EXISTS (SELECT 1 FROM {name})")
    ]
    await postgres.execute(f"VACUUM (ANALYZE) {', '.join(filled)}")


async def find_user(db: Database, bookings: int) -> int:
    """The user with the fewest bookings of those with so many at least: one page, not the thousands
    of an agency."""
    found = await db.adhoc(
        """
        SELECT user_id
        FROM bookings
        GROUP BY user_id
        HAVING COUNT(*) >= :bookings
        ORDER BY COUNT(*), user_id
        """,
        limit=1,
        bookings=bookings,
    )
    return int(found[0][0])


async def drop_added_indexes(url: str) -> None:
    """Makes of a copy the schema as it was without composite indexes."""
    drops = [f"DROP INDEX {name}" for name in ADDED_INDEXES]
    if url.startswith("sqlite"):
        connection = apsw.Connection(str(sqlite_path(url)))
        for drop in drops:
            connection.execute(drop)
        connection.close()
        return
    postgres = await asyncpg.connect(url)
    try:
        for drop in drops:
            await postgres.execute(drop)
    finally:
        await postgres.close()


def _copy_file(source: Path, target: Path) -> None:
    # Through the library: it knows what still lies in the log beside the file.
    origin = apsw.Connection(str(source))
    copy = apsw.Connection(str(target))
    with copy.backup("main", origin, "main") as backup:
        backup.step()
    copy.close()
    origin.close()


async def _database_names(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        return {row[0] for row in await connection.fetch("SELECT datname FROM pg_database")}
    finally:
        await connection.close()


def _lay_in(server: PostgresServer, kept: Path) -> None:
    """Lets the server work on data that stay: it deletes its own when it is left, and of these a
    link alone."""
    server.stop()
    if not kept.exists():
        subprocess.run(["cp", "-a", server.data, kept], check=True)  # with owner and mode
    shutil.rmtree(server.data)
    server.data.symlink_to(kept, target_is_directory=True)
    server.start()
