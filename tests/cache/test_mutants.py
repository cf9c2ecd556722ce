"""The checker finds what it is there to find: each mutant of the protocol is caught, on each
database that it names. `make test` tries a few; `make soak` all of them, and those that nobody
looked at while the checker was built."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.cache.attempt import Job, attempt
from tests.cache.mutant import BOTH, Mutant
from tests.cache.mutants import MUTANTS
from tests.cache.unseen import UNSEEN
from vacancy.db.statement import Engine

RANDOM_RUN_S = 15.0
A_STORY_FINDS = ("stamped-after-the-query",)
CHANCE_FINDS = ("own-commits-are-not-settled", "the-monitor-is-the-writer")
"""Found by the random run alone as well, in a second or two."""


def _named(*names: str) -> list[Mutant]:
    return [mutant for mutant in MUTANTS if mutant.name in names]


def _cases(mutants: Iterable[Mutant]) -> list[Any]:
    """Each on each database that it names."""
    return [
        pytest.param(mutant, engine, id=f"{mutant.name}-{engine}")
        for mutant in mutants
        for engine in mutant.engines
    ]


@pytest.fixture
def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Engine], str]:
    """An empty database of the kind that is asked for."""

    def url(engine: Engine) -> str:
        if engine == "sqlite":
            return f"sqlite:///{tmp_path / 'vacancy.db'}"
        return str(request.getfixturevalue("postgres_url"))

    return url


@pytest.mark.parametrize(("mutant", "engine"), _cases(_named(*A_STORY_FINDS)))
def test_a_story_catches_it(
    mutant: Mutant, engine: Engine, url_of: Callable[[Engine], str], tmp_path: Path
) -> None:
    job = Job(url=url_of(engine), folder=str(tmp_path))
    outcome = attempt(mutant, engine, job)
    assert outcome.by == "scenario" and outcome.violation, outcome


@pytest.mark.parametrize(("mutant", "engine"), _cases(_named(*CHANCE_FINDS)))
def test_the_random_run_catches_it(
    mutant: Mutant, engine: Engine, url_of: Callable[[Engine], str], tmp_path: Path
) -> None:
    job = Job(url=url_of(engine), folder=str(tmp_path), scenarios=False, seconds=RANDOM_RUN_S)
    outcome = attempt(mutant, engine, job)
    assert outcome.by == "random run" and outcome.violation, outcome


@pytest.mark.soak
@pytest.mark.parametrize("engine", BOTH)
def test_the_tree_without_a_mutant_is_clean(
    engine: Engine, url_of: Callable[[Engine], str], tmp_path: Path
) -> None:
    job = Job(url=url_of(engine), folder=str(tmp_path), seconds=RANDOM_RUN_S)
    outcome = attempt(None, engine, job)
    assert outcome.violation == "" and outcome.reads, outcome


@pytest.mark.soak
@pytest.mark.parametrize(("mutant", "engine"), _cases((*MUTANTS, *UNSEEN)))
def test_every_mutant_is_caught(
    mutant: Mutant, engine: Engine, url_of: Callable[[Engine], str], tmp_path: Path
) -> None:
    job = Job(url=url_of(engine), folder=str(tmp_path), seconds=RANDOM_RUN_S)
    outcome = attempt(mutant, engine, job)
    assert outcome.violation, f"{mutant.name} breaks a promise and nobody saw it: {mutant.breaks}"
