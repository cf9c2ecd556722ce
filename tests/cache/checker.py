"""The random run: processes that read, write and are disturbed, until time is up or one of them has
been given something that it should not have been given."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from tests.cache.board import (
    EPOCH,
    HELD_BY_OWNER,
    OWNERS,
    PAUSED,
    READS,
    RESTORED_AT,
    STOP,
    UNJUDGED,
    Board,
    now_ns,
)
from tests.cache.checker_process import Part
from tests.cache.owner import first_rows
from tests.cache.scenarios_files import put_in_place
from tests.cache.shell import PROJECT, Shell
from tests.cache.tables import TRACKED, log_ddl, make_tables, table_ddl, trigger_ddl
from tests.fault.proxy import Proxy, proxied
from vacancy.db.change_triggers import drop_triggers
from vacancy.db.changes import LOG_TABLE, STATE_TABLE
from vacancy.db.connect import engine_of, sqlite_path

DATA = ("shelves", "books", "leaves", LOG_TABLE, STATE_TABLE)
HELD_S = 10.0


class Plan(msgspec.Struct, frozen=True):
    """One random run."""

    url: str
    """Of an empty database."""
    folder: str
    seed: int
    seconds: float
    ddl: tuple[str, ...] = ()
    """Run after the tables were made."""
    reads_wanted: int = 0
    """It also ends when so many reads were checked; 0 for time alone."""
    ours: int = 2
    disturbed: bool = True
    changes_per_s: float = 60.0


class Result(msgspec.Struct, frozen=True):
    """What became of it."""

    violation: str
    reads: int
    unjudged: int
    acknowledged: int
    """Versions that were tried by all owners together."""
    seconds: float
    faults: dict[str, int]
    last_faults: tuple[str, ...] = ()
    """The last ones in their order, each with the second at which it ended."""
    notes: tuple[str, ...] = ()
    """Errors that were neither a broken promise nor an absent database."""


class Run:
    """A run while it lasts."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.engine = engine_of(plan.url)
        self.rng = random.Random(plan.seed)
        self.folder = Path(plan.folder)
        self.board = Board(self.folder / "board", create=True)
        self.faults: Counter[str] = Counter()
        self.log: list[str] = []
        self.began = time.monotonic()
        self.shell = Shell(plan.url)
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.started = 0
        self.proxy: Proxy | None = None
        self.proxy_url = ""
        self._saved: tuple[list[int], list[int]] | None = None

    # Processes.

    def start(self, number: int) -> None:
        self.started += 1
        # One that was ended while it was held has not said that it goes on.
        self.board.words[HELD_BY_OWNER + number] = 0
        # The last of ours comes through the proxy, where there is one.
        url = self.plan.url
        if self.proxy_url and number == self.plan.ours:
            url = self.proxy_url
        part = Part(
            url=url,
            board=str(self.folder / "board"),
            folder=str(self.folder),
            number=number,
            seed=self.plan.seed * 1_000 + self.started,
            changes_per_s=self.plan.changes_per_s,
            entries=24 if number == 2 else 1_000,
        )
        with (self.folder / f"errors-{number}").open("ab") as errors:
            self.processes[number] = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.cache.checker_process"),
                    msgspec.json.encode(part).decode(),
                ],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=PROJECT,
            )

    def end(self, number: int) -> None:
        process = self.processes.pop(number)
        process.kill()
        process.wait()

    # Faults, drawn by seed.

    async def kill_one(self) -> None:
        number = self.rng.choice(list(self.processes))
        self.end(number)
        self.start(number)

    async def stop_one(self) -> None:
        """For longer than the bound: a clock that stands still would be found out."""
        number = self.rng.randint(1, self.plan.ours)
        process = self.processes[number]
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(self.rng.uniform(0.25, 1.5))
        finally:
            process.send_signal(signal.SIGCONT)

    async def prune(self) -> None:
        keep = self.rng.choice((0, 3, 40))
        below = f"entry < (SELECT max(entry) FROM {LOG_TABLE}) - {keep}"
        if self.engine == "sqlite":
            await self.shell.do(f"DELETE FROM {LOG_TABLE} WHERE {below}")
            return
        await self.shell.do(
            "BEGIN",
            # First, as our own servers do: two who prune at once wait for each other here.
            f"UPDATE {STATE_TABLE} SET pruned_below = pg_snapshot_xmin(pg_current_snapshot())",
            f"DELETE FROM {LOG_TABLE} WHERE {below}"
            f" AND mark < (SELECT pruned_below FROM {STATE_TABLE})",
            "COMMIT",
        )

    async def change_the_schema(self) -> None:
        await self.shell.do("CREATE TABLE passing (id integer)", "DROP TABLE passing")

    async def end_the_looking_connections(self) -> None:
        await self.shell.do(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
            " application_name = 'vacancy-changes' AND datname = current_database()"
        )

    async def fall_silent(self) -> None:
        assert self.proxy is not None
        self.proxy.fall_silent()
        await asyncio.sleep(self.rng.choice((0.1, 0.5, 2.5)))
        self.proxy.speak_again()

    async def cut_off(self) -> None:
        assert self.proxy is not None
        self.proxy.take_away()
        await asyncio.sleep(self.rng.uniform(0, 0.3))
        self.proxy.bring_back()

    async def hold_all(self) -> None:
        """Nobody writes when this returns."""
        words = self.board.words
        words[PAUSED] = 1
        deadline = time.monotonic() + HELD_S
        while any(
            not words[HELD_BY_OWNER + number] and process.poll() is None
            for number, process in self.processes.items()
        ):
            assert time.monotonic() < deadline, "a process that should not write does not say so"
            await asyncio.sleep(0.002)

    def let_all_go(self) -> None:
        self.board.words[PAUSED] = 0

    async def save(self) -> None:
        """Takes a copy of the database, and of the board beside it."""
        await self.hold_all()
        if self.engine == "sqlite":
            copy = self.folder / "copy.db"
            copy.unlink(missing_ok=True)
            await self.shell.do(f"VACUUM INTO '{copy}'")
        else:
            for table in DATA:
                await self.shell.do(
                    f"DROP TABLE IF EXISTS saved_{table}",
                    f"CREATE TABLE saved_{table} AS TABLE {table}",
                )
        self._saved = self.board.save()
        self.let_all_go()

    async def restore(self) -> None:
        """Puts the copy in its place, under those who read or while all are stopped."""
        if self._saved is None:
            await self.save()
            return
        stopped = self.rng.random() < 0.4
        await self.hold_all()
        numbers = list(self.processes)
        if stopped:
            for number in numbers:
                self.end(number)
        self.board.words[EPOCH] += 1
        if self.engine == "sqlite":
            await self._put_file_in_place()
        else:
            await self._make_tables_anew()
        assert self._saved is not None
        self.board.restore(self._saved)
        self.board.words[RESTORED_AT] = now_ns()
        self.board.words[EPOCH] += 1
        self.faults["of these restores with all stopped"] += stopped
        self.let_all_go()
        if stopped:
            for number in numbers:
                self.start(number)

    async def _put_file_in_place(self) -> None:
        await self.shell.do("PRAGMA wal_checkpoint(TRUNCATE)")
        self.shell.__exit__(None, None, None)
        again = self.folder / "copy again.db"
        shutil.copy(self.folder / "copy.db", again)
        put_in_place(again, sqlite_path(self.plan.url))
        self.shell = Shell(self.plan.url)

    async def _make_tables_anew(self) -> None:
        await self.shell.do(
            "BEGIN",
            *drop_triggers("postgresql", TRACKED),
            f"DROP TABLE {', '.join(DATA)} CASCADE",
            *table_ddl("postgresql"),
            *log_ddl("postgresql"),
            *(f"INSERT INTO {t} SELECT * FROM saved_{t}" for t in DATA if t != LOG_TABLE),
            f"INSERT INTO {LOG_TABLE} OVERRIDING SYSTEM VALUE SELECT * FROM saved_{LOG_TABLE}",
            f"SELECT setval(pg_get_serial_sequence('{LOG_TABLE}', 'entry'),"
            f" (SELECT max(entry) FROM {LOG_TABLE}))",
            *trigger_ddl("postgresql"),
            *self.plan.ddl,
            "COMMIT",
        )

    def faults_of_this(self) -> list[Callable[[], Awaitable[None]]]:
        common = [self.kill_one, self.stop_one, self.prune, self.prune, self.save, self.restore]
        if self.engine == "sqlite":
            return [*common, self.change_the_schema]
        return [*common, self.end_the_looking_connections, self.fall_silent, self.cut_off]

    # The whole.

    async def play(self) -> Result:
        began = time.monotonic()
        await make_tables(self.plan.url, (*first_rows(), *self.plan.ddl))
        async with AsyncExitStack() as stack:
            if self.engine == "postgresql" and self.plan.disturbed:
                self.proxy, self.proxy_url = await stack.enter_async_context(proxied(self.plan.url))
            try:
                for number in range(self.plan.ours + 1):
                    self.start(number)
                await self._go_on_until(began + self.plan.seconds)
            finally:
                self.board.words[STOP] = 1
                await self._finish()
        return self._result(time.monotonic() - began)

    async def _go_on_until(self, end: float) -> None:
        words = self.board.words
        faults = self.faults_of_this()
        while time.monotonic() < end and not words[STOP]:
            await asyncio.sleep(self.rng.uniform(0.05, 0.5))
            if self.plan.reads_wanted and self._reads() >= self.plan.reads_wanted:
                return
            for number, process in list(self.processes.items()):
                if process.poll() is not None and not words[STOP]:
                    errors = (self.folder / f"errors-{number}").read_text()[-1_500:]
                    told = f"process {number} ended by itself: {errors}"
                    (self.folder / f"violation-{number}").write_text(told)
                    return
            if self.plan.disturbed and not words[STOP]:
                fault = self.rng.choice(faults)
                name = getattr(fault, "__name__", "?").replace("_", " ")
                self.faults[name] += 1
                await fault()
                self.log.append(f"{time.monotonic() - self.began:.2f} s {name}")

    async def _finish(self) -> None:
        for process in self.processes.values():
            try:
                await asyncio.to_thread(process.wait, 5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.shell.__exit__(None, None, None)

    def _reads(self) -> int:
        return sum(self.board.words[READS + number] for number in range(OWNERS))

    def _result(self, seconds: float) -> Result:
        told = sorted(self.folder.glob("violation-*"))
        notes = [
            line for path in self.folder.glob("notes-*") for line in path.read_text().split("\n")
        ]
        errors = [path.read_text()[-2_000:] for path in self.folder.glob("errors-*")]
        result = Result(
            violation=told[0].read_text() if told else "",
            reads=self._reads(),
            unjudged=sum(self.board.words[UNJUDGED + number] for number in range(OWNERS)),
            acknowledged=sum(self.board.save()[1]),
            seconds=seconds,
            faults=dict(self.faults),
            last_faults=tuple(self.log[-6:]),
            notes=tuple(sorted({text for text in (*notes, *errors) if text})),
        )
        self.board.__exit__()
        return result


def run_checker(plan: Plan) -> Result:
    """Plays a run. The sources that are first on the path are those that it holds to account."""
    os.makedirs(plan.folder, exist_ok=True)  # noqa: PTH103 - no more than that
    return asyncio.run(Run(plan).play())
