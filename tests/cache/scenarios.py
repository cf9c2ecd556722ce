"""All stories, and how they are played one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from tests.cache import scenarios_changes, scenarios_files, scenarios_fills, scenarios_looks
from tests.cache.stage import SCENARIOS, Scenario, Stage
from vacancy.db.statement import Engine

STORIES = (scenarios_fills, scenarios_changes, scenarios_looks, scenarios_files)
SCENARIO_S = 15.0


def scenarios_of(engine: Engine) -> list[Scenario]:
    return [one for one in SCENARIOS if engine in one.engines]


async def play(stage: Stage, scenarios: Iterable[Scenario]) -> str:
    """What the first broken promise is, in words; empty when all are kept. Whatever else goes
    wrong is a broken promise too: callers would have met it."""
    for one in scenarios:
        await stage.begin_anew()
        try:
            async with asyncio.timeout(SCENARIO_S):
                await one.play(stage)
        except Exception as error:  # noqa: BLE001 - whatever comes is told
            return f"{one.name}: {type(error).__name__}: {error}"
        if one.destroys:
            await stage.rebuild()
    return ""
