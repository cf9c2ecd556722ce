"""All orders of fill, write, look, evict, expire and fail on small models of a source.

The cache is the real one. Its source is a model whose queries and looks take two steps: one in
which the database takes its snapshot, one in which the answer comes back. So does everything that
can happen between the two. At the end of each read its value is held against the newest commit that
was acknowledged before the read began.

The 18 worlds in `WORLDS` are explored whole, 14,820 orders in about 5 seconds. Those in
`LARGE_WORLDS` are explored in part, drawn by a seed; whole, or 100,000 orders of them, in `make
soak`. `FAULTS` shows that all this can fail.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import msgspec
import pytest

from tests.cache_model import TICK_S, Make, World
from tests.explorer import Actors, Steps, Violation, every_order, some_orders
from vacancy.cache.fills import Fill
from vacancy.cache.query_cache import QueryCache
from vacancy.cache.store import Entry


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a world is like and who lives in it."""

    actors: Callable[[World], Iterable[Coroutine[Any, Any, None]]]
    keys: tuple[str, ...] = ()
    """Stored before."""
    world: dict[str, Any] = {}
    ticks: int = 0
    failures: int = 0
    orders: int
    """How many there are, so that nobody makes them fewer unseen."""

    def made(self, make: Make) -> Actors:
        def begin(steps: Steps) -> list[Coroutine[Any, Any, None]]:
            world = World(steps, make, **self.world).warm(*self.keys)
            return list(self.actors(world))

        return begin

    @property
    def limits(self) -> dict[str, Any]:
        return {"ticks": self.ticks, "tick_s": TICK_S, "failures": self.failures}


UNWATCHED = {"feed": False}
INSTANT = {"instant": True}

WORLDS: dict[str, Plan] = {
    "two readers and another process that writes twice": Plan(
        actors=lambda w: [w.read(), w.read(), w.write_elsewhere(2)], orders=2_292
    ),
    "two readers of what is stored and another process that writes twice": Plan(
        actors=lambda w: [w.read(), w.read(), w.write_elsewhere(2)], keys=("k",), orders=944
    ),
    "two keys, one place": Plan(
        actors=lambda w: [w.read("k"), w.read("x"), w.write_elsewhere()],
        keys=("x",),
        world={"max_entries": 1},
        orders=249,
    ),
    "a value that expires": Plan(
        actors=lambda w: [w.read(), w.read(), w.write_elsewhere()],
        keys=("k",),
        world={"ttl_s": TICK_S},
        ticks=1,
        orders=2_274,
    ),
    "two looks that fail": Plan(
        actors=lambda w: [w.read(), w.write_elsewhere(2)],
        keys=("k",),
        failures=2,
        orders=50,
    ),
    "bounded reads beside a look that fails": Plan(
        actors=lambda w: [w.read_bounded(2), w.write_elsewhere()],
        keys=("k",),
        failures=1,
        ticks=1,
        orders=210,
    ),
    "two bounded reads, ticks, and another process that writes": Plan(
        actors=lambda w: [w.read_bounded(2), w.write_elsewhere()],
        keys=("k",),
        ticks=3,
        orders=1_055,
    ),
    "bounded reads of what this process writes": Plan(
        actors=lambda w: [w.read_bounded(2), w.write(2)], keys=("k",), orders=60
    ),
    "bounded reads of what this process writes while looks fail": Plan(
        actors=lambda w: [w.read_bounded(2), w.write()], keys=("k",), failures=2, orders=560
    ),
    "two reads in one look": Plan(
        actors=lambda w: [w.read_twice(), w.read(), w.write_elsewhere()], keys=("k",), orders=230
    ),
    "a request that sees what it wrote": Plan(
        actors=lambda w: [w.read_write_read(), w.read()], keys=("k",), orders=85
    ),
    "a request that sees what it wrote while a look fails": Plan(
        actors=lambda w: [w.read_write_read()], keys=("k",), failures=2, orders=33
    ),
    "requests that have looked, when the last look has failed": Plan(
        actors=lambda w: [w.go_on(w.write, w.read_own), w.go_on(w.read_any, w.read_any)],
        world={"failed": True},
        orders=632,
    ),
    "a look that fails beside a request": Plan(
        actors=lambda w: [w.read_twice(), w.write()], failures=2, orders=362
    ),
    "looks that take no time, a place for one, a value that expires": Plan(
        actors=lambda w: [w.read(), w.read("x"), w.write_elsewhere(2)],
        keys=("k",),
        world={"instant": True, "max_entries": 1, "ttl_s": TICK_S},
        ticks=1,
        orders=2_652,
    ),
    "looks that take no time": Plan(
        actors=lambda w: [w.read(), w.read(), w.read(), w.write_elsewhere(2)],
        world=INSTANT,
        orders=1_800,
    ),
    "changes that are marked": Plan(
        actors=lambda w: [w.read(), w.read(), w.change()], world=UNWATCHED, orders=450
    ),
    "changes that are told afterwards": Plan(
        actors=lambda w: [w.read(), w.read(), w.change_and_invalidate(2)],
        world=UNWATCHED,
        orders=882,
    ),
}


