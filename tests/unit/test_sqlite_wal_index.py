"""What SQLite's shared memory tells of commits, against what SQLite itself tells."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from vacancy.db.sqlite.session import open_connection, use_wal
from vacancy.db.sqlite.wal_index import watch_commits


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "things.db"
    writer = open_connection(path)
    use_wal(writer)
    writer.execute("CREATE TABLE things (id INTEGER PRIMARY KEY)")
    writer.execute("INSERT INTO things VALUES (1)")
    writer.close()
    return path


def _reader(path: Path) -> apsw.Connection:
    reader = open_connection(path, read_only=True)
    reader.execute("SELECT * FROM things").fetchall()
    return reader


def test_it_changes_with_every_commit_and_with_nothing_else(path: Path) -> None:
    rng = random.Random(1)
    writer, reader = open_connection(path), _reader(path)
    watch = watch_commits(reader)
    assert watch is not None
    known, version = watch(), reader.execute("PRAGMA data_version").get
    commits = 0
    for _ in range(600):
        match rng.randrange(6):
            case 0:
                writer.execute("BEGIN IMMEDIATE")
                writer.execute("INSERT INTO things DEFAULT VALUES")
                writer.execute("ROLLBACK")
            case 1:
                writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            case 2:
                writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            case 3:
                reader.execute("SELECT COUNT(*) FROM things").fetchall()
            case _:
                writer.execute("INSERT INTO things DEFAULT VALUES")
                commits += 1
        moved = reader.execute("PRAGMA data_version").get != version
        assert watch() == known if not moved else watch() != known
        known, version = watch(), reader.execute("PRAGMA data_version").get
    assert commits > 150


def test_another_process_is_seen_at_once(path: Path) -> None:
    reader = _reader(path)
    watch = watch_commits(reader)
    assert watch is not None
    known = watch()
    other = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        " c.execute('INSERT INTO things DEFAULT VALUES'); c.commit()"
    )
    for _ in range(3):
        subprocess.run([sys.executable, "-c", other, str(path)], check=True)
        assert watch() != known
        known = watch()


def test_other_ways_of_keeping_a_log_are_left_to_sqlite(tmp_path: Path) -> None:
    connection = open_connection(tmp_path / "plain.db")
    connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY)")
    assert watch_commits(connection) is None


def test_a_file_system_of_another_make_is_left_to_sqlite(path: Path) -> None:
    vfs = apsw.VFS("watched-commits", base="")
    reader = open_connection(path, vfs="watched-commits")
    reader.execute("SELECT * FROM things").fetchall()
    watch = watch_commits(reader)
    if watch is not None:  # should it hand through what lies below, it must be as good
        known = watch()
        writer = open_connection(path)
        writer.execute("INSERT INTO things DEFAULT VALUES")
        assert watch() != known
    reader.close()
    vfs.unregister()
