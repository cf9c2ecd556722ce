"""Databases without a fault. Nothing that is found in them may fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from tests.index_advice.mutant import BOTH, POSTGRESQL, SQLITE, Mutant, apply_mutant
from tests.seeds.index_faults import index_anew
from vacancy.bootstrap import open_database, open_house
from vacancy.config import Settings
from vacancy.db.statement import Engine
from vacancy.hotel.demo import make_demo
from vacancy.hotel.generate.group import generate_group
from vacancy.hotel.generate.plan import GroupPlan, written_at
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.revisions import REVISIONS

_GROUP = GroupPlan(properties=2, bookings=2_000, seed=5, room_types=3)


class Clean(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to a database that was just migrated."""

    name: str
    why: str
    """Why it is no fault."""
    make: Callable[[str], Awaitable[None]]
    engines: tuple[Engine, ...] = BOTH
    deletes: tuple[str, ...] = ()
    """Tables whose rows somebody deletes, although no statement of ours does."""


def _run(*ddl: str, postgresql: tuple[str, ...] | None = None) -> Callable[[str], Awaitable[None]]:
    steps = Mutant(
        name="clean",
        family="nobody asks",
        why="",
        ddl=ddl,
        postgresql=postgresql,
        table="",
        expects=(),
    )

    async def make(url: str) -> None:
        await apply_mutant(url, steps)

    return make


async def _nothing(url: str) -> None:
    pass


async def _demo(url: str) -> None:
    async with open_house(Settings(database_url=url, env="test")) as house:
        await make_demo(house.db, house.admission, house.ids.next)


async def _generated(url: str) -> None:
    settings = Settings(database_url=url, env="test")
    async with open_database(settings, lambda: written_at(_GROUP)) as db:
        await generate_group(db, _GROUP)


async def _generated_and_analyzed(url: str) -> None:
    await _generated(url)
    await _run("ANALYZE")(url)


async def _down_and_up(url: str) -> None:
    await migrate_database(url, REVISIONS.known[1])
    await migrate_database(url)


_MENUS = (
    "CREATE TABLE menus (id bigint PRIMARY KEY, night date NOT NULL, dish text NOT NULL,"
    " cook bigint NOT NULL)",
    "CREATE TABLE menu_orders (id bigint PRIMARY KEY, menu_id bigint NOT NULL"
    " REFERENCES menus (id) ON DELETE CASCADE, plates integer NOT NULL)",
    "CREATE INDEX ix_menu_orders_menu ON menu_orders (menu_id, id)",
)

