"""Every seeded regression can be brought into the tree and taken out again, on each database that
it names: a seed that no longer fits must not pass for one that is caught."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, get_args

import apsw
import asyncpg
import msgspec
import pytest

from tests.scaled import Scaled, calls_at, make_scaled
from tests.seeds import ALL, HELPER_FAULTS, SCHEMA_FAULTS, STATEMENT_FAULTS, Seed, StatementFault
from tests.seeds.seed import (
    Family,
    break_schema,
    broken_helper,
    broken_postgres,
    broken_sqlite,
    broken_statement,
    statements_by_name,
    texts_of,
)
from tests.seeds.unseen import UNSEEN
from vacancy.bootstrap import House, open_house
from vacancy.config import Settings
from vacancy.db.catalog import Catalog
from vacancy.db.postgres.catalog import read_postgres_catalog
from vacancy.db.read_catalog import read_catalog
from vacancy.db.sqlite.catalog import read_sqlite_catalog
from vacancy.db.statement import Engine, SetStatement
from vacancy.errors import Internal
from vacancy.hotel import queries
from vacancy.hotel.migrating import migrate_database

TEXTS: tuple[StatementFault, ...] = (*STATEMENT_FAULTS, *UNSEEN)
STOPPED = ("text-of-its-own", "ids-that-exist")
"""Helpers with a text that is not registered: they do not come to an answer."""
S = TypeVar("S", bound=Seed)


def test_the_corpus_is_large_and_broad() -> None:
    assert len(ALL) >= 60
    assert {seed.family for seed in ALL} == set(get_args(Family))
    assert all(seed.why and seed.expects and seed.engines for seed in ALL)


def test_names_are_unique() -> None:
    names = Counter(seed.name for seed in (*ALL, *UNSEEN))
    assert [name for name, times in names.items() if times > 1] == []


def test_what_only_an_oracle_sees_is_little() -> None:
    of_answers = [seed for seed in ALL if "ANSWER_DIFFERS" in seed.expects]
    assert {seed.family for seed in of_answers} == {"answer"}
    assert 1 <= len(of_answers) <= 8
    assert all(seed.expects == ("ANSWER_DIFFERS",) for seed in of_answers)


def test_seeds_are_at_what_there_is() -> None:
    helpers = {seed.at for seed in HELPER_FAULTS}
    assert helpers <= set(queries.__all__)
    assert {seed.at for seed in (*SCHEMA_FAULTS, *TEXTS)} <= set(statements_by_name())


def test_every_schema_fault_applies_and_is_undone_on_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "vacancy.db"
    asyncio.run(migrate_database(f"sqlite:///{path}"))
    connection = apsw.Connection(str(path))
    clean = _shape(connection)
    for seed in seeds_on("sqlite", SCHEMA_FAULTS):
        with broken_sqlite(connection, seed):
            assert _shape(connection) != clean, seed.name
            read_sqlite_catalog(connection)
        assert _shape(connection) == clean, seed.name
    connection.close()


def test_every_schema_fault_applies_and_is_undone_on_postgresql(postgres_url: str) -> None:
    async def story() -> None:
        async with _migrated(postgres_url) as connection:
            clean = await read_postgres_catalog(connection)
            for seed in seeds_on("postgresql", SCHEMA_FAULTS):
                async with broken_postgres(connection, seed):
                    assert await read_postgres_catalog(connection) != clean, seed.name
            assert await read_postgres_catalog(connection) == clean

    asyncio.run(story())


def test_a_schema_fault_can_be_left_in_a_database(database_url: str) -> None:
    """For those who look at it from outside, by a command say."""

    async def story() -> tuple[Catalog, Catalog]:
        await migrate_database(database_url)
        before = await read_catalog(database_url)
        await break_schema(database_url, SCHEMA_FAULTS[0])
        return before, await read_catalog(database_url)

    before, after = asyncio.run(story())
    assert before != after


def test_every_faulty_text_prepares_on_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "vacancy.db"
    asyncio.run(migrate_database(f"sqlite:///{path}"))
    connection = apsw.Connection(str(path))
    for seed in seeds_on("sqlite", TEXTS):
        with broken_statement(seed) as statement:
            if isinstance(statement, SetStatement):
                nothing = [None] * len(statement.columns)
                steps = connection.execute(f"EXPLAIN {statement.sqlite(1)}", nothing)
            else:
                steps = connection.execute(f"EXPLAIN {statement.sqlite}", _Nothing())
            assert steps.fetchall(), seed.name
    connection.close()


def test_every_faulty_text_prepares_on_postgresql(postgres_url: str) -> None:
    async def story() -> None:
        async with _migrated(postgres_url) as connection:
            for seed in seeds_on("postgresql", TEXTS):
                with broken_statement(seed) as statement:
                    assert await connection.prepare(statement.postgresql), seed.name

    asyncio.run(story())


def test_a_faulty_text_differs_where_it_should_and_is_undone() -> None:
    for seed in TEXTS:
        statement = statements_by_name()[seed.at]
        slots = [slot for slot in type(statement).__slots__ if slot != "registered"]
        clean, texts = [getattr(statement, slot) for slot in slots], texts_of(statement)
        with broken_statement(seed):
            pairs = zip(("sqlite", "postgresql"), texts, texts_of(statement), strict=True)
            differs = {engine for engine, was, now in pairs if was != now}
            assert differs == (set() if seed.declares else set(seed.engines)), seed.name
            for name, value in seed.declares.items():
                assert getattr(statement, name) == value, seed.name
        assert [getattr(statement, slot) for slot in slots] == clean, seed.name


def test_a_text_that_has_moved_on_is_not_broken_unseen() -> None:
    seed = msgspec.structs.replace(TEXTS[0], at="catalogue.list_properties")
    with pytest.raises(AssertionError, match="Mend the seed"), broken_statement(seed):
        pass


def test_faulty_helpers_take_their_place_and_leave_it() -> None:
    for seed in HELPER_FAULTS:
        real = getattr(queries, seed.at)
        promise = real.contract
        home = inspect.getmodule(real)
        with broken_helper(seed) as faulty:
            assert getattr(queries, seed.at) is faulty is getattr(home, seed.at), seed.name
            assert hasattr(faulty, "contract") == seed.keeps_contract, seed.name
        assert getattr(queries, seed.at) is real is getattr(home, seed.at), seed.name
        assert real.contract is promise
        assert not hasattr(seed.faulty, "contract"), seed.name


def test_faulty_helpers_answer_the_same(tmp_path: Path) -> None:
    """Only their way is bad; otherwise an oracle would see them too."""

    async def story() -> None:
        async with _a_house(f"sqlite:///{tmp_path / 'vacancy.db'}") as (house, scaled):
            for variant, call in calls_at(scaled).items():
                name = variant.partition("/")[0]
                right = await call(getattr(queries, name), house.db)
                for seed in HELPER_FAULTS:
                    if seed.at != name or not call.fits(seed.faulty):
                        continue
                    if seed.name in STOPPED:
                        with pytest.raises(Internal, match="not registered"):
                            await call(seed.faulty, house.db)
                    else:
                        assert await call(seed.faulty, house.db) == right, (seed.name, variant)

    asyncio.run(story())


def seeds_on(engine: Engine, seeds: Iterable[S]) -> list[S]:
    return [seed for seed in seeds if engine in seed.engines]


def _shape(connection: apsw.Connection) -> list[Any]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
    return rows.fetchall()


class _Nothing(dict[str, None]):
    """Bindings for any parameter."""

    def __missing__(self, name: str) -> None:
        return None


@asynccontextmanager
async def _migrated(url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    await migrate_database(url)
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _a_house(url: str) -> AsyncIterator[tuple[House, Scaled]]:
    await migrate_database(url)
    async with open_house(Settings(database_url=url, env="test")) as house:
        yield house, (await make_scaled(house))[1]
