"""The door for tools: any question, nothing but questions."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.things import Thing, a_database, count, insert
from vacancy.errors import VacancyError

THINGS = tuple(Thing(id=number, number=number % 3) for number in range(20))


def test_it_answers_with_parameters_and_a_limit(database_url: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            await insert(db, *THINGS)
            found = await db.adhoc(
                "SELECT id, number FROM things WHERE number = :number ORDER BY id", number=1
            )
            assert found == [(number, 1) for number in range(20) if number % 3 == 1]
            assert len(await db.adhoc("SELECT id FROM things", limit=7)) == 7

    asyncio.run(story())


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM things",
        "UPDATE things SET number = 5",
        "INSERT INTO things (id) VALUES (99)",
        "CREATE TABLE more (id INTEGER)",
        "DROP TABLE things",
        "SELECT 1; DELETE FROM things",
        "COMMIT",
    ],
)
def test_it_changes_nothing(database_url: str, text: str) -> None:
    async def story() -> None:
        async with a_database(database_url) as db:
            await insert(db, *THINGS)
            with pytest.raises(VacancyError):
                await db.adhoc(text)
            assert await count(db) == len(THINGS)
            assert await db.adhoc("SELECT 1") == [(1,)]

    asyncio.run(story())


def test_it_takes_one_question_and_writes_no_file(database_url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"

    async def story() -> None:
        async with a_database(database_url) as db:
            with pytest.raises(VacancyError):
                await db.adhoc(f"SELECT 1; VACUUM INTO '{copy}'")

    asyncio.run(story())
    assert not copy.exists()


def test_it_leaves_the_connection_as_it_was(postgres_url: str) -> None:
    async def story() -> None:
        async with a_database(postgres_url) as db:
            await db.adhoc("SELECT set_config('default_transaction_read_only', 'on', false)")
            await insert(db, *THINGS)
            assert await count(db) == len(THINGS)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("SELECT(1)", [(1,)]),
        ("-- a comment\nSELECT 1", [(1,)]),
        ("VALUES (1)", [(1,)]),
        ("SELECT 'at:noon'", [("at:noon",)]),
    ],
)
def test_it_takes_questions_as_they_come(database_url: str, text: str, answer: object) -> None:
    async def story() -> object:
        async with a_database(database_url) as db:
            with pytest.raises(VacancyError, match="ADHOC_REFUSED"):
                await db.adhoc("SELECT 1", limit=0)
            with pytest.raises(VacancyError, match="ADHOC_REFUSED"):
                await db.adhoc("PRAGMA hard_heap_limit = 1")
            return await db.adhoc(text)

    assert asyncio.run(story()) == answer


def test_it_says_what_is_wrong_with_a_question(database_url: str) -> None:
    async def story() -> str:
        async with a_database(database_url) as db:
            with pytest.raises(VacancyError) as raised:
                await db.adhoc("SELECT x FROM nowhere")
            return raised.value.detail

    assert "nowhere" in asyncio.run(story())
