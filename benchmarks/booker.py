"""One process that books: so many clients, each waiting for its answer before it asks again.

    python -m benchmarks.booker --url URL --clients 64 --bookings 20000 [--hot]

prints one JSON document: bookings a second, and the delays that clients saw.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
from time import perf_counter_ns

import msgspec
import uvloop

from benchmarks.hotels import booking_request, open_hotels
from benchmarks.stats import Summary, summarise
from vacancy.bootstrap import tune_runtime
from vacancy.hotel.model import Booking


async def book(url: str, clients: int, bookings: int, *, hot: bool) -> Summary:
    """Runs the clients until so many bookings are made; every one is checked."""
    run = f"{os.getpid()}-{perf_counter_ns()}"
    durations_ns: list[int] = []
    left = bookings

    async with open_hotels(url) as (house, actor):

        async def client(number: int) -> None:
            nonlocal left
            rng = random.Random(f"{run}-{number}")
            while left > 0:
                left -= 1
                request = booking_request(actor, rng, f"{run}-{left}", hot=hot)
                started_ns = perf_counter_ns()
                outcome = await house.admission.submit(request)
                durations_ns.append(perf_counter_ns() - started_ns)
                assert isinstance(outcome.answer, Booking), outcome.answer

        tune_runtime()
        started_ns = perf_counter_ns()
        await asyncio.gather(*(client(number) for number in range(clients)))
        return summarise(durations_ns, perf_counter_ns() - started_ns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--bookings", type=int, default=20_000)
    parser.add_argument("--hot", action="store_true")
    options = parser.parse_args()
    sys.stdin.readline()  # several processes begin together, when their parent says so
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        summary = runner.run(book(options.url, options.clients, options.bookings, hot=options.hot))
    print(msgspec.json.encode(summary).decode())


if __name__ == "__main__":
    main()
