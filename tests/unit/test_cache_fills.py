"""A fill that is under way is judged by what has changed since it began."""

from __future__ import annotations

import asyncio

import pytest

from vacancy.cache import fills as module
from vacancy.cache.fills import Fills
from vacancy.cache.store import Entry


def an_entry() -> Entry:
    return Entry("k", 1, (), name="test", expires_at=1.0, value_bytes=0)


def test_what_changed_before_it_began_does_not_count() -> None:
    fills = Fills()
    earlier = fills.begin("earlier")  # so that changes are noted at all
    fills.supersede(["a/1"])
    later = fills.begin("later")
    assert fills.is_superseded(earlier, ["a/1"])
    assert not fills.is_superseded(later, ["a/1"])
    fills.supersede(["a/1"])
    assert fills.is_superseded(later, ["a/1"])


def test_a_change_counts_for_its_tag_and_those_above() -> None:
    fills = Fills()
    fill = fills.begin("k")
    fills.supersede(["a/1/x"])
    assert [fills.is_superseded(fill, [tag]) for tag in ("a", "a/1", "a/1/x")] == [True] * 3
    assert not fills.is_superseded(fill, ["a/2", "a/1/y", "a/1/x/z", "b"])
    assert fills.is_superseded(fill, ["b", "a/1"])


@pytest.mark.parametrize("tags", [(), ("a/1",), ("b",)])
def test_a_change_of_everything_counts_for_all_even_without_tags(tags: tuple[str, ...]) -> None:
    fills = Fills()
    fill = fills.begin("k")
    fills.supersede_all()
    assert fills.is_superseded(fill, tags)
    assert not fills.is_superseded(fills.begin("new"), tags)


def test_a_subtree_counts_for_what_stands_beneath() -> None:
    fills = Fills()
    fill = fills.begin("k")
    fills.supersede(["a/*"])
    assert fills.is_superseded(fill, ["a/1/x"]) and fills.is_superseded(fill, ["a"])


def test_so_many_changes_that_they_are_not_noted_count_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MOST_TAGS", 10)
    fills = Fills()
    fill = fills.begin("k")
    fills.supersede(f"a/{number}" for number in range(9))
    assert not fills.is_superseded(fill, ["b"])
    fills.supersede(["a/9"])
    assert fills.is_superseded(fill, ["b"])
    assert len(fills._changed) <= 10
    new = fills.begin("new")
    assert not fills.is_superseded(new, ["a/9"])


def test_nothing_is_kept_when_none_is_under_way() -> None:
    fills = Fills()
    for number in range(100):
        fills.supersede([f"a/{number}"])
    assert fills._changed == {}
    fill = fills.begin("k")
    fills.supersede(["a/1"])
    fills.end(fill, None)
    assert fills._changed == {} and fills.under_way("k") is None
    assert not fills.is_superseded(fills.begin("k"), ["a/1"])


def test_all_who_wait_are_told_and_who_has_given_up_is_not() -> None:
    async def story() -> None:
        fills = Fills()
        fill = fills.begin("k")
        assert fills.under_way("k") is fill
        first, second, gone = fill.result(), fill.result(), fill.result()
        gone.cancel()
        entry = an_entry()
        fills.end(fill, entry)
        assert await first is entry and await second is entry and gone.cancelled()

    asyncio.run(story())
