"""Several caches as one: sums, rates that are worked out anew, and verdicts in their order."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from vacancy.cache.query_cache import QueryCache
from vacancy.cache.report import CacheRecord, add_up, add_up_names, judge_all, record_of
from vacancy.cache.stats import Counting, NameStats

OFF = CacheRecord(cache=None, names={})


def a_record(
    hits: int, misses: int, *, looks: int = 0, look_us: float = 0.0, last_clear: str = ""
) -> CacheRecord:
    counting = Counting()
    counting.names["s"] = NameStats(hits=hits, misses=misses, fills=misses)
    counting.by_table.update({"rooms": 2, f"only_{hits}": 1})
    counting.looks = counting.looks_timed = looks
    counting.look_ns = round(looks * look_us * 1000)
    counting.last_clear, counting.clears = last_clear, bool(last_clear)
    cache = counting.record(entries=misses, max_entries=1_000, size_bytes=10, max_bytes=100)
    return CacheRecord(cache=cache, names=dict(counting.names))


def test_counts_are_summed_and_rates_worked_out_anew() -> None:
    first = a_record(90, 10, looks=300, look_us=2.0)
    second = a_record(0, 100, looks=100, look_us=10.0, last_clear="a schema change")
    total = add_up([first, OFF, second])
    assert total is not None
    assert (total.hits, total.misses, total.fills) == (90, 110, 110)
    assert total.hit_rate == pytest.approx(0.45)
    assert total.look_us == pytest.approx(4.0)  # not 6.0: each look counts the same
    assert (total.entries, total.max_entries, total.max_bytes) == (110, 2_000, 200)
    assert total.invalidations_by_tag == {"rooms": 4, "only_90": 1, "only_0": 1}
    assert (total.clears, total.last_clear) == (1, "a schema change")


def test_one_cache_adds_up_to_itself() -> None:
    record = a_record(3, 1, looks=5, look_us=1.5, last_clear="why")
    assert add_up([record]) == record.cache


def test_before_anything_is_asked_there_is_no_rate() -> None:
    total = add_up([a_record(0, 0), a_record(0, 0)])
    assert total is not None
    assert (total.hit_rate, total.look_us, total.last_clear) == (None, None, "")


def test_no_cache_at_all() -> None:
    assert record_of(None) == OFF
    assert add_up([OFF, OFF]) is None
    assert add_up([]) is None
    assert add_up_names([OFF]) == {}


def test_names_are_summed_by_name() -> None:
    one = CacheRecord(cache=None, names={"b": NameStats(hits=1), "a": NameStats(hits=2, fills=3)})
    other = CacheRecord(cache=None, names={"b": NameStats(hits=10, hit_ns=7)})
    assert add_up_names([one, other]) == {
        "a": NameStats(hits=2, fills=3),
        "b": NameStats(hits=11, hit_ns=7),
    }
    assert one.names["b"] == NameStats(hits=1)


def test_what_costs_is_told_first_and_what_is_unknown_last() -> None:
    pays = NameStats(hits=900, misses=100, hits_timed=1, hit_ns=1, queries=1, fill_ns=1_000)
    verdicts = judge_all(
        {"new": NameStats(), "z": pays, "a": pays, "costs": NameStats(misses=1_000)}
    )
    assert [verdict.name for verdict in verdicts] == ["costs", "a", "z", "new"]


def test_a_record_goes_over_the_wire_as_it_is() -> None:
    async def asked() -> QueryCache:
        cache = QueryCache()

        async def answer() -> tuple[int, ...]:
            return (1, 2)

        for _ in range(3):
            await cache.with_cache("key", answer, 60.0, tags=("things/1",), name="things.get")
        cache.invalidate("things/1")
        return cache

    record = record_of(asyncio.run(asked()))
    assert record.cache is not None
    assert (record.cache.hits, record.cache.misses, record.cache.invalidations) == (2, 1, 1)
    assert record.names["things.get"].hits == 2
    assert msgspec.json.decode(msgspec.json.encode(record), type=CacheRecord) == record
