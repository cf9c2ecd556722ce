"""Generates a hotel group in a process of its own, a line on stdout for each commit; to be killed.

python -m tests.generate_process URL PROPERTIES BOOKINGS SEED AT_ONCE
"""

from __future__ import annotations

import asyncio
import sys

from vacancy.bootstrap import open_database
from vacancy.config import Settings
from vacancy.hotel.generate.group import generate_group
from vacancy.hotel.generate.plan import GroupPlan, written_at


async def main(url: str, properties: int, bookings: int, seed: int, at_once: int) -> None:
    plan = GroupPlan(properties=properties, bookings=bookings, seed=seed)
    async with open_database(
        Settings(database_url=url, env="test"), lambda: written_at(plan)
    ) as db:
        await generate_group(
            db,
            plan,
            at_once=at_once,
            progress=lambda done, of: print(done, of, flush=True),  # noqa: T201
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
