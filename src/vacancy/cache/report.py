"""What the caches of several processes come to: each of them, all together, each statement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from vacancy.cache.stats import CacheStats, NameStats
from vacancy.cache.verdict import Verdict, judge

if TYPE_CHECKING:
    from vacancy.cache.query_cache import QueryCache


class CacheRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What one process tells of its cache."""

    cache: CacheStats | None
    """None where it has none."""
    names: dict[str, NameStats]


def record_of(cache: QueryCache | None) -> CacheRecord:
    """The record of a cache as it is now."""
    if cache is None:
        return CacheRecord(cache=None, names={})
    return CacheRecord(cache=cache.stats(), names=dict(cache.counting.names))


def add_up(records: Sequence[CacheRecord]) -> CacheStats | None:
    """All caches as if they were one; None where there is none. Counts and sizes are summed, the
    rate and the mean are worked out anew."""
    caches = [record.cache for record in records if record.cache is not None]
    if not caches:
        return None
    summed: dict[str, Any] = {}
    for field in msgspec.structs.fields(CacheStats):
        values = [getattr(cache, field.name) for cache in caches]
        if field.type is int:
            summed[field.name] = sum(values)
        elif field.type == dict[str, int]:
            summed[field.name] = _sum_counts(values)
    answers = summed["hits"] + summed["misses"]
    timed = [(cache.look_us, cache.looks) for cache in caches if cache.look_us is not None]
    looks = sum(number for _, number in timed)
    return CacheStats(
        **summed,
        hit_rate=summed["hits"] / answers if answers else None,
        last_clear="; ".join(dict.fromkeys(cache.last_clear for cache in caches if cache.clears)),
        look_us=sum(us * number for us, number in timed) / looks if looks else None,
    )


def add_up_names(records: Iterable[CacheRecord]) -> dict[str, NameStats]:
    """The counts of each name in all processes, by name."""
    found: dict[str, list[NameStats]] = {}
    for record in records:
        for name, stats in record.names.items():
            found.setdefault(name, []).append(stats)
    return {name: _sum_names(found[name]) for name in sorted(found)}


def judge_all(names: Mapping[str, NameStats]) -> list[Verdict]:
    """A verdict for each name that was asked for; what costs comes first, what is not known yet
    last."""
    verdicts = [judge(name, stats) for name, stats in names.items()]
    return sorted(verdicts, key=lambda found: (found.pays is None, found.pays, found.name))


def _sum_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total.most_common())


def _sum_names(stats: Sequence[NameStats]) -> NameStats:
    return NameStats(
        **{name: sum(getattr(one, name) for one in stats) for name in NameStats.__struct_fields__}
    )
