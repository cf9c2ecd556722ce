"""Imports a file in a process of its own, one line on stdout for each commit; to be killed.

python -m tests.import_process URL FILE REJECTS
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.hotel.importers.hotel_demand import import_hotel_demand


async def main(url: str, file: str, rejects: str) -> None:
    async with open_house(Settings(database_url=url, env="test")) as house:
        await import_hotel_demand(
            house.db,
            Path(file),
            house.ids.next,
            rejects_path=Path(rejects),
            progress=lambda done, of: print(done, of, flush=True),  # noqa: T201
        )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
