"""Databases that are not ours, with their own queries in a file: a library and a shop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.index_advice.foreign import Foreign, make_foreign
from tests.index_advice.library import LIBRARY
from tests.index_advice.mutant import apply_mutant
from tests.index_advice.score import Copies, Subject, in_words, judge
from tests.index_advice.scoreboard import problems
from tests.index_advice.shop import SHOP
from tests.servers import PostgresServer
from vacancy.db.statement import Engine
from vacancy.perf.indexes.finding import IndexFinding
from vacancy.perf.indexes.read_workload import read_query_file
from vacancy.perf.indexes.workload import NO_WORKLOAD


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return "sqlite" if request.param == "sqlite" else "postgresql"


@pytest.fixture(scope="module", params=[LIBRARY, SHOP], ids=lambda one: one.name)
def foreign(request: pytest.FixtureRequest) -> Foreign:
    assert isinstance(request.param, Foreign)
    return request.param


@pytest.fixture(scope="module")
def copies(
    engine: Engine,
    foreign: Foreign,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    worker: str,
) -> Iterator[Copies]:
    server: PostgresServer | None = None
    if engine == "postgresql":
        server = request.getfixturevalue("postgres")
    name = f"{foreign.name}_{worker}"
    made = Copies(tmp_path_factory.mktemp(foreign.name), server, name)
    made.make_template()
    asyncio.run(make_foreign(made.template_url, foreign))
    yield made
    if server is not None:
        server.drop_database(name)


def subject_of(engine: Engine, foreign: Foreign, folder: Path) -> Subject:
    """Its database with its own queries."""
    path = folder / "queries.sql"
    path.write_text(foreign.file())
    return Subject(engine=engine, workload=read_query_file(path, engine))


def test_all_of_its_queries_are_read(engine: Engine, foreign: Foreign, tmp_path: Path) -> None:
    workload = subject_of(engine, foreign, tmp_path).workload
    assert [question.name for question in workload.questions] == list(foreign.queries)
    assert not workload.closed


def test_a_sound_one_has_no_failing_finding(
    engine: Engine, foreign: Foreign, copies: Copies, tmp_path: Path
) -> None:
    with_queries = subject_of(engine, foreign, tmp_path)
    without = Subject(engine=engine, workload=NO_WORKLOAD)
    found: list[IndexFinding] = []
    for subject in (with_queries, without):
        with copies.copy() as url:
            found += asyncio.run(subject.findings(url))
    for harmless in foreign.harmless:
        with copies.copy() as url:
            asyncio.run(apply_mutant(url, harmless))
            found += asyncio.run(with_queries.findings(url))
    assert [in_words(one) for one in found if not one.ok] == []


def test_its_faults_are_found_and_the_advice_mends_them(
    engine: Engine, foreign: Foreign, copies: Copies, tmp_path: Path
) -> None:
    subject = subject_of(engine, foreign, tmp_path)
    faults = [fault for fault in foreign.faults if engine in fault.engines]
    assert len(faults) >= 6
    assert problems(judge(subject, copies, fault) for fault in faults) == []
