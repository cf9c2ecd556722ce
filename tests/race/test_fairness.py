"""Several processes on one database: each gets its share, neither starves."""

from __future__ import annotations

import asyncio
import fcntl
import queue
import threading
import time
from collections import Counter
from pathlib import Path

import msgspec

from tests.fault.promises import broken_promises
from tests.hotels import a_hotel
from tests.race.booker import Job
from tests.race.processes import Booker, bookers
from vacancy.db.sqlite.locks import WriteTurn

ENOUGH = 1_500
"""Answers of both processes together, after which their shares are looked at."""
WORST_SHARE = 0.2


def shares_of(jobs: list[Job]) -> Counter[int]:
    """How many answers each process had when all together had `ENOUGH`."""
    seen: queue.SimpleQueue[int] = queue.SimpleQueue()

    def listen(number: int, booker: Booker) -> None:
        for _ in booker.answers():
            seen.put(number)

    with bookers(jobs) as running:
        threads = [
            threading.Thread(target=listen, args=(number, booker))
            for number, booker in enumerate(running)
        ]
        for thread in threads:
            thread.start()
        for booker in running:
            booker.go()
        shares: Counter[int] = Counter()
        # The first to be ready has the database alone for a moment: count from when both are in.
        while len(shares) < len(jobs):
            shares[seen.get(timeout=30)] += 1
        shares.clear()
        while shares.total() < ENOUGH:
            shares[seen.get(timeout=30)] += 1
        for booker in running:
            booker.kill()
        for thread in threads:
            thread.join()
    return shares


def test_two_processes_on_one_file_share_it_fairly(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'vacancy.db'}"

    async def story() -> None:
        async with a_hotel(url, capacity=100_000) as hotel:
            job = Job(
                url=url,
                staff_id=hotel.staff.user_id,
                guest_id=hotel.guest.user_id,
                kind="spree",
                clients=8,
            )
            jobs = [msgspec.structs.replace(job, prefix=prefix) for prefix in ("a", "b")]
            shares = await asyncio.to_thread(shares_of, jobs)
            assert min(shares.values()) >= WORST_SHARE * ENOUGH, shares
            assert await broken_promises(hotel.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


def test_who_waits_for_the_turn_is_not_overtaken(tmp_path: Path) -> None:
    """However fast the last writer comes back, it stands behind who was waiting."""
    database = tmp_path / "vacancy.db"
    mine, other = WriteTurn(database), WriteTurn(database)
    for _ in range(50):
        assert mine.take_at_once()
        waiting = threading.Thread(target=other.take)
        waiting.start()
        wait_until_queued(database)
        mine.give_back()
        assert not mine.take_at_once()
        waiting.join()
        other.give_back()
    mine.close()
    other.close()


def wait_until_queued(database: Path) -> None:
    """Returns when somebody stands in the queue; AssertionError after a while."""
    deadline = time.monotonic() + 30
    with Path(f"{database}.queue").open() as queue_file:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(queue_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(queue_file, fcntl.LOCK_UN)
    raise AssertionError("nobody ever stood in the queue")
