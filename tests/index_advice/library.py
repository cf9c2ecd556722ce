"""A public library: members, books, copies, loans, reservations."""

from __future__ import annotations

from tests.index_advice.foreign import Foreign, numbers
from tests.index_advice.mutant import POSTGRESQL, Mutant
from tests.seeds.index_faults import index_anew

TABLES = (
    "CREATE TABLE members (id integer PRIMARY KEY, card text NOT NULL UNIQUE, name text NOT NULL,"
    " joined date NOT NULL)",
    "CREATE TABLE books (id integer PRIMARY KEY, isbn text NOT NULL UNIQUE, title text NOT NULL,"
    " author text NOT NULL, year integer NOT NULL)",
    "CREATE TABLE copies (id integer PRIMARY KEY, book_id integer NOT NULL REFERENCES books (id),"
    " shelf text NOT NULL, status text NOT NULL)",
    "CREATE TABLE loans (id integer PRIMARY KEY, copy_id integer NOT NULL REFERENCES copies (id),"
    " member_id integer NOT NULL REFERENCES members (id), lent date NOT NULL, due date NOT NULL,"
    " returned date)",
    "CREATE TABLE reservations (id integer PRIMARY KEY,"
    " book_id integer NOT NULL REFERENCES books (id),"
    " member_id integer NOT NULL REFERENCES members (id), made date NOT NULL, state text NOT NULL)",
)
INDEXES = (
    "CREATE INDEX ix_books_author ON books (author, title)",
    "CREATE INDEX ix_copies_book ON copies (book_id, status)",
    "CREATE INDEX ix_loans_member ON loans (member_id, lent)",
    "CREATE INDEX ix_loans_copy ON loans (copy_id, lent)",
    "CREATE INDEX ix_loans_lent ON loans (lent)",
    "CREATE INDEX ix_loans_due ON loans (due) WHERE returned IS NULL",
    "CREATE INDEX ix_reservations_book ON reservations (book_id, state, made)",
    "CREATE INDEX ix_reservations_member ON reservations (member_id)",
)
ROWS = (
    "INSERT INTO members SELECT i, 'card-' || i, 'Member ' || i, {day:i % 600}"
    f" FROM {numbers(2_000)}",
    "INSERT INTO books SELECT i, 'isbn-' || i, 'Title ' || (i * 7919 % 10007),"
    f" 'Author ' || (i % 50), 1950 + i % 75 FROM {numbers(20_000)}",
    "INSERT INTO copies SELECT i, 1 + i % 20000, 'shelf ' || (i % 90),"
    f" CASE WHEN i % 4 = 0 THEN 'lent' ELSE 'in' END FROM {numbers(25_000)}",
    "INSERT INTO loans SELECT i, 1 + i * 31 % 25000, 1 + i * 17 % 2000, {day:i % 700},"
    " {day:i % 700 + 28}, CASE WHEN i % 20 = 0 THEN NULL ELSE {day:i % 700 + 9} END"
    f" FROM {numbers(40_000)}",
    "INSERT INTO reservations SELECT i, 1 + i % 300, 1 + i * 13 % 2000, {day:i % 500},"
    f" CASE i % 3 WHEN 0 THEN 'waiting' WHEN 1 THEN 'fetched' ELSE 'lapsed' END"
    f" FROM {numbers(12_000)}",
)
QUERIES = {
    "member_by_card": "SELECT id, name FROM members WHERE card = $1",
    "book_by_isbn": "SELECT id, title, author FROM books WHERE isbn = $1",
    "books_of_author": "SELECT id, title FROM books WHERE author = $1 ORDER BY title LIMIT 50",
    "copies_on_the_shelf": "SELECT id, shelf FROM copies WHERE book_id = $1 AND status = 'in'",
    "loans_of_member": (
        "SELECT id, copy_id, due FROM loans WHERE member_id = $1 ORDER BY lent DESC LIMIT 20"
    ),
    "titles_of_member": (
        "SELECT b.title, l.due FROM loans AS l JOIN copies AS c ON c.id = l.copy_id"
        " JOIN books AS b ON b.id = c.book_id WHERE l.member_id = $1"
        " ORDER BY l.lent DESC LIMIT 20"
    ),
    "history_of_copy": "SELECT member_id, lent FROM loans WHERE copy_id = $1 ORDER BY lent DESC",
    "latest_loans": "SELECT id, member_id, lent FROM loans ORDER BY lent DESC LIMIT 50",
    "overdue": (
        "SELECT id, member_id, due FROM loans WHERE returned IS NULL AND due < $1"
        " ORDER BY due LIMIT 100"
    ),
    "queue_of_book": (
        "SELECT id, member_id FROM reservations WHERE book_id = $1 AND state = 'waiting'"
        " ORDER BY made LIMIT 10"
    ),
    "reservations_of_member": "SELECT id, book_id, state FROM reservations WHERE member_id = $1",
    "give_back": "UPDATE loans SET returned = $1 WHERE id = $2",
    "leave": "DELETE FROM members WHERE id = $1",
    "throw_away": "DELETE FROM copies WHERE id = $1",
}

