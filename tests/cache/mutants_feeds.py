"""Mutants of the feeds: what SQLite and PostgreSQL are asked, and how the answer is read."""

from __future__ import annotations

from tests.cache.mutant import POSTGRESQL, SQLITE, Edit, Mutant

SQLITE_FEED = "db/sqlite/changes.py"
WAL_INDEX = "db/sqlite/wal_index.py"
SQLITE_DATABASE = "db/sqlite/database.py"
POSTGRES_FEED = "db/postgres/changes.py"

SQLITE_FEED_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a-glance-is-enough",
        breaks="Another file in the place of the database is noticed, shared memory or not.",
        edits=(
            Edit(
                SQLITE_FEED,
                "glance() == self._glanced and monotonic() < self._peek_at:",
                "glance() == self._glanced:",
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="half-a-glance",
        breaks="Every commit is seen in SQLite's shared memory.",
        edits=(Edit(WAL_INDEX, "lambda: header.raw", "lambda: header.raw[:8]"),),
        engines=SQLITE,
    ),
    Mutant(
        name="glanced-after-the-look",
        breaks="What is committed while a look is under way is seen by the next one.",
        edits=(
            Edit(
                SQLITE_FEED,
                "                if self._glance is not glance:\n"
                "                    glanced = None\n",
                "                glanced = self._glance() if self._glance else None\n",
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="marks-are-not-compared",
        breaks="A log that was emptied and written anew is not taken for the one that was read.",
        edits=(
            Edit(
                SQLITE_FEED,
                "if last[:2] != (self._entry, self._mark):",
                "if last[0] != self._entry:",
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="the-log-need-not-hold-the-last-look",
        breaks="A log that was pruned beyond the last look says everything.",
        edits=(
            Edit(
                SQLITE_FEED,
                "if last[:2] != (self._entry, self._mark):",
                "if False:",
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="the-inode-is-not-looked-at",
        breaks="Another file in the place of the database is noticed.",
        edits=(
            Edit(
                SQLITE_FEED,
                "        if has_moved():\n            return None\n",
                "",
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="the-reader-stays-on-the-old-file",
        breaks="After a restore the queries are asked of the file that was restored.",
        edits=(
            Edit(
                SQLITE_DATABASE,
                "SqliteFeed(self.path, on_opened=self._renew_reader)",
                "SqliteFeed(self.path)",
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="the-writer-stays-on-the-old-file",
        breaks="Nothing is written to a file that nobody finds any more.",
        edits=(Edit(SQLITE_DATABASE, "if self._writer.has_moved():", "if False:"),),
        engines=SQLITE,
    ),
    Mutant(
        name="the-monitor-is-the-writer",
        breaks="The connection that looks never writes: of its own commits it is not told.",
        edits=(
            Edit(
                SQLITE_FEED,
                "self._connection = open_connection(self._path, read_only=True)",
                "self._connection = BORROWED or open_connection(self._path, read_only=True)",
            ),
            Edit(
                SQLITE_FEED,
                '_NO_ROW = (None, None, "")\n',
                '_NO_ROW = (None, None, "")\nBORROWED = None\n',
            ),
            Edit(
                SQLITE_DATABASE,
                "feed = SqliteFeed(self.path, on_opened=self._renew_reader)",
                "import vacancy.db.sqlite.changes as changes\n"
                "        changes.BORROWED = self._writer.connection\n"
                "        feed = SqliteFeed(self.path, on_opened=self._renew_reader)",
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="the-monitor-keeps-a-snapshot",
        breaks="The connection that looks stands outside any transaction.",
        edits=(
            Edit(
                SQLITE_FEED,
                "        self._execute = self._connection.cursor().execute\n",
                "        self._execute = self._connection.cursor().execute\n"
                '        self._execute("BEGIN")\n',
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="the-version-is-read-after-the-log",
        breaks="What is committed while the log is read moves the number once more.",
        edits=(
            Edit(
                SQLITE_FEED,
                'self._version, self._state, self._why_all = version, state, ""',
                'self._version, self._state, self._why_all = self._peek(), state, ""',
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="the-schema-is-not-looked-at",
        breaks="After a change of the schema everything may have changed.",
        edits=(Edit(SQLITE_FEED, "if not why_all and state != self._state:", "if False:"),),
        engines=SQLITE,
    ),
    Mutant(
        name="a-look-reads-a-hundred-rows",
        breaks="A look answers all that was committed, however much it is.",
        edits=(Edit(SQLITE_FEED, "LIMIT {MAX_ROWS + 2}", "LIMIT 100"),),
        engines=SQLITE,
    ),
    Mutant(
        name="a-rollback-is-a-commit-on-sqlite",
        breaks="What was rolled back was never there.",
        edits=(
            Edit(
                SQLITE_DATABASE,
                "if self._writer.connection.in_transaction:\n"
                '                self._writer.command("ROLLBACK")',
                "if self._writer.connection.in_transaction:\n"
                '                self._writer.command("COMMIT")',
            ),
        ),
        engines=SQLITE,
    ),
)

POSTGRES_FEED_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="the-highest-xid-is-trusted",
        breaks="A transaction that was under way at one look is answered by a later one.",
        edits=(
            Edit(
                POSTGRES_FEED,
                "SELECT pg_snapshot_xip($1::text::pg_snapshot)",
                "SELECT pg_snapshot_xip($1::text::pg_snapshot) LIMIT 0",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="the-order-of-entries-is-trusted",
        breaks="Commits may become visible in any order.",
        edits=(
            Edit(
                POSTGRES_FEED,
                "WHERE mark >= pg_snapshot_xmax($1::text::pg_snapshot)",
                "WHERE entry > $1::text::bigint",
            ),
            Edit(
                POSTGRES_FEED,
                "WHERE mark = ANY (ARRAY(SELECT pg_snapshot_xip($1::text::pg_snapshot)))",
                "WHERE FALSE",
            ),
            Edit(
                POSTGRES_FEED,
                "pg_current_snapshot()::text AS snapshot",
                "(SELECT max(entry) FROM {LOG_TABLE})::text AS snapshot",
            ),
            Edit(
                POSTGRES_FEED,
                "pg_snapshot_xmin($1::text::pg_snapshot) < s.pruned_below AS is_behind",
                "FALSE AS is_behind",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="no-look-after-reconnecting",
        breaks="A new connection has seen nothing: everything may have changed.",
        edits=(
            Edit(
                POSTGRES_FEED,
                'self._why_all = "the first look after one that failed"',
                'self._why_all = ""',
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="behind-the-prune",
        breaks="A look that lags behind the prune says everything.",
        edits=(Edit(POSTGRES_FEED, 'elif found["is_behind"]:', "elif False:"),),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="the-state-is-not-compared",
        breaks="Tables made anew, or restored, say everything.",
        edits=(Edit(POSTGRES_FEED, 'elif found["state"] != self._state:', "elif False:"),),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-look-answers-a-hundred-tags",
        breaks="A look answers all that was committed, however much it is.",
        edits=(Edit(POSTGRES_FEED, "LIMIT {MAX_TAGS + 1}", "LIMIT 100"),),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-rollback-is-a-commit-on-postgresql",
        breaks="What was rolled back was never there.",
        edits=(
            Edit(
                "db/postgres/database.py",
                'await connection.execute("ROLLBACK")',
                'await connection.execute("COMMIT")',
            ),
        ),
        engines=POSTGRESQL,
    ),
)
