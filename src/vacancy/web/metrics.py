"""`/metrics`: whichever worker is asked answers for all of them."""

from __future__ import annotations

import asyncio
import logging
import os

import msgspec

from vacancy.config import Settings
from vacancy.errors import Forbidden, Misconfigured
from vacancy.web.ask_workers import Answered, Silent, ask_others
from vacancy.web.auth import PUBLIC, STAFF
from vacancy.web.call import Answer, Call
from vacancy.web.figures import Collected, Figures, Worker, figures_of, total_of
from vacancy.web.figures_seen import Seen, remember
from vacancy.web.front import Front
from vacancy.web.routing import Route
from vacancy.web.run_folder import run_folder

_log = logging.getLogger(__name__)


def routes(front: Front) -> tuple[Route, ...]:
    """The route, for whom the setting `metrics` says; none where it is off."""
    if front.settings.metrics == "off":
        return ()

    async def metrics(call: Call, asked: None) -> Answer:
        # Not above: who asks for no metrics need not load the library.
        from vacancy.web.metrics_text import CONTENT_TYPE, metrics_text

        if call.actor is not None and call.actor.property_id is not None:
            raise Forbidden(
                "PROPERTY_NOT_YOURS",
                "The figures are of all properties, and the key is bound to one.",
                hint="Use a key that is not bound to a property.",
            )
        worker = Worker(house=call.house, requests=front.requests, alerts=front.alerts)
        text = metrics_text(await collect(worker, front.settings))
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


async def collect(worker: Worker, settings: Settings) -> Collected:
    """The figures of this worker and of all others of the server."""
    # A copy: what is written down and what is answered are of one moment.
    ours = msgspec.json.decode(msgspec.json.encode(figures_of(worker)), type=Figures)
    told, silent = [ours], 0
    counted = told
    try:
        others = await ask_others(settings.data_dir, "figures", Figures, but=os.getpid())
        told += [other.answer for other in others if isinstance(other, Answered)]
        quiet = {other.pid for other in others if isinstance(other, Silent)}
        silent = len(quiet)
        if settings.workers > 1 or others:
            folder = run_folder(settings.data_dir)
            seen: Seen = await asyncio.to_thread(remember, folder, told, quiet)
            counted = seen.counted()
    except (OSError, Misconfigured) as error:
        _log.warning("the figures are of this worker alone, the others cannot be asked: %s", error)
    return Collected(
        counts=total_of(counted),
        sizes=total_of(told),
        workers=len(told),
        workers_silent=silent,
    )
