"""Stories of all that may change a row behind our back: each is followed by every question."""

from __future__ import annotations

import contextlib

from tests.cache.stage import SHELVES, Stage, scenario
from tests.cache.tables import (
    BOTH,
    BOTH_BOUNDED,
    SET_BOOKS,
    SET_SHELF,
    SET_SHELVES,
    SHELF_BOUNDED,
)
from vacancy.db.database import Transaction
from vacancy.db.statement import Engine

CHANGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("an update", ("UPDATE shelves SET version = 2 WHERE id = 1",)),
    ("an update of a book", ("UPDATE books SET version = 2 WHERE id = 101",)),
    (
        "an insert",
        ("INSERT INTO books (id, shelf_id, code, version) VALUES (110, 2, 'new', 1)",),
    ),
    ("a delete", ("DELETE FROM books WHERE id = 102",)),
    ("a move", ("UPDATE books SET shelf_id = 2, version = 3 WHERE id = 101",)),
    ("a cascade", ("DELETE FROM shelves WHERE id = 2",)),
    ("an upsert", ("INSERT INTO shelves (id, version) VALUES (2, 4)",)),
    (
        "a savepoint that was rolled back",
        (
            "BEGIN",
            "UPDATE shelves SET version = 5 WHERE id = 1",
            "SAVEPOINT here",
            "UPDATE shelves SET version = -5 WHERE id = 3",
            "ROLLBACK TO here",
            "COMMIT",
        ),
    ),
    ("a rollback", ("BEGIN", "UPDATE shelves SET version = -6", "ROLLBACK")),
    ("a table that was emptied", ("DELETE FROM leaves",)),
    ("a new leaf", ("INSERT INTO leaves (id, version) VALUES (2, 7)",)),
    (
        "many tags at once",
        (
            "BEGIN",
            *(f"INSERT INTO shelves (id, version) VALUES ({i}, 1)" for i in range(1000, 1150)),
            "UPDATE shelves SET version = 8",
            "COMMIT",
        ),
    ),
)
ON: dict[Engine, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "sqlite": (
        (
            "REPLACE by id",
            (
                "INSERT OR REPLACE INTO books (id, shelf_id, code, version)"
                " VALUES (101, 3, 'z', 20)",
            ),
        ),
        (
            "REPLACE by code",
            (
                "INSERT INTO books (id, shelf_id, code, version) VALUES (120, 1, 'q', 21)",
                "INSERT OR REPLACE INTO books (id, shelf_id, code, version)"
                " VALUES (121, 3, 'q', 22)",
            ),
        ),
        (
            "UPDATE OR REPLACE by code",
            (
                "INSERT INTO books (id, shelf_id, code, version) VALUES (130, 1, 'r', 23)",
                "UPDATE OR REPLACE books SET code = 'r', version = 24 WHERE id = 104",
            ),
        ),
        ("VACUUM", ("VACUUM",)),
    ),
    "postgresql": (
        ("TRUNCATE", ("TRUNCATE leaves",)),
        (
            "a session that replays",
            (
                "SET session_replication_role = replica",
                "UPDATE shelves SET version = 30 WHERE id = 1",
                "SET session_replication_role = origin",
            ),
        ),
        (
            "ON CONFLICT DO UPDATE that moves",
            (
                "INSERT INTO books (id, shelf_id, code, version) VALUES (104, 1, 'y', 31)"
                " ON CONFLICT (id) DO UPDATE SET shelf_id = 1, version = 31",
            ),
        ),
    ),
}


@scenario()
async def each_kind_of_change_by_another_program(stage: Stage) -> None:
    async with stage.server() as server:
        for kind, statements in (*CHANGES, *ON[stage.engine]):
            for statement in statements:
                await server.warm() if statement in (statements[0], statements[-1]) else None
                await stage.change(statement)
            await stage.must_be_true(server, f"after {kind}")


@scenario()
async def changes_one_after_the_other(stage: Stage) -> None:
    async with stage.server() as server:
        for version in range(2, 90):
            await stage.set_shelf(version)
            found = await server.shelf()
            assert found == version, f"{found}, not {version}"


@scenario()
async def own_changes_in_each_way(stage: Stage) -> None:
    async with stage.server() as server:

        async def one(tx: Transaction) -> None:
            await tx.execute(SET_SHELF, id=1, version=2)

        async def a_set(tx: Transaction) -> None:
            await tx.execute_set(SET_SHELVES, [(1, 3), (2, 3)])

        async def sets(tx: Transaction) -> None:
            await tx.execute_sets([(SET_SHELVES, [(1, 4), (3, 4)]), (SET_BOOKS, [(101, 4)])])

        for version, unit in enumerate((one, a_set, sets), 2):
            await server.warm()
            for shelf in SHELVES:
                await server.shelf(shelf, SHELF_BOUNDED)
                await server.rows(BOTH_BOUNDED, shelf=shelf)
            await server.db.transact(unit)
            found = await server.shelf(1, SHELF_BOUNDED)
            assert found == version, f"own commit {version}, read within the bound: {found}"
            both = await server.rows(BOTH_BOUNDED, shelf=1)
            assert both[1] == version and (await server.rows(BOTH, shelf=1)) == both
            await stage.must_be_true(server, f"after {unit.__name__}")


@scenario()
async def own_units_that_fail(stage: Stage) -> None:
    async with stage.server() as server:

        async def unit(tx: Transaction) -> None:
            await tx.execute(SET_SHELF, id=1, version=-2)
            raise LookupError

        for _ in range(3):
            await server.warm()
            with contextlib.suppress(LookupError):
                await server.db.transact(unit, repeatable=False)
            found = await server.shelf()
            assert found == 1, f"what was rolled back is given out: {found}"
