"""Every story ends well on the tree as it is, on both databases."""

from __future__ import annotations

import asyncio

from tests.cache.scenarios import play, scenarios_of
from tests.cache.stage import SCENARIOS, Stage
from tests.cache.tables import make_tables
from vacancy.db.connect import engine_of


def test_there_are_stories_for_both_databases() -> None:
    assert len(scenarios_of("sqlite")) >= 15 and len(scenarios_of("postgresql")) >= 15
    assert len({one.name for one in SCENARIOS}) == len(SCENARIOS)


def test_every_promise_is_kept(database_url: str) -> None:
    async def story() -> str:
        await make_tables(database_url)
        stage = Stage(database_url)
        try:
            return await play(stage, scenarios_of(stage.engine))
        finally:
            stage.close()

    assert engine_of(database_url) in ("sqlite", "postgresql")
    assert asyncio.run(story()) == ""
