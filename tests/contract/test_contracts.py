"""Every statement and every helper keeps its promises on both databases, and every seeded
regression is caught."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.conftest import SpareDatabases
from tests.detector import Detector, open_detector
from tests.seeds import ALL, Seed
from tests.servers import PostgresServer
from vacancy.contracts.contract import contract_of
from vacancy.contracts.finding import Finding
from vacancy.db.gate import registered_statements
from vacancy.db.statement import Engine, SetStatement, Statement
from vacancy.hotel import queries
from vacancy.hotel import statements as home_of_statements
from vacancy.hotel.wiring import CONTRACTS, STATEMENTS

BOTH = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
SHUFFLES = 100
"""Of the whole corpus, in `make soak`."""

BRIEF = (
    "get_room_types_with_inventory",
    "get_room_type_with_inventory",
    "get_user_bookings_with_room_type",
    "get_bookings_for_date_range",
    "get_booking_details",
    "check_room_availability",
    "get_all_room_availability",
    "batch_check_availability",
    "get_booking_statistics",
    "get_occupancy_rate",
    "get_user_payment_summary",
    "get_bookings_by_ids",
)


def test_the_twelve_helpers_promise_one_statement_each() -> None:
    promised = {name: contract_of(getattr(queries, name)).statements for name in BRIEF}
    assert promised == dict.fromkeys(BRIEF, 1)


def test_every_helper_has_a_contract() -> None:
    helpers = {name for name in queries.__all__ if asyncio.iscoroutinefunction(vars(queries)[name])}
    assert helpers == {contract.name for contract in CONTRACTS}


def test_every_module_of_statements_is_wired() -> None:
    wired = {module.__name__.rpartition(".")[2] for module in STATEMENTS}
    holding = set()
    for module in pkgutil.iter_modules(home_of_statements.__path__):
        values = vars(importlib.import_module(f"{home_of_statements.__name__}.{module.name}"))
        if any(isinstance(value, Statement | SetStatement) for value in values.values()):
            holding.add(module.name)
    assert wired == holding


@BOTH
def test_the_clean_tree_raises_nothing(
    engine: Engine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async def story() -> list[Finding]:
        async with a_detector(engine, tmp_path, request) as detector:
            return await find_everything(detector)

    assert list(map(str, asyncio.run(story()))) == []


def test_every_contract_is_measured_with_every_statement_that_it_names(tmp_path: Path) -> None:
    async def story() -> set[str]:
        async with open_detector(
            f"sqlite:///{tmp_path / 'shape.db'}", f"sqlite:///{tmp_path / 'scaled.db'}"
        ) as detector:
            missing = set()
            for contract in CONTRACTS:
                detector.house.db.trace.reset()
                await detector.find_in_helper(contract)
                ran = detector.house.db.trace.counts()
                missing |= {one.name for one in contract.uses if one.name not in ran}
            return missing

    assert asyncio.run(story()) == set()


@BOTH
def test_every_seed_is_caught(
    engine: Engine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async def story() -> list[str]:
        async with a_detector(engine, tmp_path, request) as detector:
            return await find_missed(detector, seeds_of(engine))

    assert asyncio.run(story()) == []


@pytest.mark.soak
@BOTH
def test_the_seeds_are_caught_in_any_order(
    engine: Engine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A hundred times over, and after each round the clean tree raises nothing: no flake, and
    nothing that one seed leaves behind for the next."""
    rng = random.Random(2027)

    async def story() -> None:
        async with a_detector(engine, tmp_path, request) as detector:
            for round_number in range(SHUFFLES):
                seeds = seeds_of(engine)
                rng.shuffle(seeds)
                assert await find_missed(detector, seeds) == [], round_number
                assert await find_everything(detector) == [], round_number

    asyncio.run(story())


async def find_everything(detector: Detector) -> list[Finding]:
    found = await detector.find_in_statements(registered_statements())
    for contract in CONTRACTS:
        found += await detector.find_in_helper(contract)
    return found


async def find_missed(detector: Detector, seeds: Iterable[Seed]) -> list[str]:
    """The seeds that no finding of an expected kind names, with what was found instead."""
    missed = []
    for seed in seeds:
        found = await detector.find(seed)
        if not {finding.kind for finding in found} & set(seed.expects):
            told = "; ".join(map(str, found)) or "nothing"
            missed.append(f"{seed.name} expects {', '.join(seed.expects)}, found {told}")
    return missed


def seeds_of(engine: Engine) -> list[Seed]:
    """Without those that only an oracle sees; see `test_answers_under_seeds`."""
    return [seed for seed in ALL if engine in seed.engines and seed.expects != ("ANSWER_DIFFERS",)]


@asynccontextmanager
async def a_detector(
    engine: Engine, folder: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Detector]:
    if engine == "sqlite":
        async with open_detector(
            f"sqlite:///{folder / 'shape.db'}", f"sqlite:///{folder / 'scaled.db'}"
        ) as detector:
            yield detector
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    spare: SpareDatabases = request.getfixturevalue("spare_databases")
    names = [spare.take(), spare.take()]
    try:
        shape, scaled = map(server.url, names)
        async with open_detector(shape, scaled) as detector:
            yield detector
    finally:
        for name in names:
            spare.give_back(name)
