"""Slow statements are told as they happen, by both databases: which, how long, for whom, and never
with a value."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence

import pytest

from tests.things import (
    ADD,
    FIND,
    GET,
    INSERT,
    INSERT_OWNERS,
    NO_TABLE,
    SLOW,
    Thing,
    a_database,
    values_of,
)
from vacancy.db.database import Database, Transaction
from vacancy.db.gate import COUNT, Counted
from vacancy.db.trace import NEVER_NS, SlowStatement
from vacancy.errors import Conflict, VacancyError
from vacancy.perf.queries.slow_log import log_slow, watch_slow
from vacancy.web.logs import JsonLines

SECRET = "ada@example.org"


def watched(db: Database, slow_ns: int = 0) -> list[SlowStatement]:
    """All that takes longer than nothing is slow: nobody needs to wait."""
    told: list[SlowStatement] = []
    db.trace.slow_ns = slow_ns
    db.trace.on_slow.append(told.append)
    return told


def names(told: Sequence[SlowStatement]) -> list[tuple[str, int, bool]]:
    return [(slow.name, slow.rows, slow.failed) for slow in told]


def test_every_way_to_run_a_statement_tells(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            told = watched(db)
            things = [values_of(Thing(n, n, f"{SECRET}{n}")) for n in (1, 2)]

            async def unit(tx: Transaction) -> None:
                await tx.execute_set(INSERT, things)
                await tx.execute(ADD, id=1, by=5)
                await tx.execute_sets([(INSERT_OWNERS, [(1,), (2,)])])

            await db.transact(unit)
            assert await db.fetch_one(GET, id=1) is not None
            assert len(await db.fetch_set(FIND, [(1,), (2,)])) == 2
            assert names(told) == [
                ("test.insert_things", 2, False),
                ("test.add", 1, False),
                ("test.insert_owners", 2, False),
                ("test.get_thing", 1, False),
                ("test.find_things", 2, False),
            ]
            assert [slow.parameters for slow in told] == [
                "2 rows (id, number, name, day, at, doc, owner_id)",
                "id=integer, by=integer",
                "2 rows (id)",
                "id=integer",
                "2 rows (id)",
            ]
            assert {slow.engine for slow in told} == {db.engine}
            assert all(slow.duration_ms >= 0 for slow in told)
            assert not any(SECRET in repr(slow) for slow in told)

    asyncio.run(story())


def test_what_fails_tells_as_well(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            told = watched(db)

            async def twice(tx: Transaction) -> None:
                await tx.execute_set(INSERT, [values_of(Thing(1)), values_of(Thing(1))])

            with pytest.raises(Conflict):
                await db.transact(twice, repeatable=False)
            with pytest.raises(VacancyError):
                await db.fetch_all(NO_TABLE)
            assert names(told) == [("test.insert_things", 0, True), ("test.no_table", 0, True)]
            assert db.trace.statements["test.no_table"].errors == 1

    asyncio.run(story())


def test_a_heavy_one_knows_its_request_and_a_quick_one_is_not_told(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            told = watched(db, slow_ns=50_000_000)
            token = COUNT.set(Counted(b"front-7"))
            await db.fetch_all(GET, id=1)
            await db.fetch_all(SLOW)
            COUNT.reset(token)
            assert [(slow.name, slow.request_id) for slow in told] == [("test.slow", "front-7")]
            assert told[0].duration_ms > 50
            db.trace.slow_ns = NEVER_NS
            await db.fetch_all(GET, id=1)
            assert len(told) == 1

    asyncio.run(story())


def test_a_line_in_the_log_has_fields_and_no_value(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            watch_slow(db.trace, 0.000001)
            watch_slow(db.trace, 0.000001)
            assert db.trace.on_slow == [log_slow]
            with caplog.at_level(logging.WARNING, "vacancy.slow"):
                await db.fetch_all(GET, id=4711)
            watch_slow(db.trace, 0)
            assert db.trace.slow_ns == NEVER_NS

    asyncio.run(story())
    (record,) = [one for one in caplog.records if one.name == "vacancy.slow"]
    line = json.loads(JsonLines().format(record))
    assert line["level"] == "warning"
    assert (line["statement"], line["rows"], line["parameters"]) == (
        "test.get_thing",
        0,
        "id=integer",
    )
    assert line["duration_ms"] > 0
    assert line["message"].startswith("test.get_thing took ")
    assert "4711" not in json.dumps(line)
