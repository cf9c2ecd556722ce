"""What is remembered of the workers: whoever tells, in whatever order, nobody is counted twice and
no sum goes backward."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import pytest

from vacancy.cache.report import CacheRecord
from vacancy.db.durations import BUCKETS
from vacancy.db.waits import PoolRecord
from vacancy.hotel.admission.record import AdmissionRecord
from vacancy.perf.alerts import AlertRecord
from vacancy.web import figures_seen
from vacancy.web.figures import Figures, total_of
from vacancy.web.figures_seen import FILE, LOCK, NAMES_KEPT, Memory, Seen, follow, join
from vacancy.web.route_record import RouteRecord
from vacancy.web.run_folder import Place, take_place

W1, W2, W3 = 999_999_001, 999_999_002, 999_999_003
"""Numbers that no process has; who lives is who has a place in the folder."""
POOL = PoolRecord(
    engine="sqlite",
    size=1,
    open=1,
    idle=1,
    waiting=0,
    waits=0,
    timeouts=0,
    wait_total_ns=0,
    wait_most_ns=0,
    wait_buckets=[0] * BUCKETS,
)


def worker(pid: int, calls: int, *, age_ms: int = 10, began_ms: int = 1) -> Figures:
    return Figures(
        pid=pid,
        began_ms=began_ms,
        age_ms=age_ms,
        version="1",
        routes=[RouteRecord(route="GET /x", requests={200: calls})],
        statements=[],
        pool=POOL,
        admission=AdmissionRecord(),
        cache=CacheRecord(cache=None, names={}),
        alerts=AlertRecord(),
    )


def calls(seen: Seen) -> int:
    return sum(route.calls for route in total_of(seen.counted()).routes)


def pids(seen: Seen) -> list[int]:
    return sorted(figures.pid for figures in seen.workers.values())


class Workers:
    """Those who live in a folder, for as long as a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places: dict[int, Place] = {}

    def begin(self, *pids: int) -> None:
        for pid in pids:
            place = take_place(self.folder, pid)
            assert place is not None
            self.places[pid] = place

    def end(self, *pids: int) -> None:
        for pid in pids:
            place = self.places.pop(pid)
            place.leave()


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path)


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_it_follows_the_workers(tmp_path: Path, workers: Workers) -> None:
    workers.begin(W1, W2)

    def remember(*told: Figures) -> Seen:
        # Each time by another process.
        return Memory().remember(tmp_path, told)

    assert calls(remember(worker(W1, 3), worker(W2, 4))) == 7
    # Who collected earlier and tells later does not turn a count back.
    assert calls(remember(worker(W1, 2, age_ms=5), worker(W2, 4))) == 7
    # One is gone; another is there in its place.
    workers.end(W1)
    workers.begin(W3)
    assert calls(remember(worker(W2, 5, age_ms=20), worker(W3, 1, age_ms=1))) == 9
    # One says nothing for once.
    assert calls(remember(worker(W3, 2, age_ms=9))) == 10
    # Nobody of before is there: another server.
    workers.end(W2, W3)
    workers.begin(W1)
    assert calls(remember(worker(W1, 1, began_ms=99))) == 1
    for name in (FILE, LOCK):
        assert oct((tmp_path / name).stat().st_mode & 0o777) == oct(0o600)
    (tmp_path / FILE).write_text("no figures")
    assert calls(remember(worker(W1, 2, began_ms=99))) == 2


def test_two_who_collect_at_the_same_time_count_nobody_twice(
    tmp_path: Path, workers: Workers
) -> None:
    """The one that asked first writes last: it has not heard of who lives now, and has heard of one
    that died meanwhile."""
    workers.begin(W1, W2)
    first, second = Memory(), Memory()
    first.remember(tmp_path, [worker(W1, 1_000), worker(W2, 1_000)])
    older = [worker(W1, 1_001, age_ms=11), worker(W2, 1_001, age_ms=11)]
    workers.end(W2)
    workers.begin(W3)
    newer = [worker(W1, 1_002, age_ms=12), worker(W3, 5, age_ms=1)]
    assert calls(second.remember(tmp_path, newer)) == 2_007
    for memory, told in ((first, older), (second, newer), (first, older)):
        seen = memory.remember(tmp_path, told)
        # What W2 told after it was written down as dead is lost, as is all that nobody heard.
        assert calls(seen) == 2_007
        assert pids(seen) == [W1, W3]
        assert seen.departed_names == [f"{W2}-1"]


def test_who_dies_between_telling_and_writing_is_a_departed_at_once(
    tmp_path: Path, workers: Workers
) -> None:
    workers.begin(W1, W2)
    memory = Memory()
    memory.remember(tmp_path, [worker(W1, 3), worker(W2, 4)])
    workers.end(W2)
    seen = memory.remember(tmp_path, [worker(W1, 3), worker(W2, 6, age_ms=20)])
    assert (calls(seen), pids(seen)) == (9, [W1])


