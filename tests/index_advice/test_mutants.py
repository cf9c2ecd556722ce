"""The mutants are found, nothing is said of what is no fault, and doing as a finding says mends it.

A sample in every run; all of them, with the score of PgHero's rules beside, in `make soak`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.index_advice.clean import CLEAN, Clean, clean_on
from tests.index_advice.mutant import Mutant
from tests.index_advice.mutants import mutants_on
from tests.index_advice.score import Copies, in_words, judge, judge_clean, our_copies, our_subject
from tests.index_advice.scoreboard import as_table, problems
from tests.servers import PostgresServer
from vacancy.db.statement import Engine

SAMPLE = 12
"""Families of which one mutant each is tried in every run."""
ALWAYS = ("empty", "an-index-written-otherwise")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return "sqlite" if request.param == "sqlite" else "postgresql"


@pytest.fixture(scope="module")
def copies(
    engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    worker: str,
) -> Iterator[Copies]:
    if engine == "sqlite":
        yield our_copies(tmp_path_factory.mktemp("mutants"), None)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"mutants_{worker}"
    yield our_copies(tmp_path_factory.mktemp("mutants"), server, name)
    server.drop_database(name)


def test_a_sample_is_found_and_its_advice_mends_it(engine: Engine, copies: Copies) -> None:
    subject = our_subject(engine)
    verdicts = [judge(subject, copies, mutant) for mutant in _sample(engine)]
    assert problems(verdicts) == []


def test_nothing_fails_where_there_is_no_fault(engine: Engine, copies: Copies) -> None:
    subject = our_subject(engine)
    found = {
        variant.name: [in_words(one) for one in judge_clean(subject, copies, variant)[0]]
        for variant in clean_on(engine)
        if variant.name in ALWAYS
    }
    assert found == {name: [] for name in ALWAYS}


@pytest.mark.soak
def test_all_mutants_are_scored(engine: Engine, copies: Copies, tmp_path: Path) -> None:
    subject = our_subject(engine)
    verdicts = [judge(subject, copies, mutant, rival=True) for mutant in mutants_on(engine)]
    table = as_table(engine, verdicts)
    (tmp_path / "score.txt").write_text(table)
    found = sum(one.found for one in verdicts)
    assert found >= 0.95 * len(verdicts), "\n".join([table, *problems(verdicts)])
    assert [one for verdict in verdicts for one in verdict.wrong] == []
    assert [one for verdict in verdicts for one in verdict.false] == []
    if engine == "postgresql":
        assert found > sum(one.rival_found for one in verdicts), table


@pytest.mark.soak
@pytest.mark.parametrize("variant", CLEAN, ids=lambda one: one.name)
def test_nothing_fails_in_any_clean_variant(engine: Engine, copies: Copies, variant: Clean) -> None:
    if engine not in variant.engines:
        pytest.skip("There is none of it on this engine.")
    ours, _ = judge_clean(our_subject(engine), copies, variant)
    assert [in_words(one) for one in ours] == []


def _sample(engine: Engine) -> list[Mutant]:
    """The same in every run, and another one when the corpus changes."""
    rng = random.Random(2027)
    by_family: dict[str, list[Mutant]] = {}
    for mutant in mutants_on(engine):
        by_family.setdefault(mutant.family, []).append(mutant)
    families = rng.sample(sorted(by_family), SAMPLE)
    return [rng.choice(by_family[family]) for family in families]
