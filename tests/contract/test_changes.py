"""Feeds tell all that was committed, by whomever, and little else. On both databases."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import apsw
import asyncpg
import pytest

from tests.outside import an_outsider
from tests.scratch_migrations import a_door
from tests.servers import PostgresServer, postgres_server
from tests.shelves import (
    ADD_BOOKS,
    RAISE_PRICES,
    SUM_PRICES,
    SUM_PRICES_HEAVILY,
    Watched,
    look,
    watched_shelves,
)
from vacancy.db import change_log
from vacancy.db import changes as limits
from vacancy.db.change_log import prune_log
from vacancy.db.changes import NOTHING
from vacancy.db.database import Transaction
from vacancy.db.migrate import BASE
from vacancy.db.postgres import changes as postgres_changes
from vacancy.db.sqlite.changes import SqliteFeed
from vacancy.errors import Misconfigured, Unavailable, Unsupported, VacancyError
from vacancy.hotel.migrating import migrate_database

A, A2, B, B5 = "books/1/2026-03/5", "books/1/2026-04/6", "books/2/2026-03/5", "books/1/2026-03/6"

RAW = [
    ("UPDATE books SET price = 1 WHERE id = 10", {A}),
    ("UPDATE books SET price = 1 WHERE shelf_id = 1", {A, A2}),
    ("UPDATE books SET price = 1 WHERE id = 99", set()),
    ("UPDATE books SET price = price WHERE id = 10", {A}),
    ("UPDATE books SET kind = 6 WHERE id = 10", {A, B5}),
    ("UPDATE books SET day = '2026-04-01', kind = 6 WHERE id = 10", {A, A2}),
    ("UPDATE books SET day = '2026-03-02' WHERE id = 10", {A}),
    ("INSERT INTO books VALUES (13, 2, '2026-03-09', 5, '', 0)", {B}),
    ("DELETE FROM books WHERE id = 20", {B}),
    ("DELETE FROM books", {A, A2, B}),
    ("DELETE FROM shelves WHERE id = 2", {"shelves/2", B}),
    ("UPDATE shelves SET name = 'x' WHERE id = 3", {"shelves/3"}),
    ("UPDATE shelves SET id = 9 WHERE id = 3", {"shelves/3", "shelves/9"}),
    (
        "INSERT INTO books VALUES (10, 2, '2026-03-01', 5, '', 0)"
        " ON CONFLICT (id) DO UPDATE SET price = 7",
        {A},
    ),
    (
        "INSERT INTO books VALUES (10, 2, '2026-03-01', 5, '', 0) ON CONFLICT DO NOTHING",
        set(),
    ),
    ("DELETE FROM api_keys", set()),
]


@pytest.mark.parametrize(("sql", "tags"), RAW, ids=[sql[:60] for sql, _ in RAW])
def test_raw_sql_is_told_by_its_tags(database_url: str, sql: str, tags: set[str]) -> None:
    async def story() -> None:
        async with watched_shelves(database_url) as shelves:
            if shelves.db.engine == "sqlite":  # where a program has to ask for cascades
                await shelves.outside.run("PRAGMA foreign_keys = ON")
            seen = await shelves.seen_after(sql)
            if shelves.db.engine == "sqlite" and "ON CONFLICT" in sql:
                assert tags <= seen <= {A}  # a row that might have been replaced is told of
            else:
                assert seen == tags
            assert await shelves.look() == set()

    asyncio.run(story())


def test_our_own_units_are_told(database_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(database_url) as shelves:

            async def unit(tx: Transaction) -> None:
                await tx.execute(RAISE_PRICES, shelf=2)
                await tx.execute_sets([(ADD_BOOKS, [(30, 3, date(2027, 1, 1), 1)])])
                assert await look(shelves.feed) == NOTHING, "it is not committed yet"

            await shelves.db.transact(unit)
            assert await shelves.look() == {B, "books/3/2027-01/1"}

            async def undone(tx: Transaction) -> None:
                await tx.execute(RAISE_PRICES, shelf=1)
                raise KeyError

            with suppress(KeyError):
                await shelves.db.transact(undone)
            assert await shelves.look() == set()

    asyncio.run(story())


def test_what_is_undone_is_not_told(database_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(database_url) as shelves:
            assert await shelves.seen_after("BEGIN", "DELETE FROM books", "ROLLBACK") == set()
            part = (
                *("BEGIN", "UPDATE books SET price = 3 WHERE id = 20"),
                *("SAVEPOINT here", "UPDATE books SET price = 3 WHERE id = 10"),
                *("ROLLBACK TO SAVEPOINT here", "COMMIT"),
            )
            assert await shelves.seen_after(*part) == {B}

    asyncio.run(story())


def test_who_began_before_a_look_and_ends_after_it_is_told(database_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(database_url) as shelves:
            await shelves.outside.run("BEGIN", "UPDATE books SET price = 3 WHERE id = 10")
            assert await shelves.look() == set()
            assert await shelves.look() == set()
            await shelves.outside.run("UPDATE books SET price = 3 WHERE id = 20", "COMMIT")
            assert await shelves.look() == {A, B}
            assert await shelves.look() == set()

    asyncio.run(story())


def test_commits_become_visible_in_any_order(postgres_url: str) -> None:
    """The elder of two transactions ends last, with an entry below those that were seen."""

    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves, an_outsider(postgres_url) as elder:
            await elder.run("BEGIN", "UPDATE books SET price = 3 WHERE id = 10")
            assert await shelves.seen_after("UPDATE books SET price = 3 WHERE id = 20") == {B}
            # Its number is given to a transaction when it writes; this one has none yet.
            async with an_outsider(postgres_url) as idle:
                await idle.run("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT 1 FROM books")
                assert await shelves.look() == set()
                await idle.run("UPDATE books SET price = 3 WHERE id = 12", "COMMIT")
            assert await shelves.look() == {A2}
            await elder.run("COMMIT")
            assert await shelves.look() == {A}
            assert await shelves.look() == set()

    asyncio.run(story())


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    settings = {"max_prepared_transactions": "2"}
    with postgres_server(tmp_path_factory.mktemp("own") / "server", settings) as server:
        yield server


def test_a_prepared_transaction_is_told_once_it_is_committed(own_server: PostgresServer) -> None:
    async def story(url: str) -> None:
        async with watched_shelves(url) as shelves:
            await shelves.outside.run(
                *("BEGIN", "UPDATE books SET price = 3 WHERE id = 10"),
                "PREPARE TRANSACTION 'later'",
            )
            assert await shelves.look() == set()
            assert await shelves.seen_after("COMMIT PREPARED 'later'") == {A}

    own_server.create_database("prepared")
    asyncio.run(story(own_server.url("prepared")))


def test_a_standby_is_not_believed(own_server: PostgresServer) -> None:
    """A server in recovery cannot tell when others commit on the primary."""
    own_server.create_database("standby")
    url = own_server.url("standby")

    async def story() -> None:
        async with watched_shelves(url) as shelves:
            await asyncio.to_thread(own_server.stop)
            signal = own_server.data / "standby.signal"
            signal.touch()
            await asyncio.to_thread(own_server.start)
            with suppress(VacancyError):  # the connection may be known to be lost, or not
                await shelves.feed.look()
            with pytest.raises(Unsupported) as refused:
                await shelves.feed.look()
            assert refused.value.code == "CHANGES_INEXACT"
            await asyncio.to_thread(own_server.stop)
            signal.unlink()
            await asyncio.to_thread(own_server.start)
            async with an_outsider(url) as outside:
                with suppress(Unavailable):
                    assert (await shelves.feed.look()).everything
                await shelves.settle()
                await outside.run("UPDATE books SET price = 3 WHERE id = 10")
                assert await shelves.look() == {A}

    asyncio.run(story())


def test_truncate_is_all_of_a_table(postgres_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves:
            assert await shelves.seen_after("TRUNCATE books") == {"books/*"}
            told = await shelves.seen_after("TRUNCATE shelves CASCADE")
            assert told == {"shelves/*", "books/*"}

    asyncio.run(story())


def test_a_statement_with_too_many_tags_is_all_of_its_table(postgres_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves:
            assert await shelves.seen_after(_books(limits.MAX_TAGS + 1)) == {"books/*"}
            raised = "UPDATE books SET kind = kind + 1 WHERE id > 1000"
            assert await shelves.seen_after(raised) == {"books/*"}
            assert await shelves.seen_after("DELETE FROM books") == {"books/*"}
            # A row for each statement, and none for one that found nothing.
            logged = "SELECT COUNT(*) FROM change_log"
            before = await shelves.db.adhoc(logged)
            assert await shelves.seen_after("DELETE FROM books") == set()
            assert await shelves.db.adhoc(logged) == before
            await shelves.outside.run(_books(100))
            assert await shelves.db.adhoc(logged) == [(before[0][0] + 1,)]
            assert len(await shelves.look()) == 100

    asyncio.run(story())


def test_copy_and_merge_are_told(postgres_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves:
            merge = """
            MERGE INTO books USING (VALUES (10, 1), (77, 2)) AS given (id, shelf_id)
            ON books.id = given.id
            WHEN MATCHED THEN DELETE
            WHEN NOT MATCHED THEN INSERT VALUES (given.id, given.shelf_id, '2026-03-01', 5, '', 0)
            """
            assert await shelves.seen_after(merge) == {A, B}
            connection = await asyncpg.connect(postgres_url)
            await connection.copy_records_to_table("shelves", records=[(8, "eight")])
            await connection.close()
            assert await shelves.look() == {"shelves/8"}

    asyncio.run(story())


REPLACED = [
    ("REPLACE INTO books VALUES (10, 2, '2026-03-01', 5, '', 0)", {A, B}),
    ("REPLACE INTO books VALUES (99, 1, '2026-04-01', 6, 'a', 0)", {A, A2}),
    ("REPLACE INTO books VALUES (10, 1, '2026-03-01', 5, 'a', 9)", {A}),
    ("UPDATE OR REPLACE books SET id = 10 WHERE id = 20", {A, B}),
    ("UPDATE OR REPLACE books SET rowid = 10 WHERE id = 20", {A, B}),
    ("UPDATE OR REPLACE books SET code = 'a', day = '2026-04-01' WHERE id = 12", {A, A2}),
    ("UPDATE OR REPLACE books SET code = 'a' WHERE id = 12", {A, A2}),
    ("REPLACE INTO shelves VALUES (7, 'one')", {"shelves/1", "shelves/7"}),
    ("UPDATE shelves SET rowid = 9 WHERE id = 3", {"shelves/3", "shelves/9"}),
    ("UPDATE OR REPLACE shelves SET name = 'one' WHERE id = 3", {"shelves/1", "shelves/3"}),
    ("UPDATE OR REPLACE shelves SET rowid = 1 WHERE id = 3", {"shelves/1", "shelves/3"}),
]


@pytest.mark.parametrize(("sql", "tags"), REPLACED, ids=[sql for sql, _ in REPLACED])
def test_rows_that_are_replaced_are_told(tmp_path: Path, sql: str, tags: set[str]) -> None:
    """Without `recursive_triggers`, as a shell has it: no trigger fires for the row that goes."""

    async def story() -> None:
        async with watched_shelves(f"sqlite:///{tmp_path / 'shelves.db'}") as shelves:
            assert await shelves.seen_after("PRAGMA foreign_keys = OFF", sql) == tags

    asyncio.run(story())


def test_vacuum_changes_nothing_or_everything(database_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(database_url) as shelves:
            await shelves.outside.run("VACUUM")
            first = await look(shelves.feed)
            assert not first.tags
            assert await shelves.seen_after("UPDATE books SET price = 1 WHERE id = 10") == {A}

    asyncio.run(story())


def test_a_migration_is_everything(database_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(database_url) as shelves:
            async with a_door(database_url) as door:
                await door.run(["UPDATE books SET price = 2"], transactional=True)
            assert "everything" in await shelves.look_all()
            async with a_door(database_url) as door:
                index = "CREATE INDEX CONCURRENTLY ix_price ON books (price)"
                if shelves.db.engine == "sqlite":
                    index = index.replace("CONCURRENTLY ", "")
                await door.run([index], transactional=False)
            await shelves.look_all()

    asyncio.run(story())


def test_tables_made_anew_are_everything(database_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(database_url) as shelves:
            await shelves.outside.run("DROP TABLE books", "DROP TABLE shelves")
            await migrate_database(database_url, BASE)
            with pytest.raises(VacancyError):
                await look(shelves.feed)
            await migrate_database(database_url)
            assert await shelves.look_all() == "the first look after one that failed"
            # And without a look between: a log that is another one.
            await migrate_database(database_url, "0004")
            await migrate_database(database_url)
            assert "first look" not in await shelves.look_all()

    asyncio.run(story())


def test_another_incarnation_is_everything(database_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(database_url) as shelves:
            await shelves.outside.run("UPDATE change_state SET incarnation = 'restored'")
            assert "restored" in await shelves.look_all()
            await shelves.outside.run("DELETE FROM change_state")
            with pytest.raises(Unsupported) as refused:
                await look(shelves.feed)
            assert refused.value.code == "SCHEMA_MISMATCH"

    asyncio.run(story())


def test_a_log_that_was_emptied_is_everything(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched_shelves(f"sqlite:///{tmp_path / 'shelves.db'}") as shelves:
            await shelves.outside.run("DELETE FROM change_log")
            assert "log" in await shelves.look_all()
            # The numbers begin anew and meet the old ones.
            await shelves.outside.run("UPDATE books SET price = 1 WHERE id = 10")
            assert "log" in await shelves.look_all()
            assert await shelves.seen_after("UPDATE books SET price = 1 WHERE id = 10") == {A}

    asyncio.run(story())


def _books(count: int) -> str:
    return f"""
    WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {count})
    INSERT INTO books (id, shelf_id, day, kind) SELECT 1000 + id, 3, '2026-03-01', id FROM n
    """


def _log_rows(tag: str, count: int) -> str:
    return f"""
    WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {count})
    INSERT INTO change_log (tag) SELECT '{tag}' FROM n
    """


def test_more_than_a_look_may_tell_is_everything(database_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(database_url) as shelves:
            assert len(await shelves.seen_after(_books(limits.MAX_TAGS))) == limits.MAX_TAGS
            await shelves.outside.run(
                *("BEGIN", "DELETE FROM books WHERE id % 2 = 0"),
                *("DELETE FROM books WHERE id % 2 = 1", "COMMIT"),
            )
            assert "tags" in await shelves.look_all()
            assert await shelves.seen_after("UPDATE shelves SET name = name") == {
                *("shelves/1", "shelves/2", "shelves/3")
            }
            # Rows that all bear one tag.
            many = 1 + limits.MAX_ROWS // 2
            await shelves.outside.run(
                *("BEGIN", _log_rows("one tag", many), _log_rows("one tag", many), "COMMIT")
            )
            assert "changes" in await shelves.look_all()

    asyncio.run(story())


def test_a_pruned_log_keeps_what_it_must(database_url: str) -> None:
    """A feed that keeps up notices nothing; one that was behind finds everything changed."""

    async def story() -> None:
        async with watched_shelves(database_url) as shelves:
            late = shelves.db.open_feed()
            await late.look()
            keep = change_log.KEEP_ROWS
            if shelves.db.engine == "postgresql":
                keep = change_log.KEEP_STATEMENTS
            rows = keep + 3 * change_log.AT_ONCE
            per_commit = change_log.AT_ONCE // 2
            for _ in range(rows // per_commit):
                await shelves.outside.run(_log_rows("some", per_commit))
                assert await shelves.look() == {"some"}
            if shelves.db.engine == "postgresql":
                await _all_before_have_ended(shelves)
                assert await shelves.look() == set()
            while await prune_log(shelves.db):
                assert await shelves.look() == set()
            ((left,),) = await shelves.db.adhoc("SELECT COUNT(*) FROM change_log")
            assert keep <= left <= keep + per_commit
            assert not await prune_log(shelves.db)
            assert await shelves.seen_after("UPDATE books SET price = 1 WHERE id = 10") == {A}
            assert "log" in (await late.look()).everything
            assert await late.look() == NOTHING

    asyncio.run(story())


async def _all_before_have_ended(shelves: Watched) -> None:
    """Waits for other databases of the server: while one has a transaction open that began before
    ours, a look cannot say that it has seen all up to now, and pruning takes nothing from there."""
    newest = "SELECT mark::text FROM change_log ORDER BY entry DESC LIMIT 1"
    ((mark,),) = await shelves.db.adhoc(newest)
    ended = f"SELECT pg_snapshot_xmin(pg_current_snapshot()) > '{mark}'::xid8"
    async with asyncio.timeout(30):
        while await shelves.db.adhoc(ended) != [(True,)]:  # noqa: ASYNC110 - another session's
            await asyncio.sleep(0.01)


def test_a_transaction_that_lasts_holds_up_pruning(postgres_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves, an_outsider(postgres_url) as long:
            await long.run("BEGIN", "UPDATE books SET price = 3 WHERE id = 20")
            for _ in range(5):
                await shelves.outside.run(_log_rows("some", change_log.KEEP_STATEMENTS // 4))
            assert not await prune_log(shelves.db)
            # All that this feed has not told yet began after the one that lasts.
            await long.run("COMMIT")
            assert await shelves.look_all()
            await _all_before_have_ended(shelves)
            assert await shelves.look() == set()
            while await prune_log(shelves.db):
                pass
            assert await shelves.look() == set()

    asyncio.run(story())


# -- SQLite alone: files


@pytest.mark.parametrize("commits_after", [0, 3])
def test_an_older_copy_is_everything(tmp_path: Path, commits_after: int) -> None:
    """Put there by hand, and then written to as often: the entries meet again, the marks do not."""
    path = tmp_path / "shelves.db"

    async def story() -> None:
        async with watched_shelves(f"sqlite:///{path}") as shelves:
            await shelves.outside.run("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(path, tmp_path / "copy.db")
            for _ in range(3):
                await shelves.seen_after("UPDATE books SET price = 1 WHERE id = 10")
            _put_in_place(tmp_path / "copy.db", path)
            async with an_outsider(shelves.url) as other:
                for _ in range(commits_after):
                    await other.run("UPDATE books SET price = 1 WHERE id = 20")
            assert "another file" in await shelves.look_all()

    asyncio.run(story())


def test_an_older_copy_poured_into_the_file_is_everything(tmp_path: Path) -> None:
    """By SQLite's own backup, which writes: the file stays the one that it is."""
    path = tmp_path / "shelves.db"

    async def story() -> None:
        async with watched_shelves(f"sqlite:///{path}") as shelves:
            await shelves.outside.run(f"VACUUM INTO '{tmp_path / 'copy.db'}'")
            await shelves.seen_after("UPDATE books SET price = 1 WHERE id = 10")
            source = apsw.Connection(str(tmp_path / "copy.db"))
            target = apsw.Connection(str(path))
            with target.backup("main", source, "main") as backup:
                backup.step()
            target.execute("UPDATE books SET price = 1 WHERE id = 20")
            target.close()
            source.close()
            assert "the database restored" in await shelves.look_all()

    asyncio.run(story())


