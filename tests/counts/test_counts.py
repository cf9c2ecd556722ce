"""No answer costs more than it did: by counts, so that a busy machine changes nothing.

A count that has grown on purpose is written down anew in `recorded.py`, with the reason in the
change log.
"""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.counts.counted import Counted, count
from tests.counts.faults import FAULTS, Fault
from tests.counts.operations import OPERATIONS, a_stage
from tests.counts.recorded import RECORDED
from vacancy.db.connect import engine_of
from vacancy.db.statement import Engine

SLACK = {"statements": 1.0, "rows": 1.0, "calls": 1.08, "steps": 1.05, "peak_bytes": 1.3}
"""So much more may be: versions of Python and of SQLite count a little differently."""


def grown(operation: str, engine: Engine, found: Counted) -> dict[str, str]:
    """The counts that are over what is recorded, in words."""
    recorded = msgspec.structs.asdict(RECORDED[engine][operation])
    return {
        name: f"{name} of {operation} on {engine}: {value:,}, recorded {recorded[name]:,}"
        for name, value in msgspec.structs.asdict(found).items()
        if value > recorded[name] * SLACK[name]
    }


def test_no_answer_costs_more_than_recorded(database_url: str) -> None:
    engine = engine_of(database_url)

    async def story() -> list[str]:
        told: list[str] = []
        async with a_stage(database_url) as stage:
            for name, operation in OPERATIONS.items():
                found = await count(stage.house.db, operation(stage))
                told += grown(name, engine, found).values()
        return told

    assert asyncio.run(story()) == []


def test_every_fault_is_noticed(database_url: str) -> None:
    engine = engine_of(database_url)

    async def story() -> dict[str, dict[str, str]]:
        found = {}
        async with a_stage(database_url) as stage:
            for fault in FAULTS:
                if engine in fault.engines:
                    with pytest.MonkeyPatch.context() as patch:
                        fault.patch(patch)
                        counted = await count(stage.house.db, OPERATIONS[fault.at](stage))
                    found[fault.name] = grown(fault.at, engine, counted)
        return found

    found = asyncio.run(story())
    expected: list[Fault] = [fault for fault in FAULTS if engine in fault.engines]
    unnoticed = [fault.name for fault in expected if not set(fault.counts) & set(found[fault.name])]
    assert unnoticed == []
    assert len(found) >= 10


def test_every_operation_is_recorded_on_both_databases() -> None:
    for engine in ("sqlite", "postgresql"):
        assert set(RECORDED[engine]) == set(OPERATIONS)
