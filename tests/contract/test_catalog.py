"""The catalog of any database: what it reads, and that it notices each kind of difference."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import asyncpg
import pytest

from vacancy.db.catalog import Catalog, differences
from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.read_catalog import read_catalog
from vacancy.errors import Missing, Unsupported

TABLES = """
CREATE TABLE authors (
    id {integer} PRIMARY KEY,
    name varchar(40) NOT NULL DEFAULT 'x, (y)' CHECK (length(name) > 0),
    CONSTRAINT one_name UNIQUE (name)
);
CREATE TABLE books (
    author_id {integer} NOT NULL,
    number {integer} NOT NULL,
    price {integer} DEFAULT (5 + 1),
    doubled {integer} GENERATED ALWAYS AS (price * 2) STORED,
    "check" {integer},
    CONSTRAINT the_key PRIMARY KEY (author_id, number),
    CONSTRAINT of_author FOREIGN KEY (author_id) REFERENCES authors (id) ON DELETE CASCADE
);
CREATE INDEX dear_books ON books (number DESC, (price + 1)) WHERE price > 10;
CREATE VIEW dear AS SELECT number FROM books WHERE price > 10;
"""

# What is changed in the text above, and what must be said of it.
CHANGES = [
    ("name varchar(40) NOT NULL", "name varchar(41) NOT NULL", "Column authors.name, type"),
    ("varchar(40) NOT NULL", "varchar(40)", "Column authors.name, nullable"),
    ("'x, (y)'", "'x,  (y)'", "Column authors.name, default"),
    ("length(name) > 0", "length(name) > 1", "Constraint authors."),
    ("one_name UNIQUE", "another UNIQUE", "Constraint authors.one_name is missing."),
    ("price * 2", "price * 3", "Column books.doubled, generated"),
    ("(author_id, number)", "(number, author_id)", "Constraint books.the_key, columns"),
    (" ON DELETE CASCADE", "", "Constraint books.of_author, definition"),
    ("CREATE INDEX", "CREATE UNIQUE INDEX", "Index books.dear_books, unique"),
    ("number DESC", "number", "Index books.dear_books, definition"),
    ("(price + 1)) WHERE", "(price + 2)) WHERE", "Index books.dear_books, columns"),
    ("1)) WHERE price > 10", "1)) WHERE price > 11", "Index books.dear_books, predicate"),
    ("dear_books", "cheap_books", "Index books.cheap_books is not expected."),
    ("books WHERE price > 10", "books", "View dear, definition"),
    ("VIEW dear", "VIEW costly", "View dear is missing."),
    ('"check" {integer},', "", "Column books.check is missing."),
]


async def _made(url: str, text: str) -> Catalog:
    """The catalog of the database after it was emptied and the text was run in it."""
    if engine_of(url) == "sqlite":
        sqlite_path(url).unlink(missing_ok=True)
        connection = apsw.Connection(str(sqlite_path(url)))
        connection.execute(text.format(integer="INTEGER"))
        connection.close()
    else:
        postgres = await asyncpg.connect(url)
        await postgres.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await postgres.execute(text.format(integer="bigint"))
        await postgres.close()
    return await read_catalog(url)


def test_a_catalog_holds_what_was_made(database_url: str) -> None:
    catalog = asyncio.run(_made(database_url, TABLES))
    assert [table.name for table in catalog.tables] == ["authors", "books"]
    books = catalog.table("books")
    assert [column.name for column in books.columns] == [
        *("author_id", "number", "price", "doubled", "check")
    ]
    assert [column.nullable for column in books.columns] == [False, False, True, True, True]
    assert books.columns[3].generated.endswith("stored")
    keys = {constraint.name: constraint for constraint in books.constraints}
    assert keys["the_key"].kind == "primary key"
    assert keys["the_key"].columns == ("author_id", "number")
    assert keys["of_author"].kind == "foreign key"
    (index,) = books.indexes
    assert (index.name, index.columns[0], index.unique) == ("dear_books", "number", False)
    assert index.predicate.replace("(", "").replace(")", "") == "price > 10"
    kinds = [constraint.kind for constraint in catalog.table("authors").constraints]
    assert sorted(kinds) == ["check", "primary key", "unique"]
    assert [(other.kind, other.name) for other in catalog.others] == [("view", "dear")]


def test_each_difference_is_told_and_nothing_else(database_url: str) -> None:
    async def story() -> None:
        expected = await _made(database_url, TABLES)
        again = TABLES.replace("    ", "\n ").replace("price > 10;", "/* why */ price > 10;")
        assert differences(expected, await _made(database_url, again)) == []
        for before, after, sentence in CHANGES:
            assert TABLES.count(before) >= 1, before
            found = await _made(database_url, TABLES.replace(before, after))
            told = differences(expected, found)
            assert any(one.startswith(sentence) for one in told), (before, after, told)
            assert len(told) <= 2, told

    asyncio.run(story())


def test_the_order_of_columns_is_no_difference(database_url: str) -> None:
    async def story() -> None:
        one = await _made(database_url, "CREATE TABLE pairs (a {integer}, b {integer});")
        two = await _made(database_url, "CREATE TABLE pairs (b {integer}, a {integer});")
        assert one != two
        assert differences(one, two) == []

    asyncio.run(story())


def test_two_engines_are_not_compared() -> None:
    sqlite = Catalog(engine="sqlite", tables=())
    postgres = Catalog(engine="postgresql", tables=())
    assert differences(sqlite, postgres) == ["The database is postgresql, expected is sqlite."]


def test_the_same_key_written_in_two_ways_on_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ways.db'}"

    async def story() -> None:
        short = "CREATE TABLE t (a INTEGER CONSTRAINT k PRIMARY KEY, b TEXT CONSTRAINT u UNIQUE);"
        long = (
            'CREATE TABLE "t" ([a] INTEGER, b TEXT, -- a, b\n'
            "CONSTRAINT k PRIMARY KEY (a), CONSTRAINT u UNIQUE (`b`));"
        )
        assert differences(await _made(url, short), await _made(url, long)) == []
        loose = await _made(url, "CREATE TABLE t (a INTEGER);")
        strict = await _made(url, "CREATE TABLE t (a INTEGER) STRICT;")
        assert differences(loose, strict) == ["Table t: expected nothing, found strict."]

    asyncio.run(story())


def test_triggers_and_virtual_tables_of_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'more.db'}"
    trigger = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM t WHERE a > {}; END;"
    search = "CREATE TABLE t (a INTEGER); CREATE VIRTUAL TABLE words USING fts5(word);"

    async def story() -> None:
        one = await _made(url, search + trigger.format(1))
        two = await _made(url, search + trigger.format(2))
        assert [table.name for table in one.tables] == ["t"], "no shadow tables"
        assert [other.kind for other in one.others] == ["trigger", "virtual table"]
        (told,) = differences(one, two)
        assert told.startswith("Trigger tr, definition")

    asyncio.run(story())


def test_triggers_functions_types_and_schemas_of_postgresql(postgres_url: str) -> None:
    text = """
    CREATE SCHEMA IF NOT EXISTS aside;
    DROP TABLE IF EXISTS aside.t;
    CREATE TABLE aside.t (a bigint GENERATED ALWAYS AS IDENTITY, b serial);
    CREATE TYPE mood AS ENUM ('sad', 'glad');
    CREATE SEQUENCE numbers;
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER tr BEFORE UPDATE ON aside.t FOR EACH ROW EXECUTE FUNCTION nothing();
    """

    async def story() -> None:
        one = await _made(postgres_url, text)
        assert [table.name for table in one.tables] == ["aside.t"]
        assert one.table("aside.t").columns[0].generated == "always as identity"
        found = [(other.kind, other.name) for other in one.others]
        assert found == [
            ("function", "nothing()"),
            ("sequence", "numbers"),
            ("trigger", "aside.t.tr"),
            ("type", "mood"),
        ]
        two = await _made(postgres_url, text.replace("'glad'", "'merry'"))
        (told,) = differences(one, two)
        assert told == "Type mood, definition: expected sad, glad, found sad, merry."

    asyncio.run(story())


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Missing) as missing:
        asyncio.run(read_catalog(f"sqlite:///{tmp_path / 'none.db'}"))
    assert missing.value.code == "DATABASE_MISSING"
    assert list(tmp_path.iterdir()) == []
    other = tmp_path / "letter.txt"
    other.write_text("Dear Ada, this is no database. " * 100)
    with pytest.raises(Unsupported) as refused:
        asyncio.run(read_catalog(f"sqlite:///{other}"))
    assert refused.value.code == "NOT_A_DATABASE"
    with pytest.raises(Missing) as no_table:
        Catalog(engine="sqlite", tables=()).table("t")
    assert no_table.value.code == "TABLE_MISSING"
