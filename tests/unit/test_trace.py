"""The record of statements: its buckets, what it adds up, and what it tells of slow ones."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from vacancy.db.durations import bucket_of
from vacancy.db.gate import COUNT, Counted
from vacancy.db.statement import NoRow, SetStatement, Statement
from vacancy.db.trace import SlowStatement, Trace, masked
from vacancy.perf.queries.record import StatementRecord, merge, record_of

GET: Statement[NoRow] = Statement("test.get", "SELECT 1 WHERE :a = :b", row=NoRow)
PUT: SetStatement[NoRow] = SetStatement(
    "test.put", "INSERT INTO t\n{rows}", columns={"id": "integer", "name": "text"}, row=NoRow
)
DURATIONS = st.integers(0, 1 << 45)
CALLS = st.lists(st.tuples(st.sampled_from([GET, PUT]), st.integers(0, 900), DURATIONS))


def traced(calls: list[tuple[Any, int, int]]) -> Trace:
    trace = Trace("sqlite")
    for statement, rows, duration_ns in calls:
        trace.add(statement, {}, rows, duration_ns)
    return trace


@given(DURATIONS)
def test_adding_takes_the_bucket_of_the_duration(duration_ns: int) -> None:
    stats = traced([(GET, 1, duration_ns)]).statements["test.get"]
    assert [at for at, count in enumerate(stats.buckets) if count] == [bucket_of(duration_ns)]


def test_nothing_is_lost_between_noting_and_summing_up() -> None:
    """Threads note while another one reads, and more than is noted before it is summed up."""
    trace = Trace("sqlite")
    each = 5_000
    seen: list[int] = []

    def note() -> None:
        for number in range(each):
            trace.add(GET, {}, 2, number)
            trace.add_together([(PUT, [(1, "a")] * 3)], 8)

    threads = [threading.Thread(target=note) for _ in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            seen.append(trace.calls)
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert seen == sorted(seen)
    found = trace.statements
    assert (found["test.get"].calls, found["test.get"].rows) == (4 * each, 8 * each)
    assert found["test.get"].total_ns == 4 * sum(range(each))
    assert sum(found["test.get"].buckets) == 4 * each
    assert (found["test.put"].calls, found["test.put"].rows) == (4 * each, 12 * each)


@given(st.lists(CALLS, min_size=1, max_size=4))
def test_the_records_of_several_processes_are_the_record_of_all_their_calls(
    processes: list[list[tuple[Any, int, int]]],
) -> None:
    apart = merge(record_of(traced(calls)) for calls in processes)
    together = merge([record_of(traced([call for calls in processes for call in calls]))])
    assert apart == together
    assert sum(record.calls for record in apart) == sum(map(len, processes))


def test_a_record_survives_the_way_to_who_asks() -> None:
    records = record_of(traced([(GET, 3, 2_000), (PUT, 0, 5)]), {"test.get": 30})
    sent = msgspec.json.decode(msgspec.json.encode(records), type=list[StatementRecord])
    assert sent == records
    assert {record.name: record.repeated for record in records} == {"test.get": 30, "test.put": 0}
    assert records[0].mean_us == 2.0
    assert records[0].rows_per_call == 3.0


# -- slow ones


def told_by(trace: Trace) -> list[SlowStatement]:
    told: list[SlowStatement] = []
    trace.on_slow.append(told.append)
    return told


def test_what_takes_longer_is_told_and_nothing_else() -> None:
    trace = Trace("postgresql")
    told = told_by(trace)
    trace.add(GET, {"a": 1}, 2, 1 << 50)
    assert told == []
    trace.slow_ns = 1_000_000
    trace.add(GET, {"a": 1}, 2, 1_000_000)
    assert told == []
    token = COUNT.set(Counted(b"abc-1"))
    trace.add(GET, {"a": 1, "b": "secret"}, 2, 1_500_000)
    COUNT.reset(token)
    assert told == [
        SlowStatement(
            name="test.get",
            engine="postgresql",
            duration_ms=1.5,
            rows=2,
            failed=False,
            parameters="a=integer, b=text(6)",
            request_id="abc-1",
        )
    ]


def test_a_failure_and_a_round_trip_of_several_are_told_once() -> None:
    trace = Trace("postgresql")
    told = told_by(trace)
    trace.slow_ns = 10
    trace.fail([(GET, {"a": None})], 11)
    trace.add_together([(PUT, [(1, "x")] * 3), (PUT, [(1, "x")])], 12)
    assert [(slow.name, slow.rows, slow.failed) for slow in told] == [
        ("test.get", 0, True),
        ("test.put, test.put", 4, False),
    ]
    assert told[1].parameters == "3 rows (id, name); 1 rows (id, name)"
    assert trace.statements["test.get"].errors == 1
    assert trace.counts() == {"test.put": 2}
    assert trace.statements["test.put"].total_ns == 12


def test_a_listener_that_fails_fails_nobody_else() -> None:
    trace = Trace("sqlite")
    trace.slow_ns = 0

    def fails(slow: SlowStatement) -> None:
        raise KeyError(slow.name)

    trace.on_slow.append(fails)
    told = told_by(trace)
    trace.add(GET, {}, 1, 5)
    assert [slow.name for slow in told] == ["test.get"]
    assert trace.counts() == {"test.get": 1}


# -- masks

TEXTS = st.text(min_size=1, max_size=40)
PAIRS = st.one_of(
    st.tuples(st.integers(), st.integers()),
    st.tuples(st.floats(), st.floats()),
    st.tuples(st.booleans(), st.booleans()),
    st.tuples(st.dates(), st.dates()),
    st.tuples(st.datetimes(), st.datetimes()),
    st.tuples(TEXTS, TEXTS).map(lambda two: (two[0], (two[1] * 40)[: len(two[0])])),
    st.tuples(st.binary(), st.binary()).map(lambda two: (two[0] + two[1], two[1] + two[0])),
    st.tuples(st.lists(TEXTS), st.lists(TEXTS)).map(lambda two: (two[0] + two[1], two[1] + two[0])),
)


@given(st.dictionaries(st.sampled_from(["a", "email", "code"]), PAIRS, min_size=1))
def test_a_mask_is_the_same_for_all_values_of_a_kind_and_size(
    values: dict[str, tuple[Any, Any]],
) -> None:
    """So it cannot hold anything of a value."""
    one = {name: pair[0] for name, pair in values.items()}
    other = {name: pair[1] for name, pair in values.items()}
    assert masked(GET, one) == masked(GET, other)
    assert all(f"{name}=" in masked(GET, one) for name in values)


@given(st.lists(st.tuples(st.integers(), TEXTS)))
def test_of_rows_the_mask_tells_how_many_and_their_columns(rows: list[tuple[int, str]]) -> None:
    assert masked(PUT, rows) == f"{len(rows)} rows (id, name)"


def test_kinds() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    given_all = {
        "n": None,
        "yes": True,
        "i": 7,
        "f": 1.5,
        "t": "secret",
        "b": b"xy",
        "at": now,
        "day": date(2027, 1, 1),
        "list": [1, 2, 3],
        "doc": {"a": 1},
        "else": timedelta(1),
    }
    assert masked(GET, given_all) == (
        "n=null, yes=boolean, i=integer, f=number, t=text(6), b=bytes(2), at=instant, day=date,"
        " list=json(3), doc=json(1), else=timedelta"
    )
