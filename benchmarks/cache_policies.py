"""Hit rates on real traces: our store with `lru` against an LRU that knows nothing of ours, and
beside it the policies that a scan cannot empty.

The traces are those of the cache2k benchmark, object reads of an e-commerce ORM: big-endian 32-bit
keys, xz. `VACANCY_TRACES` names the folder; `ACCESSES` of each are run.
"""

from __future__ import annotations

import lzma
import os
import sys
from array import array
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.tried_policies import SegmentedCache, TinyLfuCache
from vacancy.cache.store import Entry, Store

COMMAND = "make bench ARGS=cache_policies"
FOLDER = Path(
    os.environ.get("VACANCY_TRACES", Path(__file__).parents[2] / "shared" / "data" / "traces")
)
SIZES = (625, 1_250, 2_500, 5_000, 10_000)
ACCESSES = 1_000_000


async def measure(_: dict[str, str], rounds: int) -> list[Figure]:
    paths = sorted(FOLDER.glob("*.trace.xz"))
    if not paths:
        print("cache_policies: skipped, the traces are not there (VACANCY_TRACES names them)")
        return []
    figures: list[Figure] = []
    for path in paths:
        keys = read_trace(path)[:ACCESSES]
        name = path.name.removesuffix(".trace.xz")
        for size in SIZES:
            ours = hit_rate(keys, in_store(size, "lru"))
            plain = hit_rate(keys, in_plain_lru(size))
            others = {
                "s3fifo": hit_rate(keys, in_store(size, "s3fifo")),
                "segmented": hit_rate(keys, in_map(SegmentedCache(size))),
                "TinyLFU": hit_rate(keys, in_map(TinyLfuCache(size))),
            }
            beside = ", ".join(f"{policy} {rate:.2%}" for policy, rate in others.items())
            figures.append(
                Figure(
                    what=f"hit rate on {name}, {size:,} entries",
                    engine="",
                    measured=f"lru {ours:.2%} ({beside})",
                    goal=f"an independent LRU's, {plain:.2%}",
                    reached=ours == plain,
                    command=COMMAND,
                )
            )
    return figures


def read_trace(path: Path) -> array[int]:
    keys = array("I")
    keys.frombytes(lzma.decompress(path.read_bytes()))
    if sys.byteorder == "little":
        keys.byteswap()
    return keys


Ask = Callable[[int], bool]
"""Asks for a key and stores it when it is not there; whether it was."""


def hit_rate(keys: array[int], ask: Ask) -> float:
    return sum(map(ask, keys)) / len(keys)


def in_store(size: int, policy: str) -> Ask:
    store = Store(size, 1 << 40, policy, lambda _: None)

    def ask(key: int) -> bool:
        if store.find(key) is not None:
            return True
        store.put(Entry(key, None, (), name="", expires_at=0.0, value_bytes=0))
        return False

    return ask


def in_map(kept: SegmentedCache | TinyLfuCache) -> Ask:
    def ask(key: int) -> bool:
        if kept.get(key) is not None:
            return True
        kept[key] = True
        return False

    return ask


def in_plain_lru(size: int) -> Ask:
    """As one would write it oneself."""
    kept: OrderedDict[int, None] = OrderedDict()

    def ask(key: int) -> bool:
        if key in kept:
            kept.move_to_end(key)
            return True
        if len(kept) == size:
            kept.popitem(last=False)
        kept[key] = None
        return False

    return ask
