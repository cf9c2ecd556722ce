"""Indexes are tried on a copy: nothing of the database is changed or locked, and the plans of the
copy are those of the tables themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.shape import open_shape
from vacancy.db.catalog import differences
from vacancy.db.connect import engine_of
from vacancy.db.gate import registered_statements
from vacancy.db.read_catalog import read_catalog
from vacancy.errors import Internal
from vacancy.hotel.declared import declared_indexes
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.sizes import SIZES
from vacancy.perf.indexes.open_trial import open_trial
from vacancy.perf.indexes.postgres_trial import open_postgres_trial
from vacancy.perf.indexes.read_workload import read_query_file
from vacancy.perf.indexes.trial import Change, IndexMade, Look, Planned, made_from
from vacancy.perf.indexes.workload import Question, Workload, workload_of_statements

BY_USER = "bookings.get_user_bookings_with_room_type"


def ours(url: str) -> Workload:
    return workload_of_statements(engine_of(url), registered_statements())


def index_of(look: Look, table: str, name: str) -> IndexMade:
    whole = look.catalog.table(table)
    found = next(index for index in whole.indexes if index.name == name)
    return made_from(look.catalog.engine, whole, found)


def ways(look: Look, name: str) -> dict[str, str]:
    plan = look.plans[name].plan
    assert plan is not None
    return {way.table: str(way) for way in plan.ways}


def changed(one: Look, other: Look) -> list[str]:
    return [name for name, plan in one.plans.items() if not plan.same_as(other.plans[name])]


def test_a_change_is_tried_and_undone(database_url: str) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        questions = ours(database_url).questions
        async with open_trial(database_url, SIZES) as trial:
            before = await trial.look(questions)
            index = index_of(before, "bookings", "ix_bookings_user")
            without = await trial.look(questions, Change(drops=(index,)))
            again = await trial.look(questions)
            anew = await trial.look(questions, Change(drops=(index,), creates=(index,)))
        assert [name for name, planned in before.plans.items() if planned.refusal] == []
        assert ways(before, BY_USER)["bookings"] == "ix_bookings_user (user_id, id)"
        assert changed(before, without) == [BY_USER]
        assert without.plans[BY_USER].worse_than(before.plans[BY_USER])
        assert (changed(before, again), changed(before, anew)) == ([], [])
        assert anew.catalog.table("bookings").indexes == before.catalog.table("bookings").indexes
        left = {one.name for one in without.catalog.table("bookings").indexes}
        assert "ix_bookings_user" not in left

    asyncio.run(story())


def test_what_is_declared_is_what_the_migrations_make(database_url: str) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        engine = engine_of(database_url)
        declared = [one for one in declared_indexes(engine) if one.kind == "index"]
        async with open_trial(database_url, SIZES) as trial:
            before = await trial.look(())
            standing = tuple(index_of(before, one.table, one.name) for one in declared)
            after = await trial.look((), Change(drops=standing, creates=tuple(declared)))
        assert after.refused == {}
        for table in before.catalog.tables:
            assert after.catalog.table(table.name).indexes == table.indexes
        assert len(declared) == sum(len(table.indexes) for table in before.catalog.tables)

    asyncio.run(story())


def test_it_leaves_no_trace(database_url: str, tmp_path: Path) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        before = await read_catalog(database_url)
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        async with open_trial(database_url, SIZES) as trial:
            look = await trial.look(ours(database_url).questions)
            await trial.look((), Change(drops=(index_of(look, "bookings", "ix_bookings_user"),)))
            assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
            assert differences(before, await read_catalog(database_url)) == []
        assert differences(before, await read_catalog(database_url)) == []

    asyncio.run(story())


def test_a_name_that_stands_in_no_copy_drops_nothing(postgres_url: str) -> None:
    """The name alone would be that of the index itself."""

    async def story() -> None:
        await migrate_database(postgres_url)
        index = IndexMade(name="ix_bookings_user", table="bookings", body="(user_id)")
        async with open_postgres_trial(postgres_url, SIZES) as trial:
            look = await trial.look((), Change(drops=(index, index)))
            assert "does not exist" in look.refused["ix_bookings_user"]
        kept = {one.name for one in (await read_catalog(postgres_url)).table("bookings").indexes}
        assert "ix_bookings_user" in kept

    asyncio.run(story())


def test_no_writer_waits_and_not_even_a_migration(postgres_url: str) -> None:
    async def story() -> None:
        await migrate_database(postgres_url)
        writer = await asyncpg.connect(postgres_url, server_settings={"lock_timeout": "100ms"})
        async with open_postgres_trial(postgres_url, SIZES) as trial:
            await trial.look(ours(postgres_url).questions)
            locked = await writer.fetch(
                """
                SELECT l.relation::regclass::text
                FROM pg_locks AS l
                JOIN pg_class AS c ON c.oid = l.relation
                WHERE l.pid <> pg_backend_pid() AND c.relnamespace = 'public'::regnamespace
                """
            )
            assert [tuple(row) for row in locked] == []
            await writer.execute(
                "INSERT INTO users (id, name, email, created_at) VALUES (1, 'n', 'e', now())"
            )
            # It takes the strongest lock there is.
            await writer.execute("ALTER TABLE bookings ADD COLUMN later bigint")
        await writer.close()

    asyncio.run(story())


def test_the_copy_plans_as_the_tables_do(postgres_url: str) -> None:
    """The same sizes given to the tables themselves, which a live database would not forgive."""

    async def story() -> dict[str, tuple[str, str]]:
        async with open_shape(postgres_url) as shape:
            witness = await shape.look()
            statements = registered_statements()
            real = {one.name: Planned(plan=await witness.plan(one)) for one in statements}
        async with open_postgres_trial(postgres_url, SIZES) as trial:
            look = await trial.look(ours(postgres_url).questions)
        return {
            name: (planned.in_words(), look.plans[name].in_words())
            for name, planned in real.items()
            if not planned.same_as(look.plans[name])
        }

    assert asyncio.run(story()) == {}


def test_without_sizes_the_statistics_of_the_tables_are_taken(postgres_url: str) -> None:
    async def story() -> None:
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(
            """
            CREATE TABLE shops (id bigint PRIMARY KEY, town text NOT NULL, kind text NOT NULL);
            CREATE INDEX ix_shops_town ON shops (town);
            CREATE INDEX ix_shops_kind ON shops (kind);
            INSERT INTO shops SELECT n, 'town ' || n, 'kind ' || n % 2
            FROM generate_series(1, 20000) AS n;
            ANALYZE shops
            """
        )
        await connection.close()
        question = Question(name="of", sql="SELECT id FROM shops WHERE town = $1 AND kind = $2")
        async with open_postgres_trial(postgres_url, None) as trial:
            look = await trial.look((question,))
            assert trial.known_rows("shops") == 20_000
        assert ways(look, "of") == {"shops": "ix_shops_town (town)"}

    asyncio.run(story())


def test_who_may_make_no_copy_is_told_so_and_gets_plans(postgres_url: str) -> None:
    async def story() -> None:
        await migrate_database(postgres_url)
        database = urlsplit(postgres_url).path[1:]
        role = f"reader_of_{database}"
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(
            f"""
            REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC;
            CREATE ROLE {role} LOGIN;
            GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}
            """
        )
        try:
            url = postgres_url.replace("//postgres@", f"//{role}@")
            async with open_postgres_trial(url, SIZES) as trial:
                assert not trial.tries
                assert "TEMPORARY" in trial.why_not
                look = await trial.look(ours(url).questions)
                assert [one.refusal for one in look.plans.values() if one.refusal] == []
                assert ways(look, BY_USER)["properties"] == "pk_properties (id)"
                with pytest.raises(Internal, match="TRIAL_IMPOSSIBLE"):
                    await trial.look((), Change(creates=(declared_indexes("postgresql")[0],)))
        finally:
            await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
            await connection.close()

    asyncio.run(story())


def test_a_role_that_only_reads_can_try_too(postgres_url: str) -> None:
    async def story() -> None:
        await migrate_database(postgres_url)
        url = f"{postgres_url}?default_transaction_read_only=on"
        async with open_postgres_trial(url, SIZES) as trial:
            look = await trial.look(ours(url).questions)
        assert ways(look, BY_USER)["bookings"] == "ix_bookings_user (user_id, id)"

    asyncio.run(story())


def test_a_second_statement_behind_one_is_not_run(database_url: str) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        sql = "SELECT id FROM bookings WHERE id = 1; DROP TABLE bookings"
        async with open_trial(database_url, SIZES) as trial:
            first = await trial.look((Question(name="two", sql=sql),))
            again = await trial.look((Question(name="one", sql="SELECT id FROM bookings"),))
        # SQLite is asked for the first one alone.
        plan = first.plans["two"]
        assert "multi-query" in plan.refusal or plan.in_words() == "bookings by pk_bookings (id)"
        assert again.plans["one"].refusal == ""
        assert "bookings" in {table.name for table in (await read_catalog(database_url)).tables}

    asyncio.run(story())


def read(folder: Path, text: str, *, engine: str = "postgresql") -> Sequence[tuple[str, str]]:
    path = folder / "queries.sql"
    path.write_text(text)
    found = read_query_file(path, "sqlite" if engine == "sqlite" else "postgresql")
    return [(question.name, question.sql) for question in found.questions]


def test_a_file_of_queries_is_cut_where_statements_end(tmp_path: Path) -> None:
    text = """
    -- name: first
    SELECT a FROM t WHERE b = ';' AND c = :c AND d = :c; -- not; here
    SELECT "x;y", '?' FROM public.t WHERE a = ? AND b = ?;
    /* ; */ SELECT $tag$ ; $tag$, a FROM t WHERE a = $1;
    CREATE TABLE t (a integer);
    """
    assert read(tmp_path, text) == [
        ("first", "SELECT a FROM t WHERE b = ';' AND c = $1 AND d = $1"),
        (
            "SELECT \"x;y\", '?' FROM public.t WHERE a = ? AND b = ?",
            "SELECT \"x;y\", '?' FROM t WHERE a = $1 AND b = $2",
        ),
        (
            "SELECT $tag$ ; $tag$, a FROM t WHERE a = $1",
            "SELECT $tag$ ; $tag$, a FROM t WHERE a = $1",
        ),
    ]
    assert read(tmp_path, "SELECT a FROM t WHERE b = :b", engine="sqlite") == [
        ("SELECT a FROM t WHERE b = :b", "SELECT a FROM t WHERE b = :b")
    ]
