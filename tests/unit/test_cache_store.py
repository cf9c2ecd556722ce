"""The store keeps what its limits allow, finds it by key and by tag, and knows what it weighs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import date
from typing import Any

import pytest
from cachetools import Cache
from hypothesis import given, settings
from hypothesis import strategies as st

from vacancy.cache.store import POLICIES, Entry, Store
from vacancy.cache.tags import subtrees, table_of, tag, touched_by


def entry(key: Hashable, *tags: str, value_bytes: int = 0) -> Entry:
    return Entry(key, None, tags, name="test", expires_at=1.0, value_bytes=value_bytes)


def store(
    max_entries: int = 1_000,
    max_bytes: int = 1 << 40,
    policy: str = "lru",
    evicted: Callable[[Entry], None] = lambda _: None,
) -> Store:
    return Store(max_entries, max_bytes, policy, evicted)


# What goes when it is full.


def test_the_one_that_was_asked_for_longest_ago_goes_first() -> None:
    gone: list[Entry] = []
    kept = store(2, evicted=gone.append)
    first, second, third = entry(1), entry(2), entry(3)
    assert kept.put(first) and kept.put(second)
    assert kept.find(1) is first
    assert kept.put(third)
    assert gone == [second] and not second.alive
    assert kept.find(2) is None and kept.find(1) is first and kept.find(3) is third


def test_to_list_the_entries_does_not_count_as_use() -> None:
    kept = store(2)
    kept.put(entry(1))
    kept.put(entry(2))
    assert [one.key for one in kept.entries()] == [1, 2]
    kept.put(entry(3))
    assert [one.key for one in kept.entries()] == [2, 3]


def test_as_many_go_as_make_room_for_the_bytes() -> None:
    gone: list[Entry] = []
    size = entry(1, value_bytes=1_000).size_bytes
    kept = store(max_bytes=3 * size, evicted=gone.append)
    for key in (1, 2, 3):
        kept.put(entry(key, value_bytes=1_000))
    assert kept.size_bytes == 3 * size and gone == []
    kept.put(entry(4, value_bytes=1_000 + size))
    assert [one.key for one in gone] == [1, 2]
    assert kept.size_bytes == 3 * size and len(kept) == 2


def test_what_is_larger_than_all_the_room_is_not_stored_and_throws_out_its_elder_alone() -> None:
    gone: list[Entry] = []
    kept = store(max_bytes=10_000, evicted=gone.append)
    old, other, large = entry(1, "a"), entry(2, "a"), entry(1, "a", value_bytes=10_000)
    kept.put(old)
    kept.put(other)
    assert not kept.put(large) and not large.alive
    assert kept.find(1) is None and not old.alive
    assert kept.find(2) is other and gone == []
    assert kept.size_bytes == other.size_bytes


def test_a_store_without_room_stores_nothing() -> None:
    kept = store(0)
    assert not kept.put(entry(1, "a"))
    assert len(kept) == 0 and kept.size_bytes == 0


def test_a_new_value_takes_the_place_of_the_old_one() -> None:
    kept = store()
    old, new = entry(1, "a"), entry(1, "b")
    kept.put(old)
    kept.put(new)
    assert not old.alive and kept.find(1) is new and kept.size_bytes == new.size_bytes
    assert kept.remove_touched(["a"]) == []
    assert kept.remove_touched(["b"]) == [("b", new)]


def test_what_has_left_is_not_taken_out_twice() -> None:
    kept = store()
    old, new = entry(1), entry(1)
    kept.put(old)
    kept.remove(old)
    kept.put(new)
    kept.remove(old)
    assert kept.find(1) is new and kept.size_bytes == new.size_bytes


# Tags.


def test_a_change_takes_out_what_depends_on_it_and_on_what_stands_above() -> None:
    kept = store()
    for key in ("articles", "articles/7", "articles/7/2026", "articles/8", "readers"):
        kept.put(entry(key, key))
    removed = kept.remove_touched(["articles/7"])
    assert {(tag, one.key) for tag, one in removed} == {
        ("articles", "articles"),
        ("articles/7", "articles/7"),
    }
    assert {one.key for one in kept.entries()} == {"articles/7/2026", "articles/8", "readers"}


def test_a_star_takes_out_what_stands_beneath_too_and_no_name_that_only_begins_alike() -> None:
    kept = store()
    for key in ("articles", "articles/7", "articles/7/2026", "articles_old/7", "readers"):
        kept.put(entry(key, key))
    kept.remove_touched(["articles/*"])
    assert {one.key for one in kept.entries()} == {"articles_old/7", "readers"}


def test_an_entry_with_several_tags_that_are_touched_leaves_once() -> None:
    kept = store()
    kept.put(entry(1, "a", "b/1", "b/2"))
    assert len(kept.remove_touched(["a", "b/1", "b/2"])) == 1
    assert len(kept) == 0 and kept.size_bytes == 0


def test_tags_are_paths() -> None:
    assert tag("articles", 7, date(2026, 3, 1)) == "articles/7/2026-03-01"
    assert table_of("articles/7/2026") == table_of("articles") == "articles"
    assert touched_by(["a/b/c", "a/d", "e/*"]) == {"a/b/c", "a/b", "a", "a/d", "e"}
    assert subtrees(["a/b", "c/*", "d/1/*"]) == ("c/", "d/1/")


PARTS = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3)
PATHS = PARTS.map("/".join)
CHANGES = st.tuples(PATHS, st.sampled_from(["", "/*"])).map("".join)


def is_touched(changed: str, path: str) -> bool:
    """The promise of `tags.py`, part by part."""
    parts, of_path = changed.split("/"), path.split("/")
    beneath = parts[-1] == "*"
    if beneath:
        parts.pop()
    if parts[: len(of_path)] == of_path:
        return True  # the same, or above
    return beneath and of_path[: len(parts)] == parts


@given(st.lists(st.lists(PATHS, max_size=3), max_size=8), st.lists(CHANGES, max_size=3))
def test_exactly_what_is_touched_leaves(tags: list[list[str]], changes: list[str]) -> None:
    kept = store()
    for key, some in enumerate(tags):
        kept.put(entry(key, *dict.fromkeys(some)))
    removed = {one.key for _, one in kept.remove_touched(changes)}
    assert removed == {
        key
        for key, some in enumerate(tags)
        if any(is_touched(changed, path) for changed in changes for path in some)
    }
    assert {one.key for one in kept.entries()} == set(range(len(tags))) - removed


# The whole against a plain model.

STEPS = st.one_of(
    st.tuples(
        st.just("put"),
        st.integers(0, 5),
        st.lists(PATHS, max_size=2, unique=True),
        st.sampled_from([0, 500, 5_000]),
    ),
    st.tuples(st.just("find"), st.integers(0, 5)),
    st.tuples(st.just("remove"), st.integers(0, 5)),
    st.tuples(st.just("touch"), CHANGES),
    st.tuples(st.just("clear")),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=40), st.integers(1, 4), st.integers(1_500, 8_000))
def test_the_lru_store_is_a_plain_model_of_itself(
    steps: list[Any], max_entries: int, max_bytes: int
) -> None:
    gone: list[Entry] = []
    kept = store(max_entries, max_bytes, evicted=gone.append)
    model: OrderedDict[int, Entry] = OrderedDict()
    went: list[Entry] = []
    put: list[Entry] = []
    for step in steps:
        match step:
            case ("put", key, tags, value_bytes):
                one = entry(key, *tags, value_bytes=value_bytes)
                put.append(one)
                model.pop(key, None)
                if one.size_bytes <= max_bytes:
                    while (
                        len(model) + 1 > max_entries
                        or sum(e.size_bytes for e in model.values()) + one.size_bytes > max_bytes
                    ):
                        went.append(model.popitem(last=False)[1])
                    model[key] = one
                assert kept.put(one) == (key in model)
            case ("find", key):
                assert kept.find(key) is model.get(key)
                if key in model:
                    model.move_to_end(key)
            case ("remove", key):
                found = model.pop(key, None)
                if found is not None:
                    kept.remove(found)
            case ("touch", changed):
                kept.remove_touched([changed])
                for key in [
                    key for key, e in model.items() if any(is_touched(changed, t) for t in e.tags)
                ]:
                    del model[key]
            case _:
                assert kept.clear() == len(model)
                model.clear()
        assert {one.key: one for one in kept.entries()} == dict(model)
        assert kept.size_bytes == sum(one.size_bytes for one in model.values()) <= max_bytes
        assert len(kept) == len(model) <= max_entries
        assert gone == went
        alive = {id(one) for one in model.values()}
        assert all(one.alive == (id(one) in alive) for one in put)
        assert set(kept._by_tag) == {tag for one in model.values() for tag in one.tags}


# Every policy is a map of at most so many keys.


@pytest.mark.parametrize("policy", sorted(POLICIES))
@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["set", "get", "pop", "popitem", "clear"]), st.integers(0, 9)),
        max_size=80,
    ),
    size=st.integers(1, 6),
)
def test_every_policy_is_a_mapping_within_its_size(
    policy: str, steps: list[tuple[str, int]], size: int
) -> None:
    tried = POLICIES[policy](size)
    latest: dict[int, int] = {}
    for number, (verb, key) in enumerate(steps):
        if verb == "set":
            latest[key] = number
            tried[key] = number
            assert key in tried, "what was just put is there"
        elif verb == "get":
            held = key in tried
            assert tried.get(key) == (latest[key] if held else None)
        elif verb == "pop":
            held = key in tried
            assert tried.pop(key, None) == (latest[key] if held else None)
            assert key not in tried
        elif verb == "popitem":
            if tried:
                taken, value = tried.popitem()
                assert value == latest[taken] and taken not in tried
            else:
                with pytest.raises(KeyError):
                    tried.popitem()
        elif number % 7 == 0:
            tried.clear()
            assert len(tried) == 0
        assert len(tried) == len(list(tried)) <= size
        assert all(latest[key] == Cache.__getitem__(tried, key) for key in list(tried))
    while tried:
        tried.popitem()
    for key in range(size):
        tried[key] = key
        latest[key] = key
    assert sorted(tried) == list(range(size)), "an empty one has room for as many as before"


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"lru"}))
def test_a_scan_does_not_empty_a_policy_that_resists_it(policy: str) -> None:
    tried = POLICIES[policy](100)
    for _ in range(4):
        for key in range(50):
            if key not in tried:
                tried[key] = key
            assert tried[key] == key
    for key in range(1_000, 3_000):
        if tried.get(key) is None:
            tried[key] = key
    assert sum(key in tried for key in range(50)) >= 45