def _put_in_place(copy: Path, path: Path) -> None:
    for kind in ("-wal", "-shm"):
        Path(f"{path}{kind}").unlink(missing_ok=True)
    copy.replace(path)


@pytest.mark.parametrize("first", ["look", "write", "heavy"])
def test_a_database_follows_the_file_that_was_put_in_its_place(tmp_path: Path, first: str) -> None:
    path = tmp_path / "shelves.db"

    async def story() -> None:
        async with watched_shelves(f"sqlite:///{path}") as shelves:
            await shelves.outside.run("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(path, tmp_path / "copy.db")
            await _raise_prices(shelves)
            await _raise_prices(shelves)
            assert await shelves.db.adhoc("SELECT SUM(price) FROM books") == [(2,)]
            assert await _prices(shelves, heavy=first == "heavy") == 2
            _put_in_place(tmp_path / "copy.db", path)
            match first:
                case "look":
                    assert "another file" in (await look(shelves.feed)).everything
                    assert await _prices(shelves) == 0
                    await _raise_prices(shelves)
                case "write":
                    await _raise_prices(shelves)
                    assert await _prices(shelves) == 1
                case "heavy":
                    assert await _prices(shelves, heavy=True) == 0
                    await _raise_prices(shelves)
            assert await _prices(shelves) == 1
            await look(shelves.feed)
            assert await shelves.look() == set()
            await _raise_prices(shelves)
            assert await shelves.look() == {B}
        # Closing what was opened before has not taken away what belongs to the new file.
        after = apsw.Connection(str(path))
        assert after.execute("SELECT SUM(price) FROM books").get == 2
        assert after.execute("PRAGMA integrity_check").get == "ok"
        after.close()

    asyncio.run(story())


def test_where_no_file_stands_none_is_made_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "shelves.db"

    async def story() -> None:
        async with watched_shelves(f"sqlite:///{path}") as shelves:
            await shelves.outside.run("PRAGMA wal_checkpoint(TRUNCATE)")
            path.rename(tmp_path / "away.db")
            with pytest.raises(Unavailable) as looking:
                await look(shelves.feed)
            with pytest.raises(Unavailable) as writing:
                await _raise_prices(shelves)
            assert {looking.value.code, writing.value.code} == {"STORAGE_FAILED"}
            assert not path.exists()
            (tmp_path / "away.db").rename(path)
            await _raise_prices(shelves)
            assert await shelves.look_all() == "the first look after one that failed"
            assert await _prices(shelves) == 1

    asyncio.run(story())


def test_a_damaged_file_is_told_and_its_mended_one_is_everything(tmp_path: Path) -> None:
    path = tmp_path / "shelves.db"

    async def story() -> None:
        async with watched_shelves(f"sqlite:///{path}") as shelves:
            await shelves.outside.run("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(path, tmp_path / "copy.db")
            (tmp_path / "letter.txt").write_text("Dear Ada, this is no database. " * 100)
            _put_in_place(tmp_path / "letter.txt", path)
            for _ in range(2):
                with pytest.raises(Unsupported) as refused:
                    await look(shelves.feed)
                assert refused.value.code == "NOT_A_DATABASE"
            _put_in_place(tmp_path / "copy.db", path)
            assert await shelves.look_all() == "the first look after one that failed"

    asyncio.run(story())


def test_a_feed_never_writes_and_leaves_no_transaction_open(tmp_path: Path) -> None:
    path = tmp_path / "shelves.db"

    async def story() -> None:
        async with watched_shelves(f"sqlite:///{path}") as shelves:
            feed = shelves.feed
            assert isinstance(feed, SqliteFeed)
            outside = apsw.Connection(str(path))
            for change in (
                "UPDATE books SET price = 1 WHERE id = 10",
                "UPDATE change_state SET incarnation = 'restored'",
                "DELETE FROM change_log",
            ):
                await shelves.outside.run(change)
                assert feed.look_now() is not None
                # A reader in a transaction would keep the log of the file from being emptied.
                assert outside.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall() == [(0, 0, 0)]
                feed.look_now()
                assert outside.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall() == [(0, 0, 0)]
            outside.close()
            with pytest.raises(apsw.ReadOnlyError):
                feed._execute("DELETE FROM change_log")
            await feed.close()
            with pytest.raises(Misconfigured) as closed:
                feed.look_now()
            assert closed.value.code == "DATABASE_CLOSED"

    asyncio.run(story())


async def _raise_prices(shelves: Watched) -> None:
    await shelves.db.transact(lambda tx: tx.execute(RAISE_PRICES, shelf=2))


async def _prices(shelves: Watched, *, heavy: bool = False) -> int:
    row = await shelves.db.fetch_one(SUM_PRICES_HEAVILY if heavy else SUM_PRICES)
    assert row is not None
    return row.number


# -- PostgreSQL alone: connections


def test_a_connection_that_is_lost_is_told_and_then_everything(postgres_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves:
            await shelves.outside.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'vacancy-changes' AND datname = current_database()"
            )
            # The driver may have noticed or not: a failed look, or a new connection at once.
            with suppress(Unavailable):
                assert (await shelves.feed.look()).everything
            await shelves.settle()
            assert await shelves.seen_after("UPDATE books SET price = 1 WHERE id = 10") == {A}

    asyncio.run(story())


def test_a_look_waits_no_longer_than_it_may(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves:
            monkeypatch.setattr(postgres_changes, "LOOK_S", 0.1)
            await shelves.outside.run("BEGIN", "LOCK TABLE change_log IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Unavailable) as late:
                await shelves.feed.look()
            assert late.value.code == "DATABASE_UNAVAILABLE"
            monkeypatch.undo()
            await shelves.outside.run("UPDATE books SET price = 1 WHERE id = 10", "COMMIT")
            assert await shelves.look_all() == "the first look after one that failed"

    asyncio.run(story())


def test_a_look_that_its_caller_gives_up_is_not_half_believed(postgres_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves:
            await shelves.outside.run("BEGIN", "LOCK TABLE change_log IN ACCESS EXCLUSIVE MODE")
            looking = asyncio.ensure_future(shelves.feed.look())
            await asyncio.sleep(0)
            with pytest.raises(AssertionError, match="one look at a time"):
                await shelves.feed.look()
            looking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await looking
            await shelves.outside.run("COMMIT")
            assert await shelves.look_all() == "the first look after one that failed"

    asyncio.run(story())


def test_a_log_alone_made_anew_is_everything(postgres_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves:
            await shelves.outside.run(
                "CREATE TABLE copied (LIKE change_log INCLUDING ALL)",
                "DROP TABLE change_log",
                "ALTER TABLE copied RENAME TO change_log",
            )
            assert "anew" in await shelves.look_all()
            assert await shelves.seen_after("UPDATE books SET price = 1 WHERE id = 10") == {A}

    asyncio.run(story())


def test_a_look_reads_the_index_alone_however_long_a_transaction_lasts(postgres_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves, an_outsider(postgres_url) as long:
            await long.run("BEGIN", "UPDATE books SET price = 3 WHERE id = 20")
            await shelves.outside.run(
                "INSERT INTO change_log (tag) SELECT 'many' FROM generate_series(1, 15000)",
                "ANALYZE change_log",
            )
            await shelves.settle()
            connection: Any = await shelves.db.open_feed()._connect()  # type: ignore[attr-defined]
            snapshot = await connection.fetchval("SELECT pg_current_snapshot()::text")
            plan = await connection.fetch(
                "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "
                + postgres_changes.LOOK.replace("$1", f"'{snapshot}'")
            )
            await connection.close()
            lines = [line for (line,) in plan if "change_log" in line]
            assert len(lines) == 2, plan
            assert all("Index Scan using ix_change_log_mark" in line for line in lines), plan
            assert all("rows=0" in line or "rows=1.00 " in line for line in lines), plan
            await long.run("COMMIT")
            assert await shelves.look() == {B}

    asyncio.run(story())


# -- what is done after a commit


def test_after_a_commit_that_changed_something_postgresql_tells(database_url: str) -> None:
    async def story() -> None:
        async with watched_shelves(database_url) as shelves:
            told: list[set[str]] = []

            async def note() -> None:
                told.append(await shelves.look())

            shelves.db.after_commit = note

            async def reads(tx: Transaction) -> None:
                await tx.fetch_one(SUM_PRICES)

            async def fails(tx: Transaction) -> None:
                await tx.execute(RAISE_PRICES, shelf=1)
                raise KeyError

            await shelves.db.transact(reads)
            with suppress(KeyError):
                await shelves.db.transact(fails)
            assert told == []
            await _raise_prices(shelves)
            assert told == ([{B}] if shelves.db.engine == "postgresql" else [])

    asyncio.run(story())


def test_what_fails_after_a_commit_does_not_undo_it(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with watched_shelves(postgres_url) as shelves:

            async def fails() -> None:
                raise Unavailable("GONE", "The look failed.")

            shelves.db.after_commit = fails
            await _raise_prices(shelves)
            assert await _prices(shelves) == 1
            assert "GONE" in caplog.text

    asyncio.run(story())
