"""The rival's rules are restated so that they find what PgHero is known to find, and no more."""

from __future__ import annotations

import asyncio

import asyncpg

from tests.index_advice.pghero import ask_pghero
from vacancy.perf.indexes.finding import IndexFinding

TABLES = (
    "CREATE TABLE parents (id bigint PRIMARY KEY)",
    "CREATE TABLE visits (id serial PRIMARY KEY, person bigint NOT NULL, day date NOT NULL,"
    " note text, parent bigint)",
    "INSERT INTO visits (person, day) SELECT i % 500, date '2026-01-01' + i % 300"
    " FROM generate_series(1, 20000) AS i",
    "ANALYZE visits",
)


def on(url: str, *ddl: str, queries: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    """What is told of the tables with this in them; unused indexes are left out."""

    async def story() -> list[IndexFinding]:
        connection = await asyncpg.connect(url)
        try:
            for sql in (*TABLES, *ddl):
                await connection.execute(sql)
            return await ask_pghero(connection, queries, ())
        finally:
            await connection.close()

    told = asyncio.run(story())
    return [(one.name, one.table, one.index) for one in told if not one.ok]


def test_a_sound_database_raises_nothing(postgres_url: str) -> None:
    assert on(postgres_url, "CREATE INDEX a ON visits (person, day)") == []


def test_of_two_alike_the_later_name_goes_and_the_shorter_before_the_longer(
    postgres_url: str,
) -> None:
    told = on(
        postgres_url,
        "CREATE INDEX a ON visits (person, day)",
        "CREATE INDEX b ON visits (person, day)",
        "CREATE INDEX c ON visits (person)",
        "CREATE INDEX other_kind ON visits USING hash (person)",
        "CREATE INDEX of_a_part ON visits (person) WHERE note IS NOT NULL",
        "CREATE INDEX of_the_key ON visits (id)",
    )
    assert told == [
        ("index_duplicate", "visits", "b"),
        ("index_prefix", "visits", "c"),
        ("index_duplicate", "visits", "of_the_key"),
    ]


def test_what_a_failed_build_left_is_told(postgres_url: str) -> None:
    told = on(
        postgres_url,
        "CREATE INDEX a ON visits (person)",
        "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'a'::regclass",
    )
    assert told == [("index_invalid", "visits", "a")]


def test_an_index_is_suggested_for_a_plain_statement_alone(postgres_url: str) -> None:
    plain = "SELECT id FROM visits WHERE person = $1 AND day = $2 ORDER BY id"
    joined = "SELECT v.id FROM visits AS v JOIN parents AS p ON p.id = v.parent WHERE p.id = $1"
    assert on(postgres_url, queries=(plain,)) == [("index_missing", "visits", "")]

    async def again(*queries: str) -> list[IndexFinding]:
        connection = await asyncpg.connect(postgres_url)
        try:
            await connection.execute("CREATE INDEX a ON visits (person)")
            return [one for one in await ask_pghero(connection, queries, ("a",)) if not one.ok]
        finally:
            await connection.close()

    assert asyncio.run(again(plain, joined)) == []


def test_sequences_of_integers_and_references_that_were_not_validated(postgres_url: str) -> None:
    told = on(
        postgres_url,
        "SELECT setval('visits_id_seq', 2000000000)",
        "CREATE TABLE numbered (id integer GENERATED ALWAYS AS IDENTITY)",
        "SELECT setval('numbered_id_seq', 2000000000)",
        "ALTER TABLE visits ADD FOREIGN KEY (parent) REFERENCES parents NOT VALID",
        "ALTER TABLE visits ADD CHECK (note <> '') NOT VALID",
    )
    assert told == [("key_near_end", "visits", ""), ("constraint_not_valid", "visits", "")]
