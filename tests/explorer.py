"""Runs a few coroutines in every order of their steps, one order after another, always the same.

What is explored waits at gates. When nothing can go on any more but for a gate, one is opened, or
the clock ticks; then all goes on to the next gates. An order is the list of these choices. It is
run from the start each time, on a loop that knows neither time nor sockets, and the next one
differs from it in the last choice that could have been another: a walk through the whole tree,
depth first.
"""

from __future__ import annotations

import asyncio
import random
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context
from typing import Any

TICK = "tick"


class Violation(AssertionError):
    """A promise that does not hold in this order."""


class StepLoop(asyncio.AbstractEventLoop):
    """As much of an event loop as tasks, futures and locks need."""

    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self.errors: list[dict[str, Any]] = []

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: object = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, context=context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def run_until_quiet(self) -> None:
        """Until nothing can go on."""
        ready = self._ready
        while ready:
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()


class Gate:
    """Where a coroutine waits to be let through, or to be failed."""

    __slots__ = ("future", "label", "may_fail")

    def __init__(self, label: str, may_fail: bool) -> None:
        self.label = label
        self.may_fail = may_fail
        self.future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


class Steps:
    """The gates and the clock of one order."""

    def __init__(self, *, ticks: int, tick_s: float, failures: int) -> None:
        self.now = 1_000.0
        self.ticks = ticks
        self.failures = failures
        self.gates: list[Gate] = []
        self.open = False
        """Whether all gates stand open: for what comes before the orders begin."""
        self._tick_s = tick_s

    async def step(self, label: str) -> None:
        """Waits until the order comes to this step."""
        await self._pass(label, False)

    async def may_fail(self, label: str) -> bool:
        """The same of a step that may fail; answers whether it went well."""
        return await self._pass(label, True)

    async def _pass(self, label: str, may_fail: bool) -> bool:
        if self.open:
            return True
        gate = Gate(label, may_fail)
        self.gates.append(gate)
        return await gate.future

    def choices(self) -> list[tuple[Gate | None, bool]]:
        """What may come next: a gate, and whether it goes well; None is a tick of the clock."""
        found: list[tuple[Gate | None, bool]] = [(gate, True) for gate in self.gates]
        if self.failures:
            found += [(gate, False) for gate in self.gates if gate.may_fail]
        if self.ticks and self.gates:
            found.append((None, True))
        return found

    def take(self, choice: tuple[Gate | None, bool]) -> str:
        """Makes the choice; answers its name."""
        gate, goes_well = choice
        if gate is None:
            self.ticks -= 1
            self.now += self._tick_s
            return TICK
        self.gates.remove(gate)
        if not goes_well:
            self.failures -= 1
        gate.future.set_result(goes_well)
        return gate.label if goes_well else f"{gate.label} fails"


Actors = Callable[[Steps], list[Coroutine[Any, Any, None]]]
"""Makes a world and the coroutines that live in it. What they raise ends the exploration."""


class Order:
    """One order that was run: each choice with how many there were."""

    def __init__(self) -> None:
        self.trail: list[tuple[int, int]] = []
        self.labels: list[str] = []


def run_order(
    loop: StepLoop, steps: Steps, actors: Actors, pick: Callable[[int, int], int]
) -> Order:
    """Runs one order. `pick` chooses, given the number of the choice and how many there are.

    Raises `Violation` with the order, for what an actor raises and for one that never ends.
    """
    order = Order()
    events._set_running_loop(loop)
    try:
        steps.open = True
        tasks = [loop.create_task(actor, context=Context()) for actor in actors(steps)]
        steps.open = False
        loop.run_until_quiet()
        while choices := steps.choices():
            index = pick(len(order.trail), len(choices))
            order.trail.append((index, len(choices)))
            order.labels.append(steps.take(choices[index]))
            loop.run_until_quiet()
        stuck = [task for task in tasks if not task.done()]
        errors = [task.exception() for task in tasks if task.done()]
        for task in stuck:
            task.cancel()
        loop.run_until_quiet()
    finally:
        events._set_running_loop(None)
    for error in errors:
        if error is not None:
            raise Violation(f"{error}\nin the order: {', '.join(order.labels)}") from error
    if stuck or loop.errors:
        said = loop.errors or "it never ends"
        raise Violation(f"{said}\nin the order: {', '.join(order.labels)}")
    return order


def every_order(actors: Actors, **limits: Any) -> Iterator[Order]:
    """Every order there is, each once."""
    loop = StepLoop()  # type: ignore[abstract]
    prefix: list[int] = []
    while True:
        order = run_order(
            loop,
            Steps(**limits),
            actors,
            lambda number, _: prefix[number] if number < len(prefix) else 0,  # noqa: B023
        )
        yield order
        trail = order.trail
        while trail and trail[-1][0] + 1 == trail[-1][1]:
            trail.pop()
        if not trail:
            return
        prefix = [index for index, _ in trail]
        prefix[-1] += 1


def some_orders(actors: Actors, seed: int, count: int, **limits: Any) -> Iterator[Order]:
    """So many orders, drawn by a seed."""
    loop, draw = StepLoop(), random.Random(seed)  # type: ignore[abstract]
    for _ in range(count):
        yield run_order(loop, Steps(**limits), actors, lambda _, choices: draw.randrange(choices))
