"""Stories of SQLite files: replaced, emptied of their log, made anew, looked at in the middle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cache.stage import Stage, scenario
from tests.cache.tables import SET_SHELF
from vacancy.db.changes import LOG_TABLE
from vacancy.db.connect import sqlite_path
from vacancy.db.database import Transaction


def put_in_place(copy: Path, path: Path) -> None:
    """As a restore by hand does it: the old log goes, then the copy takes the file's name."""
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    copy.replace(path)


@scenario("sqlite", destroys=True)
async def an_older_copy_is_put_in_its_place(stage: Stage) -> None:
    path = sqlite_path(stage.url)
    copy = path.with_name("copy.db")
    for commits_after in (0, 3):
        copy.unlink(missing_ok=True)
        async with stage.server() as server:
            await server.warm()
            await stage.change(f"VACUUM INTO '{copy}'")
            for version in (12, 13, 14):
                await stage.set_shelf(version)
            await server.warm()
            await stage.change("PRAGMA wal_checkpoint(TRUNCATE)")
            put_in_place(copy, path)
            stage.reopen_shell()
            for version in range(commits_after):
                await stage.set_shelf(version + 5, shelf=2)
            await stage.must_be_true(server, "after a restore")

            async def unit(tx: Transaction) -> None:
                await tx.execute(SET_SHELF, id=3, version=commits_after + 20)  # noqa: B023

            await server.db.transact(unit)
            (((version,),),) = await stage.shell.do("SELECT version FROM shelves WHERE id = 3")
            assert version == commits_after + 20, "a write went to a file that is gone"
            await stage.must_be_true(server, "after a write to the restored file")


@scenario("sqlite", destroys=True)
async def the_writer_comes_first_after_a_restore(stage: Stage) -> None:
    path = sqlite_path(stage.url)
    copy = path.with_name("copy.db")
    copy.unlink(missing_ok=True)
    async with stage.server() as server:
        await server.warm()
        await stage.change(f"VACUUM INTO '{copy}'", "PRAGMA wal_checkpoint(TRUNCATE)")
        put_in_place(copy, path)
        stage.reopen_shell()

        async def unit(tx: Transaction) -> None:
            await tx.execute(SET_SHELF, id=3, version=9)

        await server.db.transact(unit)
        (((version,),),) = await stage.shell.do("SELECT version FROM shelves WHERE id = 3")
        assert version == 9, "a write went to a file that is gone"
        await stage.must_be_true(server, "after a write to the restored file")


@scenario("sqlite")
async def the_log_is_emptied_and_grows_as_long_again(stage: Stage) -> None:
    async with stage.server() as server:
        await server.warm()
        (((last,),),) = await stage.shell.do(f"SELECT max(entry) FROM {LOG_TABLE}")
        await stage.change("BEGIN", f"DELETE FROM {LOG_TABLE}")
        await stage.change("UPDATE shelves SET version = 2 WHERE id = 1")
        for _ in range(last + 3):
            await stage.change("UPDATE leaves SET version = version + 1 WHERE id = 1")
        await stage.change("COMMIT")
        await stage.must_be_true(server, "after the log was emptied and grew again")


@scenario("sqlite")
async def the_log_is_pruned_while_somebody_lags_here(stage: Stage) -> None:
    async with stage.server() as server:
        for version in (2, 3):
            await server.warm()
            await stage.change(
                "BEGIN",
                f"UPDATE shelves SET version = {version} WHERE id = 1",
                f"UPDATE shelves SET version = {version} WHERE id = 2",
                f"DELETE FROM {LOG_TABLE} WHERE entry < (SELECT max(entry) FROM {LOG_TABLE})",
                "COMMIT",
            )
            await stage.must_be_true(server, "after a prune")


@scenario("sqlite")
async def a_commit_falls_between_any_two_steps_of_a_look(stage: Stage) -> None:
    async with stage.server() as server:
        version = 2
        for step in range(1, 7):
            await server.warm()
            connection: Any = getattr(server.feed._feed, "_connection")  # noqa: B009
            connection.exec_trace = _on_step(step, stage, version + 1)
            await stage.set_shelf(version)
            await server.shelf()
            await server.shelf()
            await stage.must_be_true(server, f"a commit fell before step {step} of a look")
            connection.exec_trace = None
            version += 2


def _on_step(wanted: int, stage: Stage, version: int) -> Callable[[Any, str, Any], bool]:
    """Called by the driver before each statement of the connection that looks."""
    steps = 0

    def step(_: Any, __: str, ___: Any) -> bool:
        nonlocal steps
        steps += 1
        if steps == wanted:
            stage.shell.run(f"UPDATE shelves SET version = {version} WHERE id = 2")
        return True

    return step


@scenario("sqlite", destroys=True)
async def a_table_is_made_anew(stage: Stage) -> None:
    async with stage.server() as server:
        await server.warm()
        await stage.change(
            "BEGIN",
            "DROP TABLE leaves",
            "CREATE TABLE leaves (id INTEGER PRIMARY KEY, version INTEGER NOT NULL) STRICT",
            "INSERT INTO leaves VALUES (1, 40), (2, 41)",
            "COMMIT",
        )
        await stage.must_be_true(server, "after a table was made anew")


@scenario("sqlite", destroys=True)
async def the_log_is_gone(stage: Stage) -> None:
    async with stage.server() as server:
        await server.warm()
        (names,) = await stage.shell.do("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        await stage.change(
            "BEGIN",
            *(f"DROP TRIGGER {name}" for (name,) in names),
            f"DROP TABLE {LOG_TABLE}",
            "COMMIT",
        )
        for version in (2, 3):
            await stage.set_shelf(version)
            found = await server.shelf()
            assert found == version, f"looks fail, and the store answers: {found}"
