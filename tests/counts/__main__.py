"""`python -m tests.counts` writes `recorded.py` anew, on both databases. Read the difference before
you commit it: each count that has grown wants its reason in the change log."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import msgspec

from tests.counts.counted import Counted, count
from tests.counts.operations import OPERATIONS, a_stage
from tests.servers import postgres_server
from vacancy.hotel.wiring import introduce

_FILE = Path(__file__).with_name("recorded.py")
_ROUND_BYTES = 100


async def record(url: str) -> dict[str, Counted]:
    async with a_stage(url) as stage:
        return {
            name: await count(stage.house.db, operation(stage))
            for name, operation in OPERATIONS.items()
        }


def main() -> None:
    introduce()
    with tempfile.TemporaryDirectory() as folder:
        found = {"sqlite": asyncio.run(record(f"sqlite:///{folder}/counts.db"))}
        with postgres_server(Path(folder) / "postgres") as server:
            server.create_database("counts")
            found["postgresql"] = asyncio.run(record(server.url("counts")))
    lines = [_FILE.read_text().partition("RECORDED")[0]]
    lines.append("RECORDED: dict[Engine, dict[str, Counted]] = {\n")
    for engine, operations in found.items():
        lines.append(f'    "{engine}": {{\n')
        lines += [f'        "{name}": {_shown(one)},\n' for name, one in operations.items()]
        lines.append("    },\n")
    _FILE.write_text("".join((*lines, "}\n")))


def _shown(counted: Counted) -> str:
    rounded = -(-counted.peak_bytes // _ROUND_BYTES) * _ROUND_BYTES
    counts = msgspec.structs.asdict(msgspec.structs.replace(counted, peak_bytes=rounded))
    told = ", ".join(f"{name}={value:_}" for name, value in counts.items() if value)
    missing = [name for name in ("statements", "rows") if not counts[name]]
    return f"Counted({', '.join((*(f'{name}=0' for name in missing), told))})"


if __name__ == "__main__":
    main()
