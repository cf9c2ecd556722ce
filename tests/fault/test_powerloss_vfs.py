"""The power-loss VFS itself: its images keep what was synced and lose what was not."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fault.powerloss import (
    SECTOR_BYTES,
    Change,
    Create,
    Delete,
    Found,
    Mark,
    Operation,
    Recording,
    Sync,
    Truncate,
    Write,
    crash_files,
    powerloss_vfs,
    surviving_content,
)

COMMITS = 120
IMAGES = 60


class Survivors(msgspec.Struct, frozen=True, kw_only=True):
    """What a crash image holds: `problem` is empty when SQLite finds it whole."""

    problem: str
    entries: int
    total: int


def commit_entries(recording: Recording, *, journal: str, synchronous: str) -> None:
    """Commit numbered entries, each with a running total, and mark each commit once it returned."""
    with closing(apsw.Connection(str(recording.database), vfs="powerloss")) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        # Small, so that the log also holds many checkpoints and restarts of the WAL.
        connection.execute("PRAGMA wal_autocheckpoint = 25")
        connection.execute(
            "CREATE TABLE entry (number INTEGER PRIMARY KEY, payload TEXT NOT NULL);"
            "CREATE TABLE total (entries INTEGER NOT NULL);"
            "INSERT INTO total (entries) VALUES (0);"
        )
        for number in range(1, COMMITS + 1):
            with connection:
                connection.execute(
                    "INSERT INTO entry (number, payload) VALUES (?, ?)", (number, "x" * 900)
                )
                connection.execute("UPDATE total SET entries = entries + 1")
            recording.mark(f"entry {number}")


def read_image(image: Path) -> Survivors:
    """Open an image as a restarted program would and count what is in it."""
    try:
        with closing(apsw.Connection(str(image))) as connection:
            verdict = str(connection.execute("PRAGMA integrity_check").get)
            if verdict != "ok":
                return Survivors(problem=verdict, entries=0, total=0)
            entries, total = 0, 0
            tables = connection.execute("SELECT name FROM sqlite_schema ORDER BY name").fetchall()
            if ("entry",) in tables:
                entries = connection.execute("SELECT count(*) FROM entry").get
            if ("total",) in tables:
                total = connection.execute("SELECT coalesce(max(entries), 0) FROM total").get
            return Survivors(problem="", entries=entries, total=total)
    except apsw.Error as error:
        return Survivors(problem=repr(error), entries=0, total=0)


def crash_and_read(recording: Recording, target: Path) -> list[tuple[int, Survivors]]:
    """Return, for seeded crash points, how many commits were acknowledged and what survived."""
    results = []
    for seed in range(IMAGES):
        rng = random.Random(seed)
        at = rng.randrange(len(recording))
        image = recording.crash_image(at, rng, target / str(seed))
        results.append((len(recording.marked(at)), read_image(image)))
    return results


@pytest.mark.parametrize(("journal", "synchronous"), [("WAL", "FULL"), ("DELETE", "EXTRA")])
def test_full_sync_keeps_every_acknowledged_commit(
    tmp_path: Path, journal: str, synchronous: str
) -> None:
    with powerloss_vfs(tmp_path / "a.db") as recording:
        commit_entries(recording, journal=journal, synchronous=synchronous)
    results = crash_and_read(recording, tmp_path / "images")
    for acknowledged, survivors in results:
        assert survivors.problem == ""
        assert survivors.entries == survivors.total
        # One more than acknowledged: the commit that was on its way when the power went.
        assert acknowledged <= survivors.entries <= acknowledged + 1
    assert len({acknowledged for acknowledged, _ in results}) > IMAGES // 3


def test_without_sync_the_loss_is_seen(tmp_path: Path) -> None:
    with powerloss_vfs(tmp_path / "a.db") as recording:
        commit_entries(recording, journal="WAL", synchronous="OFF")
    assert not any(isinstance(op, Sync) and "wal" in op.file for op in recording.operations())
    results = crash_and_read(recording, tmp_path / "images")
    assert any(survivors.problem for _, survivors in results)
    assert any(
        not survivors.problem and survivors.entries < acknowledged
        for acknowledged, survivors in results
    )


def test_normal_sync_in_wal_mode_loses_commits_and_stays_whole(tmp_path: Path) -> None:
    with powerloss_vfs(tmp_path / "a.db") as recording:
        commit_entries(recording, journal="WAL", synchronous="NORMAL")
    results = crash_and_read(recording, tmp_path / "images")
    for acknowledged, survivors in results:
        assert survivors.problem == ""
        assert survivors.entries == survivors.total
        assert survivors.entries <= acknowledged + 1
    assert any(survivors.entries < acknowledged for acknowledged, survivors in results)


def test_images_can_be_taken_while_another_thread_commits(tmp_path: Path) -> None:
    with powerloss_vfs(tmp_path / "a.db") as recording:
        writer = threading.Thread(
            target=commit_entries,
            args=(recording,),
            kwargs={"journal": "WAL", "synchronous": "FULL"},
        )
        writer.start()
        taken = 0
        while writer.is_alive():
            if len(recording) == 0:
                continue
            at = len(recording) - 1
            image = recording.crash_image(at, random.Random(taken), tmp_path / f"image{taken}")
            taken += 1
            survivors = read_image(image)
            acknowledged = len(recording.marked(at))
            assert survivors.problem == ""
            assert acknowledged <= survivors.entries <= acknowledged + 1
        writer.join()
    assert taken > 0
    assert len(recording.marked(len(recording) - 1)) == COMMITS


def test_readers_and_writer_share_memory_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with (
        powerloss_vfs(path) as recording,
        closing(apsw.Connection(str(path), vfs="powerloss")) as writer,
        closing(apsw.Connection(str(path), vfs="powerloss")) as reader,
    ):
        assert writer.execute("PRAGMA journal_mode = WAL").get == "wal"
        writer.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY)")
        assert reader.execute("SELECT count(*) FROM entry").get == 0
        writer.execute("INSERT INTO entry VALUES (1)")
        assert reader.execute("SELECT count(*) FROM entry").get == 1
        assert path.with_name("a.db-shm").exists()
    made = {op.file for op in recording.operations() if isinstance(op, Create)}
    assert made == {"a.db", "a.db-wal", "a.db-journal"}


def test_the_log_replays_to_the_real_file(tmp_path: Path) -> None:
    with powerloss_vfs(tmp_path / "a.db") as recording:
        commit_entries(recording, journal="WAL", synchronous="FULL")
    # Closing the last connection wrote the WAL back and synced, so nothing is left to chance.
    files = crash_files(recording.operations(), len(recording) - 1, random.Random(1))
    assert files["a.db"] == (tmp_path / "a.db").read_bytes()


@pytest.mark.parametrize("wal_left", [True, False])
def test_a_database_from_before_the_recording_is_its_ground(tmp_path: Path, wal_left: bool) -> None:
    path = tmp_path / "a.db"
    with closing(apsw.Connection(str(path))) as earlier, powerloss_vfs(path) as recording:
        earlier.execute("PRAGMA journal_mode = WAL")
        earlier.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY)")
        earlier.execute("INSERT INTO entry VALUES (1), (2), (3)")
        if not wal_left:
            earlier.close()
        with closing(apsw.Connection(str(path), vfs="powerloss")) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("INSERT INTO entry VALUES (4)")
    assert isinstance(recording.operations()[0], Found)
    for seed in range(10):
        image = recording.crash_image(0, random.Random(seed), tmp_path / str(seed))
        assert read_image(image).entries == 3


def test_other_databases_pass_through_unrecorded(tmp_path: Path) -> None:
    with powerloss_vfs(tmp_path / "a.db") as recording:
        with closing(apsw.Connection(str(tmp_path / "b.db"), vfs="powerloss")) as connection:
            connection.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY)")
        assert len(recording) == 0
    assert (tmp_path / "b.db").stat().st_size > 0


def test_an_image_wants_an_empty_directory_and_a_recorded_operation(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "a.db")
    recording.mark("only")
    assert recording.crash_image(0, random.Random(0), tmp_path / "image").name == "a.db"
    with pytest.raises(IndexError, match="operation 1 is not in the log: it holds 1"):
        recording.crash_image(1, random.Random(0), tmp_path / "other")
    (tmp_path / "image" / "a.db-wal").touch()
    with pytest.raises(FileExistsError, match="is not empty"):
        recording.crash_image(0, random.Random(0), tmp_path / "image")


def outcomes(operations: Sequence[Operation], file: str = "f") -> set[bytes | None]:
    """Return every content of `file` met over many seeds after the last operation."""
    at = len(operations) - 1
    return {crash_files(operations, at, random.Random(seed)).get(file) for seed in range(400)}


def test_a_synced_write_stays_and_a_later_one_may_go_or_tear() -> None:
    old, new = b"o" * (2 * SECTOR_BYTES), b"n" * (2 * SECTOR_BYTES)
    written: list[Operation] = [
        Create(file="f"),
        Write(file="f", offset=0, data=old),
        Sync(file="f", begun_at=2, directory=False),
        Write(file="f", offset=0, data=new),
        Mark(label="acknowledged"),
    ]
    half = SECTOR_BYTES
    assert outcomes(written) == {old, new, old[:half] + new[half:], new[:half] + old[half:]}
    assert outcomes([*written, Sync(file="f", begun_at=5, directory=False)]) == {new}


def test_a_write_during_a_sync_is_not_covered_by_it() -> None:
    written: list[Operation] = [
        Create(file="f"),
        Write(file="f", offset=0, data=b"a"),
        Write(file="f", offset=0, data=b"b"),
        Sync(file="f", begun_at=2, directory=False),
    ]
    assert outcomes(written) == {b"a", b"b"}


def test_unsynced_lengths_may_or_may_not_be_there() -> None:
    shortened: list[Operation] = [
        Found(files={"f": b"abcd"}),
        Truncate(file="f", size_bytes=1),
    ]
    assert outcomes(shortened) == {b"abcd", b"a"}
    grown: list[Operation] = [Found(files={"f": b"ab"}), Write(file="f", offset=2, data=b"cd")]
    assert outcomes(grown) == {b"ab", b"abcd", b"ab\0\0"}


def test_directory_entries_are_durable_only_when_synced() -> None:
    deleted: list[Operation] = [Found(files={"f": b"1"}), Delete(file="f", directory=False)]
    assert outcomes(deleted) == {b"1", None}
    made_again = [*deleted, Create(file="f")]
    assert outcomes(made_again) == {b"1", None, b""}
    assert outcomes([*made_again, Sync(file="f", begun_at=3, directory=False)]) == {b""}
    other: list[Operation] = [
        *deleted,
        Create(file="g"),
        Sync(file="g", begun_at=3, directory=False),
    ]
    assert outcomes(other) == {b"1", None}
    assert outcomes([*other, Sync(file="g", begun_at=4, directory=True)]) == {None}
    assert outcomes([*deleted, Delete(file="g", directory=True)]) == {None}


offsets = st.integers(min_value=0, max_value=3 * SECTOR_BYTES)
writes = st.builds(
    Write, file=st.just("f"), offset=offsets, data=st.binary(min_size=1, max_size=1200)
)
truncates = st.builds(Truncate, file=st.just("f"), size_bytes=offsets)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=1500), st.lists(writes | truncates, max_size=6), st.integers(0, 10_000))
def test_every_surviving_byte_was_once_there(
    durable: bytes, pending: list[Change], seed: int
) -> None:
    content = surviving_content(durable, pending, random.Random(seed))
    longest = len(durable)
    for change in pending:
        end = change.offset + len(change.data) if isinstance(change, Write) else change.size_bytes
        longest = max(longest, end)
    assert len(content) <= longest
    for position, byte in enumerate(content):
        known = {0, *durable[position : position + 1]}
        for change in pending:
            if isinstance(change, Write) and position >= change.offset:
                start = position - change.offset
                known.update(change.data[start : start + 1])
        assert byte in known


@settings(max_examples=100, deadline=None)
@given(st.lists(writes | truncates, max_size=8), st.lists(writes, max_size=3), st.integers(0, 999))
def test_a_sync_leaves_one_content_and_later_operations_do_not_matter(
    changes: list[Change], later: list[Write], seed: int
) -> None:
    synced: list[Operation] = [Create(file="f"), *changes]
    synced.append(Sync(file="f", begun_at=len(synced), directory=False))
    expected = bytearray()
    for change in changes:
        if isinstance(change, Truncate):
            expected = expected[: change.size_bytes].ljust(change.size_bytes, b"\0")
        else:
            expected = expected.ljust(change.offset, b"\0")
            expected[change.offset : change.offset + len(change.data)] = change.data
    files = crash_files([*synced, *later], len(synced) - 1, random.Random(seed))
    assert files == {"f": bytes(expected)}