LARGE_WORLDS: dict[str, Plan] = {
    "a look that fails": Plan(
        actors=lambda w: [w.read(), w.read(), w.write_elsewhere()],
        keys=("k",),
        failures=1,
        orders=6_848,
    ),
    "looks that take no time, two keys in one place, a value that expires": Plan(
        actors=lambda w: [w.read(), w.read("x"), w.read(), w.write()],
        world={"instant": True, "max_entries": 1, "ttl_s": TICK_S},
        ticks=1,
        orders=31_232,
    ),
    "readers of two keys in one place, a value that expires, a look that fails": Plan(
        actors=lambda w: [w.read(), w.read(), w.read("x"), w.write_elsewhere(2)],
        keys=("k",),
        world={"max_entries": 1, "ttl_s": TICK_S},
        ticks=1,
        failures=1,
        orders=0,
    ),
    "requests that see what they wrote beside others, while looks fail": Plan(
        actors=lambda w: [w.read_write_read(), w.read_twice(), w.read_bounded(2)],
        keys=("k",),
        ticks=1,
        failures=2,
        orders=0,
    ),
    "everybody": Plan(
        actors=lambda w: [
            w.read(),
            w.read("x"),
            w.read_twice(),
            w.read_bounded(2),
            w.read_write_read(),
            w.write(2),
            w.write_elsewhere(2),
        ],
        world={"max_entries": 1, "ttl_s": 3 * TICK_S},
        ticks=4,
        failures=2,
        orders=0,
    ),
}
"""Too many to be run whole in `make test`; 0 for those that are too many altogether."""

SAMPLE = 500
SOAK_SAMPLE = 100_000


@pytest.mark.parametrize("name", WORLDS)
def test_every_order_keeps_the_promise(name: str) -> None:
    plan = WORLDS[name]
    orders = sum(1 for _ in every_order(plan.made(QueryCache), **plan.limits))
    assert orders == plan.orders


@pytest.mark.parametrize("name", LARGE_WORLDS)
def test_a_part_of_a_large_world_keeps_it_too(name: str) -> None:
    plan = LARGE_WORLDS[name]
    orders = some_orders(plan.made(QueryCache), seed=4, count=SAMPLE, **plan.limits)
    assert len({tuple(order.labels) for order in orders}) > SAMPLE / 2


@pytest.mark.soak
@pytest.mark.parametrize("name", LARGE_WORLDS)
def test_a_large_world_keeps_it(name: str) -> None:
    plan = LARGE_WORLDS[name]
    if plan.orders:
        assert sum(1 for _ in every_order(plan.made(QueryCache), **plan.limits)) == plan.orders
    else:
        drawn = some_orders(plan.made(QueryCache), seed=13, count=SOAK_SAMPLE, **plan.limits)
        assert sum(1 for _ in drawn) == SOAK_SAMPLE


# What is explored would be seen if it were wrong.


class StampedAtTheEnd(QueryCache):
    """A fill counts from its end, not from its beginning."""

    def _store_filled(self, fill: Fill, *rest: Any) -> Entry | None:
        fill.began = self._fills._changes
        return super()._store_filled(fill, *rest)


class SharedUnjudged(QueryCache):
    """Who waits for a fill gets it, whatever has changed since it began."""

    def _store_filled(self, fill: Fill, value: Any, *rest: Any) -> Entry | None:
        return super()._store_filled(fill, value, *rest) or self._unstored(fill.key, value, "")


class LookSharedLate(QueryCache):
    """A look answers for those too who came when it had begun."""

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        looks = self._looks
        begin = looks.begin
        looks.begin = lambda: next(iter(looks._tasks), None) or begin()  # type: ignore[method-assign]


class UnsettledCommits(QueryCache):
    """Nobody waits for a look after a commit."""

    async def settle(self) -> None:
        self._looks.begin()


class SettledByAFailure(QueryCache):
    """That the look after a commit has failed does not matter."""

    async def settle(self) -> None:
        await self._looks.after_now()


class SentWhenAnswered(QueryCache):
    """The age of what is stored counts from when the look came back."""

    _answered_at = float("-inf")

    async def _look(self) -> None:
        await super()._look()
        self._answered_at = self.clock()

    async def _is_fresh(self, bound_s: float) -> bool:
        self._looks.sent_at = self._answered_at
        return await super()._is_fresh(bound_s)


class Unbounded(QueryCache):
    """A bounded read never looks."""

    async def _is_fresh(self, bound_s: float) -> bool:
        return bool(bound_s) or await super()._is_fresh(bound_s)


class LateFillsStored(QueryCache):
    """What has changed while a query was under way is taken out, and then stored again."""

    def _invalidate(self, tags: Iterable[str], source: str) -> None:
        self._store.remove_touched(tags)


class NeverExpiring(QueryCache):
    """The time to live is not looked at."""

    def _take(self, key: Any, name: str) -> Any:
        clock, self.clock = self.clock, lambda: 0.0
        try:
            return super()._take(key, name)
        finally:
            self.clock = clock


class Unmarked(QueryCache):
    """What is changing counts as changed when the change begins, and is then forgotten."""

    def changing(self, *tags: str) -> Any:
        self.invalidate(*tags)
        return super().changing()


FAULTS: dict[type[QueryCache], str] = {
    StampedAtTheEnd: "looks that take no time",
    SharedUnjudged: "two readers of what is stored and another process that writes twice",
    LookSharedLate: "two reads in one look",
    UnsettledCommits: "bounded reads of what this process writes",
    SettledByAFailure: "requests that have looked, when the last look has failed",
    SentWhenAnswered: "two bounded reads, ticks, and another process that writes",
    Unbounded: "two bounded reads, ticks, and another process that writes",
    LateFillsStored: "two readers and another process that writes twice",
    NeverExpiring: "a value that expires",
    Unmarked: "changes that are marked",
}
"""Each fault with a world in which it shows."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_found(fault: type[QueryCache]) -> None:
    plan = WORLDS[FAULTS[fault]]
    with pytest.raises(Violation, match="in the order"):
        for _ in every_order(plan.made(fault), **plan.limits):
            pass
