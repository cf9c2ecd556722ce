"""Scores the checks on the mutants: what is found, what is said of nothing, what its own advice
makes worse; and PgHero's rules beside them."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import asyncpg
import msgspec

from tests.index_advice.clean import Clean
from tests.index_advice.mutant import Mutant, apply_mutant
from tests.index_advice.pghero import ask_pghero
from tests.servers import PostgresServer
from vacancy.db.connect import engine_of, sqlite_path
from vacancy.db.gate import registered_statements
from vacancy.db.plan import Sizes
from vacancy.db.statement import Engine
from vacancy.hotel.declared import declared_indexes
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.sizes import SIZES
from vacancy.perf.indexes.check import check_indexes
from vacancy.perf.indexes.finding import IndexFinding
from vacancy.perf.indexes.open_trial import open_trial
from vacancy.perf.indexes.trial import IndexMade
from vacancy.perf.indexes.workload import Workload, workload_of_statements

OURS_CHANGED = frozenset({"idempotency_keys", "change_log"})
"""The tables whose rows a statement of ours deletes."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one mutant."""

    name: str
    family: str
    found: bool
    false: tuple[str, ...] = ()
    """Failing findings about what is no fault."""
    wrong: tuple[str, ...] = ()
    """What came of doing as the finding says, where that was not the mend."""
    told: tuple[str, ...] = ()
    """All that was found."""
    fix: str = ""
    rival_found: bool = False
    rival_false: tuple[str, ...] = ()


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and of databases of what kind."""

    engine: Engine
    workload: Workload
    declared: tuple[IndexMade, ...] | None = None
    sizes: Sizes | None = None
    changed: frozenset[str] | None = None

    async def findings(self, url: str, deletes: Iterable[str] = ()) -> tuple[IndexFinding, ...]:
        """A whole look. Tables whose rows somebody deletes are added to those that are known."""
        changed = None if self.changed is None else self.changed | set(deletes)
        report = await check_indexes(
            url,
            workload=self.workload,
            declared=self.declared,
            sizes=self.sizes,
            parents_changed=changed,
        )
        return report.findings

    async def rival_findings(self, url: str) -> list[IndexFinding]:
        """What PgHero's rules say of it; nothing on SQLite."""
        if self.engine == "sqlite":
            return []
        async with open_trial(url, self.sizes) as trial:
            plans = (await trial.look(self.workload.questions)).plans.values()
        used = {way.index for one in plans if one.plan for way in one.plan.ways}
        connection = await asyncpg.connect(url)
        try:
            queries = [question.sql for question in self.workload.questions]
            return await ask_pghero(connection, queries, used, self.sizes)
        finally:
            await connection.close()


def our_subject(engine: Engine) -> Subject:
    """Our schema with its contracts, at a million bookings."""
    return Subject(
        engine=engine,
        workload=workload_of_statements(engine, registered_statements()),
        declared=declared_indexes(engine),
        sizes=SIZES,
        changed=OURS_CHANGED,
    )