CLEAN: tuple[Clean, ...] = (
    Clean(name="empty", why="As it was migrated.", make=_nothing),
    Clean(name="with-the-demo", why="As the demo leaves it.", make=_demo),
    Clean(
        name="generated",
        why="2,000 bookings that were loaded a moment ago.",
        make=_generated,
    ),
    Clean(
        name="generated-and-analyzed",
        why="The same, with statistics: they tell of small tables, which planners read whole.",
        make=_generated_and_analyzed,
    ),
    Clean(name="down-and-up", why="Indexes that a migration made anew.", make=_down_and_up),
    Clean(
        name="an-index-made-anew",
        why="By hand, with the name and the columns that it had.",
        make=_run(*index_anew("ix_payments_user", "payments (user_id, status, id)")),
    ),
    Clean(
        name="an-index-written-otherwise",
        why="Other letters, spaces and ASC: the same index.",
        make=_run(
            "DROP INDEX ix_payments_user",
            'create index "ix_payments_user" on "payments" ("user_id" ASC,"status",  "id" asc)',
        ),
    ),
    Clean(
        name="an-index-rebuilt",
        why="REINDEX leaves the same index.",
        make=_run("REINDEX ix_bookings_user", postgresql=("REINDEX INDEX ix_bookings_user",)),
    ),
    Clean(
        name="a-table-of-the-operator",
        why="Somebody else's tables, whose references have their indexes.",
        make=_run(*_MENUS),
        deletes=("menus",),
    ),
    Clean(
        name="a-reference-to-what-stays",
        why="No statement deletes a hotel or changes its key: nobody looks for its children.",
        make=_run(
            "CREATE TABLE doors (id bigint PRIMARY KEY,"
            " property_id bigint NOT NULL REFERENCES properties (id))"
        ),
    ),
    Clean(
        name="two-indexes-of-different-parts",
        why="The same columns, but not the same rows.",
        make=_run(
            *_MENUS,
            "CREATE INDEX ix_menus_old ON menus (night, id) WHERE cook = 0",
            "CREATE INDEX ix_menus_new ON menus (night, id) WHERE cook > 0",
        ),
        deletes=("menus",),
    ),
    Clean(
        name="a-unique-beginning",
        why="The shorter one refuses doubles, which the longer one cannot.",
        make=_run(
            *_MENUS,
            "CREATE UNIQUE INDEX uq_menus_dish ON menus (dish)",
            "CREATE INDEX ix_menus_dish ON menus (dish, night, id)",
        ),
        deletes=("menus",),
    ),
    Clean(
        name="other-collations",
        why="Text under another sort order is another index.",
        make=_run(
            *_MENUS,
            "CREATE INDEX ix_menus_dish ON menus (dish)",
            "CREATE INDEX ix_menus_dish_any_case ON menus (dish COLLATE NOCASE)",
            postgresql=(
                *_MENUS,
                "CREATE INDEX ix_menus_dish ON menus (dish)",
                "CREATE INDEX ix_menus_dish_like ON menus (dish text_pattern_ops)",
            ),
        ),
        deletes=("menus",),
    ),
    Clean(
        name="a-sequence-at-its-middle",
        why="At 40 % there is time.",
        make=_run(
            postgresql=(
                "CREATE TABLE reviews (id serial PRIMARY KEY, stars integer NOT NULL)",
                "SELECT setval('reviews_id_seq', 858993459)",
            )
        ),
        engines=POSTGRESQL,
    ),
    Clean(
        name="a-sequence-that-goes-round",
        why="CYCLE: it was made to begin again.",
        make=_run(
            postgresql=(
                "CREATE SEQUENCE tickets MAXVALUE 1000 CYCLE",
                "SELECT setval('tickets', 990)",
            )
        ),
        engines=POSTGRESQL,
    ),
    Clean(
        name="few-rows-deleted",
        why="A tenth of a table is dead: that is how a table lives.",
        make=_run(
            "CREATE TABLE readings (id INTEGER PRIMARY KEY, note TEXT NOT NULL)",
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO readings SELECT i, printf('%.*c', 200, 'x') FROM n",
            "DELETE FROM readings WHERE id % 10 = 0",
            postgresql=(
                "CREATE TABLE readings (id bigint PRIMARY KEY, note text NOT NULL)"
                " WITH (autovacuum_enabled = off)",
                "INSERT INTO readings SELECT i, repeat('x', 200)"
                " FROM generate_series(1, 20000) AS i",
                "ANALYZE readings",
                "DELETE FROM readings WHERE id % 10 = 0",
            ),
        ),
    ),
    Clean(
        name="a-check-that-was-validated",
        why="Added without a look at old rows, and then looked at.",
        make=_run(
            postgresql=(
                "ALTER TABLE refunds ADD CONSTRAINT ck_refunds_reason"
                " CHECK (length(reason) < 1000) NOT VALID",
                "ALTER TABLE refunds VALIDATE CONSTRAINT ck_refunds_reason",
            )
        ),
        engines=POSTGRESQL,
    ),
    Clean(
        name="a-view-and-a-virtual-table",
        why="Search tables of SQLite keep tables of their own, which nobody indexes.",
        make=_run(
            "CREATE VIEW due AS SELECT id FROM bookings WHERE status = 'provisional'",
            "CREATE VIRTUAL TABLE notes USING fts5 (body)",
        ),
        engines=SQLITE,
    ),
)


def clean_on(engine: Engine) -> list[Clean]:
    """Those that there are on one engine."""
    return [one for one in CLEAN if engine in one.engines]
