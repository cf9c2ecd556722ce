"""The lock files beside a SQLite database: who may open them, and that no turn is lost."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.things import INSERT, LIST, Thing, a_database, insert, values_of
from vacancy.db.connect import connect
from vacancy.db.database import Transaction
from vacancy.db.migration_door import open_migration_door
from vacancy.db.sqlite import database as sqlite_database
from vacancy.db.sqlite.database import SqliteDatabase
from vacancy.db.sqlite.locks import WriteTurn
from vacancy.errors import Unavailable

KINDS = ("lock", "queue", "write")


class _Refuses:
    """A session whose ROLLBACK fails, as on a disk that has gone."""

    def __init__(self, session: object) -> None:
        self._session = session

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)

    def command(self, sql: str) -> None:
        if sql == "ROLLBACK":
            raise Unavailable("STORAGE_FAILED", "The disk has gone.")
        self._session.command(sql)  # type: ignore[attr-defined]


@pytest.mark.parametrize("failing", ["the unit", "COMMIT"])
def test_a_rollback_that_fails_gives_the_turn_on(tmp_path: Path, failing: str) -> None:
    url = f"sqlite:///{tmp_path / 'turn.db'}"

    class Fails(_Refuses):
        def command(self, sql: str) -> None:
            if sql == failing:
                raise Unavailable("STORAGE_FAILED", f"{sql} failed.")
            super().command(sql)

    async def story() -> None:
        async with a_database(url) as db:
            assert isinstance(db, SqliteDatabase)
            other = await connect(url)

            async def unit(tx: Transaction) -> None:
                await tx.execute_set(INSERT, [values_of(Thing(1))])
                if failing == "the unit":
                    raise KeyError(failing)

            db._writer = Fails(db._writer)  # type: ignore[assignment]
            with pytest.raises(KeyError if failing == "the unit" else Unavailable, match=failing):
                await db.transact(unit)
            # Nothing of it is kept, and both handles write again, each in its turn.
            for handle, number in ((other, 2), (db, 3), (other, 4)):

                async def write(tx: Transaction, number: int = number) -> None:
                    await tx.execute_set(INSERT, [values_of(Thing(number))])

                await handle.transact(write, wait_s=5)
            assert [thing.id for thing in await other.fetch_all(LIST)] == [2, 3, 4]
            await other.close()

    asyncio.run(story())


def test_a_unit_that_says_nothing_waits_for_its_turn_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_database, "WAIT_S", 0.05)
    url = f"sqlite:///{tmp_path / 'turn.db'}"

    async def story() -> None:
        async with a_database(url) as db:
            assert isinstance(db, SqliteDatabase)
            turn = WriteTurn(db.path)
            turn.take()
            with pytest.raises(Unavailable, match="DATABASE_BUSY"):
                await insert(db, Thing(1))
            turn.give_back()
            turn.close()
            await insert(db, Thing(2))
            assert [thing.id for thing in await db.fetch_all(LIST)] == [2]

    asyncio.run(story())


def test_a_process_that_gave_up_waiting_ends(tmp_path: Path) -> None:
    """Its thread still waits for the turn: the interpreter must not wait for the thread."""
    path = tmp_path / "turn.db"
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from vacancy.db.sqlite.database import SqliteDatabase\n"
        "async def story():\n"
        "    db = SqliteDatabase(Path(sys.argv[1]))\n"
        "    async def unit(tx): return None\n"
        "    try:\n"
        "        await db.transact(unit, wait_s=0.05)\n"
        "    except Exception as error:\n"
        "        print(error.code)\n"
        "    await db.close()\n"
        "asyncio.run(story())\n"
    )
    turn = WriteTurn(path)
    turn.take()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", program, str(path)],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    finally:
        turn.give_back()
        turn.close()
    assert ended.stdout == "DATABASE_BUSY\n"


def test_lock_files_belong_to_whom_the_database_belongs(tmp_path: Path) -> None:
    """A command that root ran must not shut out a server that runs as somebody else."""
    path = tmp_path / "shared.db"

    def open_once() -> None:
        async def story() -> None:
            await (await connect(f"sqlite:///{path}")).close()

        asyncio.run(story())

    with closing(apsw.Connection(str(path))) as file:
        file.execute("CREATE TABLE t (x)")
    path.chmod(0o660)
    owner = (4_321, 4_322) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owner)
    open_once()
    for kind in KINDS:
        of_lock = Path(f"{path}.{kind}").stat()
        assert (of_lock.st_uid, of_lock.st_gid) == owner, kind
        assert stat.S_IMODE(of_lock.st_mode) == 0o660, kind

    # Those that an earlier version left closed are put right by whoever may.
    for kind in KINDS:
        Path(f"{path}.{kind}").chmod(0o600)
    open_once()
    assert {stat.S_IMODE(Path(f"{path}.{kind}").stat().st_mode) for kind in KINDS} == {0o660}


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_file_that_cannot_be_opened_is_said(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "shared.db"
    Path(f"{path}.{kind}").mkdir()
    open_files = len(list(Path("/dev/fd").iterdir()))
    for opening in (connect, open_migration_door):
        with pytest.raises(Unavailable, match=f"shared.db.{kind} cannot be opened") as refused:
            asyncio.run(opening(f"sqlite:///{path}"))
        assert refused.value.code == "STORAGE_FAILED"
        assert "owns" in refused.value.hint
    assert len(list(Path("/dev/fd").iterdir())) == open_files