FAULTS = (
    Mutant(
        name="library-loans-without-their-member",
        family="foreign key without an index",
        why="The page of one member reads all loans, and so does each member who leaves.",
        ddl=("DROP INDEX ix_loans_member",),
        table="loans",
        expects=("foreign_key_unindexed", "table_scanned", "index_missing"),
        harmless=("rows_sorted",),
    ),
    Mutant(
        name="library-fines-without-their-member",
        family="foreign key without an index",
        why="Each member who leaves reads all fines, which no query shows.",
        ddl=(
            "CREATE TABLE fines (id integer PRIMARY KEY,"
            " member_id integer NOT NULL REFERENCES members (id), cents integer NOT NULL)",
            f"INSERT INTO fines SELECT i, 1 + i % 2000, 100 FROM {numbers(15_000)}",
            "ANALYZE fines",
        ),
        table="fines",
        expects=("foreign_key_unindexed",),
    ),
    Mutant(
        name="library-isbn-twice",
        family="duplicate",
        why="The unique constraint has an index already.",
        ddl=("CREATE INDEX ix_books_isbn ON books (isbn)",),
        table="books",
        index="ix_books_isbn",
        expects=("index_duplicate", "index_prefix"),
        harmless=("index_unneeded", "index_unused"),
    ),
    Mutant(
        name="library-beginning-of-members-loans",
        family="prefix",
        why="The longer index begins with it.",
        ddl=("CREATE INDEX ix_loans_of ON loans (member_id)",),
        table="loans",
        index="ix_loans_of",
        expects=("index_prefix", "index_duplicate"),
        harmless=("index_unneeded", "index_unused"),
    ),
    Mutant(
        name="library-no-index-for-authors",
        family="index dropped",
        why="The books of one author are looked for in all books.",
        ddl=("DROP INDEX ix_books_author",),
        table="books",
        expects=("index_missing", "table_scanned"),
        harmless=("rows_sorted",),
    ),
    Mutant(
        name="library-authors-without-title",
        family="index shortened",
        why="400 books of an author are sorted to show 50.",
        ddl=index_anew("ix_books_author", "books (author)"),
        table="books",
        expects=("rows_sorted", "index_missing"),
        harmless=("index_unneeded", "index_prefix"),
    ),
    Mutant(
        name="library-latest-loans-sort-everything",
        family="index dropped",
        why="Fifty loans are shown, and all are read and sorted.",
        ddl=("DROP INDEX ix_loans_lent",),
        table="loans",
        expects=("rows_sorted", "table_scanned", "index_missing"),
    ),
    Mutant(
        name="library-queue-by-state-first",
        family="columns reordered",
        why="For one book all who wait for any are read.",
        ddl=index_anew("ix_reservations_book", "reservations (state, made, book_id)"),
        table="reservations",
        expects=("index_column_order", "index_missing", "table_scanned", "foreign_key_unindexed"),
        harmless=("rows_sorted", "index_unneeded", "index_cannot_serve"),
    ),
    Mutant(
        name="library-loans-near-their-end",
        family="key near its end",
        why="At the last number nothing is lent any more.",
        postgresql=(
            "CREATE SEQUENCE loans_id_seq OWNED BY loans.id",
            "ALTER TABLE loans ALTER COLUMN id SET DEFAULT nextval('loans_id_seq')",
            "SELECT setval('loans_id_seq', 2080000000)",
        ),
        table="loans",
        expects=("key_near_end",),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="library-copies-after-a-great-gift",
        family="statistics",
        why="The planner knows of a fifth of the copies.",
        postgresql=(
            "ALTER TABLE copies SET (autovacuum_enabled = off)",
            "INSERT INTO copies SELECT 100000 + i, 1 + i % 20000, 'cellar', 'in'"
            f" FROM {numbers(100_000)}",
        ),
        ddl=(
            "INSERT INTO copies SELECT 100000 + i, 1 + i % 20000, 'cellar', 'in'"
            f" FROM {numbers(100_000)}",
        ),
        table="copies",
        expects=("statistics_stale",),
    ),
)
SOUND = (
    Mutant(
        name="library-with-a-covering-index",
        family="nobody asks",
        why="An index of another order is another index.",
        ddl=("CREATE INDEX ix_loans_due_member ON loans (due, member_id)",),
        table="loans",
        expects=("index_unneeded", "index_unused"),
    ),
    Mutant(
        name="library-with-rooms-of-its-own",
        family="nobody asks",
        why="A table that no query of the file names.",
        ddl=(
            "CREATE TABLE rooms (id integer PRIMARY KEY, name text NOT NULL UNIQUE)",
            "CREATE INDEX ix_rooms_name ON rooms (name, id)",
        ),
        table="rooms",
        expects=("index_unneeded", "index_unused"),
    ),
)

LIBRARY = Foreign(
    name="library",
    tables=TABLES,
    indexes=INDEXES,
    rows=ROWS,
    queries=QUERIES,
    faults=FAULTS,
    harmless=SOUND,
)