def test_a_number_that_is_given_again_is_another_worker() -> None:
    before = Seen(workers={"7-1": worker(7, 3), "8-1": worker(8, 4)})
    seen = follow(before, [worker(7, 1, began_ms=50)], {7, 8})
    assert (calls(seen), sorted(seen.workers)) == (8, ["7-50", "8-1"])
    assert calls(follow(seen, [worker(7, 9, age_ms=99)], {7, 8})) == 8


def test_names_of_another_server_do_not_come_back_and_are_not_kept_for_ever() -> None:
    before = Seen(workers={"7-1": worker(7, 3)}, departed=worker(0, 5), departed_names=["6-1"])
    seen = follow(before, [worker(8, 1)], {8})
    assert (calls(seen), seen.departed_names) == (1, ["6-1", "7-1"])
    assert calls(follow(seen, [worker(7, 4, age_ms=20), worker(8, 1)], {8})) == 1
    many = Seen(
        workers={"7-1": worker(7, 3), "8-1": worker(8, 4)},
        departed=worker(0, 5),
        departed_names=[str(number) for number in range(NAMES_KEPT)],
    )
    names = follow(many, [], {8}).departed_names
    assert (len(names), names[-1]) == (NAMES_KEPT, "7-1")


def test_a_full_disk_leaves_the_file_and_the_sums(
    tmp_path: Path,
    workers: Workers,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    workers.begin(W1, W2)
    memory = Memory()
    memory.remember(tmp_path, [worker(W1, 3), worker(W2, 4)])
    kept = (tmp_path / FILE).read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(figures_seen, "_encode", full)
        workers.end(W2)
        seen = memory.remember(tmp_path, [worker(W1, 5, age_ms=20)])
        assert (calls(seen), pids(seen)) == (9, [W1])
        assert calls(memory.remember(tmp_path, [worker(W1, 4, age_ms=15)])) == 9
    assert (tmp_path / FILE).read_bytes() == kept
    assert "No space left" in caplog.text
    # What could not be written is not forgotten, and is written when there is room.
    seen = memory.remember(tmp_path, [worker(W1, 6, age_ms=30)])
    assert (calls(seen), seen.departed_names) == (10, [f"{W2}-1"])
    assert calls(Memory().remember(tmp_path, [])) == 10


def test_who_cannot_even_lock_answers_from_what_it_remembers(
    tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.begin(W1, W2)
    memory = Memory()
    memory.remember(tmp_path, [worker(W1, 3), worker(W2, 4)])
    monkeypatch.setattr(os, "open", full)
    assert calls(memory.remember(tmp_path, [worker(W1, 5, age_ms=20)])) == 9


def test_a_file_that_was_lost_is_made_anew_from_what_a_process_remembers(
    tmp_path: Path, workers: Workers
) -> None:
    workers.begin(W1, W2)
    first = Memory()
    first.remember(tmp_path, [worker(W1, 3), worker(W2, 4)])
    workers.end(W2)
    first.remember(tmp_path, [worker(W1, 3)])
    (tmp_path / FILE).write_bytes(b"")
    # One that remembers nothing comes first.
    assert calls(Memory().remember(tmp_path, [worker(W1, 3)])) == 3
    assert calls(first.remember(tmp_path, [worker(W1, 3)])) == 7
    assert calls(Memory().remember(tmp_path, [worker(W1, 3)])) == 7


def test_an_end_in_the_middle_of_writing_leaves_what_was_there(
    tmp_path: Path, workers: Workers
) -> None:
    workers.begin(W1)
    Memory().remember(tmp_path, [worker(W1, 3)])
    (tmp_path / "figures.json.new").write_bytes(b'{"workers":{')
    assert calls(Memory().remember(tmp_path, [])) == 3
    assert not (tmp_path / "figures.json.new").exists()


def test_a_file_without_names_is_read(tmp_path: Path, workers: Workers) -> None:
    """As the version before wrote it."""
    workers.begin(W1)
    file = {"workers": {f"{W1}-1": worker(W1, 3)}, "departed": worker(0, 5)}
    (tmp_path / FILE).write_bytes(msgspec.json.encode(file))
    assert calls(Memory().remember(tmp_path, [])) == 8


def test_join_takes_nobody_both_for_dead_and_for_living() -> None:
    file = Seen(workers={"1-1": worker(1, 3), "2-1": worker(2, 4)})
    ours = Seen(
        workers={"1-1": worker(1, 2, age_ms=5)}, departed=worker(0, 6), departed_names=["2-1"]
    )
    for joined in (join(file, ours), join(ours, file)):
        assert (calls(joined), list(joined.workers)) == (9, ["1-1"])
