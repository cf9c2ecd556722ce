"""Databases to measure on, which are nobody's: files in a folder that goes, and databases beside
the one that a URL names, dropped at the end. The database itself is only read."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

import apsw
import asyncpg

from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.database import Database
from vacancy.db.postgres.database import PostgresDatabase
from vacancy.db.postgres.errors import CONNECTING_ERRORS, translated
from vacancy.db.postgres.pool import ConnectionPool
from vacancy.db.sqlite.database import SqliteDatabase
from vacancy.db.statement import Engine
from vacancy.errors import Missing, Unavailable, VacancyError

CONNECTIONS = 8
"""Of the side before, to PostgreSQL: as many as a server has by default."""
_PREFIX = "vacancy_bench_"


class Copies:
    """Makes databases of one run; `open_copies` ends them."""

    def __init__(self, engine: Engine, url: str, folder: Path) -> None:
        self._engine = engine
        self._url = url
        self._folder = folder
        self._run = f"{_PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
        self._names: list[str] = []

    async def make(self, name: str) -> str:
        """The URL of an empty database."""
        if self._engine == "sqlite":
            return f"sqlite:///{self._folder / f'{name}.db'}"
        await self._create(name)
        return self._url_of(name)

    async def copy(self, source: str, name: str) -> str:
        """The URL of a copy of one that `make` gave; nobody may have that open."""
        if self._engine == "sqlite":
            target = self._folder / f"{name}.db"
            await asyncio.to_thread(_copy_file, sqlite_path(source), target)
            return f"sqlite:///{target}"
        await self._create(name, template=urlsplit(source).path.lstrip("/"))
        return self._url_of(name)

    async def copy_live(self, url: str, name: str) -> str:
        """The URL of a copy of a database that others may be using.

        Raises `Unavailable` BENCH_COPY_FAILED, and what `make` raises.
        """
        if self._engine == "sqlite":
            return await self.copy(url, name)
        made = await self.make(name)
        await _dump(url, made)
        return made

    async def end(self) -> None:
        """Drops what was made: all that can be, then what went wrong is raised."""
        failed: VacancyError | None = None
        for name in self._names:
            try:
                await self._command(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            except VacancyError as error:
                failed = error
        self._names.clear()
        if failed is not None:
            raise failed

    async def _create(self, name: str, template: str = "") -> None:
        database = f"{self._run}_{name}"
        self._names.append(database)
        of = f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
        await self._command(f'CREATE DATABASE "{database}"{of}')

    def _url_of(self, name: str) -> str:
        return _joined(urlsplit(self._url)._replace(path=f"/{self._run}_{name}"))

    async def _command(self, sql: str) -> None:
        try:
            connection = await asyncpg.connect(self._url, timeout=10)
        except CONNECTING_ERRORS as error:
            raise translated(error, "connecting") from error
        try:
            await connection.execute(sql)
        except asyncpg.InsufficientPrivilegeError as error:
            raise Unavailable(
                "BENCH_NOT_ALLOWED",
                f"The role may not create databases: {error}.",
                hint="ALTER ROLE … CREATEDB, or measure in a file with --engine sqlite.",
            ) from None
        finally:
            await connection.close()


@asynccontextmanager
async def open_copies(engine: Engine, url: str) -> AsyncIterator[Copies]:
    """Databases of this engine until the end, also of one that is broken off. `url` is that of a
    PostgreSQL beside whose database they are made; for SQLite it is not looked at."""
    with TemporaryDirectory(prefix=_PREFIX) as folder:
        copies = Copies(engine, url, Path(folder))
        try:
            yield copies
        finally:
            await asyncio.shield(copies.end())


@asynccontextmanager
async def open_as_others(url: str) -> AsyncIterator[Database]:
    """A database as it is opened by those who know nothing of us: PostgreSQL without the settings
    of our sessions. JIT alone is off, which would only harm."""
    if engine_of(url) == "sqlite":
        db: Database = SqliteDatabase(sqlite_path(url))
    else:

        async def connect() -> Any:
            return await asyncpg.connect(url, server_settings={"timezone": "UTC", "jit": "off"})

        db = PostgresDatabase(ConnectionPool(connect, CONNECTIONS))
    try:
        yield db
    finally:
        await db.close()


async def change_copy(url: str, *statements: str) -> None:
    """Changes a copy by plain SQL: what is measured is never changed in this way."""
    if engine_of(url) == "sqlite":
        await asyncio.to_thread(_change_file, sqlite_path(url), statements)
        return
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def learn_sizes(url: str) -> None:
    """Lets planners know what is in the tables. One that was analysed while it was empty is taken
    for empty until autovacuum looks at it again; an empty one is left as it is."""
    if engine_of(url) == "sqlite":
        await change_copy(url, "ANALYZE")
        return
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        )
        for (name,) in tables:
            if await connection.fetchval(f'SELECT EXISTS (SELECT 1 FROM "{name}")'):
                await connection.execute(f'VACUUM (ANALYZE) "{name}"')
    finally:
        await connection.close()


def _change_file(path: Path, statements: Sequence[str]) -> None:
    connection = apsw.Connection(str(path))
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def _copy_file(source: Path, target: Path) -> None:
    if not source.exists():
        raise Missing("DATABASE_MISSING", f"There is no database file {source}.")
    # Through the library: it knows what still lies in the log beside the file. In one step, which
    # writers of a database in WAL mode neither wait for nor disturb.
    origin = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    copy = apsw.Connection(str(target))
    try:
        with copy.backup("main", origin, "main") as backup:
            backup.step()
    finally:
        copy.close()
        origin.close()


def _joined(parts: SplitResult) -> str:
    """As `urlunsplit`, which leaves out the slashes before a host that is not there."""
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{query}"


def _without_password(url: str) -> tuple[str, str | None]:
    """The URL for a command line, which everybody on the machine may read, and the password."""
    parts = urlsplit(url)
    account, at, place = parts.netloc.rpartition("@")
    user, colon, password = account.partition(":")
    asked = parse_qsl(parts.query, keep_blank_values=True)
    given = [value for name, value in asked if name == "password"]
    query = urlencode([(name, value) for name, value in asked if name != "password"])
    bare = _joined(parts._replace(netloc=f"{user}{at}{place}", query=query))
    if given:
        return bare, given[-1]
    return bare, unquote(password) if colon else None


async def _dump(source: str, target: str) -> None:
    for program in ("pg_dump", "pg_restore"):
        if shutil.which(program) is None:
            raise Unavailable(
                "BENCH_COPY_FAILED",
                f"A PostgreSQL in use is copied by {program}, which is not on PATH.",
                hint="Install PostgreSQL's client programs, or have a database made to measure in.",
            )
    source, password = _without_password(source)
    target, _ = _without_password(target)
    environ = {**os.environ, **({} if password is None else {"PGPASSWORD": password})}
    reading, writing = os.pipe()
    dump = await asyncio.create_subprocess_exec(
        "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--dbname={source}",
        stdout=writing, stderr=asyncio.subprocess.PIPE, env=environ,
    )  # fmt: skip
    os.close(writing)
    restore = await asyncio.create_subprocess_exec(
        "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", f"--dbname={target}",
        stdin=reading, stderr=asyncio.subprocess.PIPE, env=environ,
    )  # fmt: skip
    os.close(reading)
    try:
        (_, told), (_, heard) = await asyncio.gather(dump.communicate(), restore.communicate())
    finally:
        for process in (dump, restore):
            if process.returncode is None:
                process.kill()
    if dump.returncode or restore.returncode:
        why = (told + heard).decode(errors="replace").strip() or "they say nothing"
        raise Unavailable(
            "BENCH_COPY_FAILED",
            f"pg_dump or pg_restore has failed: {why}",
            hint="Both must be on PATH in the server's version or a later one; or have a database"
            " made to measure in.",
        )
