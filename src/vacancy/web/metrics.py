"""`/metrics`: whichever worker is asked answers for all of them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from typing import Any

import msgspec

from vacancy.config import Settings
from vacancy.errors import Forbidden, Misconfigured
from vacancy.web.ask_workers import Answered, Silent, ask_others
from vacancy.web.auth import PUBLIC, STAFF
from vacancy.web.call import Answer, Call
from vacancy.web.figures import Collected, Figures, Worker, figures_of, total_of
from vacancy.web.figures_seen import Memory
from vacancy.web.front import Front
from vacancy.web.routing import Route
from vacancy.web.run_folder import run_folder

SHARED_S = 1.0
"""So old may an answer be that those who ask at the same time share."""

_log = logging.getLogger(__name__)


def routes(front: Front) -> tuple[Route, ...]:
    """The route, for whom the setting `metrics` says; none where it is off."""
    if front.settings.metrics == "off":
        return ()

    memory, shared = Memory(), Shared()

    async def metrics(call: Call, asked: None) -> Answer:
        # Not above: who asks for no metrics need not load the library.
        from vacancy.web.metrics_text import CONTENT_TYPE

        if call.actor is not None and call.actor.property_id is not None:
            raise Forbidden(
                "PROPERTY_NOT_YOURS",
                "The figures are of all properties, and the key is bound to one.",
                hint="Use a key that is not bound to a property.",
            )
        worker = Worker(house=call.house, requests=front.requests, alerts=front.alerts)
        text = await shared.get(lambda: text_of(worker, front.settings, memory))
        return Answer(
            200,
            text,
            ((b"content-type", CONTENT_TYPE.encode()), (b"cache-control", b"no-store")),
        )

    return (
        Route(
            method="GET",
            path="/metrics",
            handler=metrics,
            access=STAFF if front.settings.metrics == "key" else PUBLIC,
            summary="Figures of all workers together, in the text format of Prometheus.",
            codes=("PROPERTY_NOT_YOURS",) if front.settings.metrics == "key" else (),
            tag="Figures",
            media_type="text/plain",
        ),
    )


class Shared:
    """Those who ask at the same time share one answer, so that many who scrape cost no more than
    one. Nobody gets an answer that was begun over `SHARED_S` before, or was ready before asking."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._task: asyncio.Task[bytes] | None = None
        self._began_s = 0.0

    async def get(self, make: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """What is being made, or what `make` makes. An error is for those who wait, and for nobody
        after them."""
        task = self._task
        if task is None or task.done() or self._clock() - self._began_s > SHARED_S:
            # In a context of its own: it is not the affair of the request that began it.
            task = asyncio.get_running_loop().create_task(make(), context=Context())
            # Where all who waited have gone, nobody looks at its error.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._task, self._began_s = task, self._clock()
        # Who goes away takes the answer from nobody else.
        return await asyncio.shield(task)


async def text_of(worker: Worker, settings: Settings, memory: Memory) -> bytes:
    """The figures of this worker and of all others of the server, as text."""
    # Not above: who asks for no metrics need not load the library.
    from vacancy.web.metrics_text import metrics_text

    # Written down at once, and read again in the thread: that is a copy of one moment, which
    # nobody counts on.
    ours = msgspec.json.encode(figures_of(worker))
    others: Sequence[Answered[Figures] | Silent] = ()
    try:
        others = await ask_others(settings.data_dir, "figures", Figures, but=os.getpid())
    except Misconfigured as error:
        _log.warning("the other workers cannot be asked, their counts stay as they were: %s", error)

    def work() -> bytes:
        return metrics_text(collected_of(ours, others, settings, memory))

    # Tens of milliseconds in which the event loop would answer nobody.
    return await asyncio.to_thread(work)


def collected_of(
    ours: bytes,
    others: Sequence[Answered[Figures] | Silent],
    settings: Settings,
    memory: Memory,
) -> Collected:
    """What the workers come to: this one, by its figures as JSON, and what the others have said.
    May wait for another process."""
    told = [msgspec.json.decode(ours, type=Figures)]
    told += [other.answer for other in others if isinstance(other, Answered)]
    living, counted = told, told
    if settings.workers > 1 or others:
        seen = memory.remember(run_folder(settings.data_dir), told)
        living = list(seen.workers.values()) or told
        counted = seen.counted() or told
    return Collected(
        counts=total_of(counted),
        sizes=total_of(told),
        began_ms=min(figures.began_ms for figures in living),
        workers=len(told),
        workers_silent=sum(isinstance(other, Silent) for other in others),
    )