class Copies:
    """Databases that begin as copies of a template."""

    def __init__(self, folder: Path, server: PostgresServer | None, template: str) -> None:
        self._folder = folder
        self._server = server
        self._template = template
        self._count = 0

    @property
    def template_url(self) -> str:
        """The template's own address; nobody may be connected while it is copied."""
        return self._url(self._template)

    def make_template(self) -> None:
        """An empty database, to be filled."""
        if self._server is not None:
            self._server.create_database(self._template)

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The address of a fresh copy, gone at the end."""
        self._count += 1
        name = f"{self._template}_{self._count}"
        if self._server is None:
            shutil.copyfile(sqlite_path(self.template_url), sqlite_path(self._url(name)))
            yield self._url(name)
            for path in self._folder.glob(f"{name}.db*"):
                path.unlink()
            return
        self._server.create_database(name, template=self._template)
        yield self._url(name)
        self._server.drop_database(name)

    def _url(self, name: str) -> str:
        if self._server is None:
            return f"sqlite:///{self._folder / name}.db"
        return self._server.url(name)


def our_copies(folder: Path, server: PostgresServer | None, template: str = "ours") -> Copies:
    """Copies of our clean migrated schema."""
    copies = Copies(folder, server, template)
    copies.make_template()
    asyncio.run(migrate_database(copies.template_url))
    return copies


def judge(subject: Subject, copies: Copies, mutant: Mutant, *, rival: bool = False) -> Verdict:
    """Breaks a copy, looks, does as the finding says, and looks again."""
    with copies.copy() as url:
        return asyncio.run(_judge(subject, url, mutant, rival))


async def _judge(subject: Subject, url: str, mutant: Mutant, ask_rival: bool) -> Verdict:
    await apply_mutant(url, mutant)
    rival = await subject.rival_findings(url) if ask_rival else []
    findings = await subject.findings(url, mutant.deletes)
    found = sorted((one for one in findings if mutant.is_found_by(one)), key=lambda one: one.ok)
    fixed = next((one for one in found if one.fix), None)
    wrong: tuple[str, ...] = ()
    if fixed is not None and not fixed.fix.startswith("vacancy "):
        wrong = tuple(await _wrong(subject, url, mutant, findings, fixed))
    return Verdict(
        name=mutant.name,
        family=mutant.family,
        found=bool(found),
        false=_not_excused(mutant, findings),
        wrong=wrong,
        told=tuple(map(in_words, findings)),
        fix="" if fixed is None else fixed.fix,
        rival_found=any(map(mutant.is_found_by, rival)),
        rival_false=_not_excused(mutant, rival),
    )


async def _wrong(
    subject: Subject,
    url: str,
    mutant: Mutant,
    before: Sequence[IndexFinding],
    fixed: IndexFinding,
) -> list[str]:
    try:
        await apply_fix(url, fixed.fix)
    except (apsw.Error, asyncpg.PostgresError) as error:
        return [f"{fixed.fix} ends with {error}"]
    known = {_key(one) for one in before}
    after = await subject.findings(url, mutant.deletes)
    return [
        f"after {fixed.fix}: {in_words(one)}"
        for one in after
        if _key(one) == _key(fixed) or (not one.ok and _key(one) not in known)
    ]


async def apply_fix(url: str, fix: str) -> None:
    """Runs its statements one by one, none in a transaction with another."""
    steps = [sql for sql in re.split(r";\s*(?:\n|$)", fix) if sql.strip()]
    if engine_of(url) == "sqlite":
        with closing(apsw.Connection(str(sqlite_path(url)))) as file:
            for sql in steps:
                file.execute(sql)
        return
    connection = await asyncpg.connect(url)
    try:
        for sql in steps:
            await connection.execute(sql)
        await connection.execute("SELECT pg_stat_force_next_flush()")
    finally:
        await connection.close()


def judge_clean(
    subject: Subject, copies: Copies, variant: Clean
) -> tuple[list[IndexFinding], list[IndexFinding]]:
    """What fails in a database without a fault: ours, and PgHero's."""

    async def look(url: str) -> tuple[list[IndexFinding], list[IndexFinding]]:
        await variant.make(url)
        ours = await subject.findings(url, variant.deletes)
        rival = await subject.rival_findings(url)
        return [one for one in ours if not one.ok], [one for one in rival if not one.ok]

    with copies.copy() as url:
        return asyncio.run(look(url))


def in_words(finding: IndexFinding) -> str:
    """A finding on one line."""
    note = " (worth knowing)" if finding.ok else ""
    return f"{finding.name} {finding.table} {finding.index}{note}: {finding.sentence}"


def _not_excused(mutant: Mutant, findings: Iterable[IndexFinding]) -> tuple[str, ...]:
    return tuple(in_words(one) for one in findings if not one.ok and not mutant.excuses(one))


def _key(finding: IndexFinding) -> tuple[str, str, str]:
    return finding.name, finding.table, finding.index
