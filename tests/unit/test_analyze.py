"""What the analysis says of statements: the worst first, and nothing where nothing is to change."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vacancy.contracts.finding import Finding
from vacancy.contracts.guard import LOOPS, watched
from vacancy.db.durations import BUCKETS, bucket_of
from vacancy.db.gate import registered_statements
from vacancy.db.plan import Plan, Way
from vacancy.db.statement import NoRow, Statement
from vacancy.db.trace import Trace
from vacancy.hotel.wiring import introduce
from vacancy.perf.queries.analyze import ENOUGH_CALLS, Known, QueryReport, all_ok, analyze
from vacancy.perf.queries.record import StatementRecord, record_of
from vacancy.perf.queries.stored import Names, canonical, shortened
from vacancy.perf.queries.words import in_words

BY_INDEX = Plan(
    ways=(Way(table="bookings", index="ix_bookings_user", columns=("user_id", "id")),),
    sorts=(),
    text="SEARCH bookings",
)
ALL = Plan(ways=(Way(table="payments"),), sorts=(), text="SCAN payments")
SORTS = Plan(ways=BY_INDEX.ways, sorts=("by at",), text="SORT")
GOOD = Known(plan=BY_INDEX, findings=())
WRONG = Finding(
    kind="INDEX_MISSING",
    subject="a",
    engine="sqlite",
    sentence="bookings has no valid index ix.",
    fix="Run `vacancy db migrate`.",
)


def ran(
    name: str = "a", *, calls: int = 100, rows: int = 100, each_ns: int = 20_000, **more: Any
) -> StatementRecord:
    buckets = [0] * BUCKETS
    buckets[bucket_of(each_ns)] = calls
    return StatementRecord(
        name=name, calls=calls, rows=rows, total_ns=calls * each_ns, buckets=tuple(buckets), **more
    )


def judged(record: StatementRecord, known: Known = GOOD, **rows: int) -> QueryReport:
    """Beside another statement, which takes as long as three calls of this one."""
    other = ran("other", calls=1, each_ns=max(1, 3 * record.total_ns))
    reports = analyze([record, other], {record.name: known, "other": GOOD}, table_rows=rows)
    return next(report for report in reports if report.name == record.name)


def test_a_good_statement_has_its_figures_and_nothing_to_change() -> None:
    report = judged(ran(calls=40, rows=120, each_ns=100_000))
    assert (report.calls, report.total_ms, report.mean_us, report.rows_per_call) == (
        40,
        4.0,
        100.0,
        3.0,
    )
    assert report.p95_us == pytest.approx(100.0, rel=0.25)
    assert report.share_percent == 25.0
    assert report.contract == "holds"
    assert report.plan == "bookings by ix_bookings_user (user_id, id)"
    assert (report.ok, report.finding) == (True, "nothing to change")


def test_a_contract_that_does_not_hold_comes_first() -> None:
    known = Known(plan=ALL, findings=(WRONG,))
    report = judged(ran(each_ns=500_000_000, repeated=30), known)
    assert (report.contract, report.ok) == ("does not hold", False)
    assert report.finding == (
        "its contract does not hold: bookings has no valid index ix. Run `vacancy db migrate`."
    )


@pytest.mark.parametrize(
    ("known", "rows", "why"),
    [
        (Known(plan=ALL), 100, "it reads all of payments; give an index to what it compares"),
        (GOOD, 120_000, "it fetches 1,200 rows a call; page it"),
        (Known(plan=SORTS, findings=()), 100, "it sorts; let the rows come in the order of an"),
        (Known(plan=BY_INDEX, findings=(), writes=True), 100, "look for who holds its rows"),
        (Known(no_plan="refused"), 100, "look at its plan with --explain"),
        (GOOD, 100, "its plan is good"),
    ],
)
def test_slow_at_p95_says_why_and_fails(known: Known, rows: int, why: str) -> None:
    report = judged(ran(each_ns=150_000_000, rows=rows), known, payments=1_000_000)
    assert not report.ok
    assert report.finding.startswith("over 100 ms at p95 (")
    assert why in report.finding
    assert not all_ok([report])


def test_what_may_take_its_time_or_ran_seldom_fails_nobody() -> None:
    slow = ran(each_ns=150_000_000)
    heavy = judged(slow, Known(plan=BY_INDEX, findings=(), heavy=True))
    assert heavy.ok
    assert "declared heavy" in heavy.finding
    seldom = judged(ran(calls=ENOUGH_CALLS - 1, each_ns=150_000_000))
    assert (seldom.ok, seldom.finding) == (True, "nothing to change")
    assert analyze([slow], {"a": GOOD}, slow_ms=0)[0].ok
    assert not analyze([slow], {"a": GOOD}, slow_ms=100)[0].ok


def test_where_no_durations_are_kept_the_mean_is_judged() -> None:
    record = StatementRecord(
        name="a", source="pg_stat_statements", calls=50, rows=50, total_ns=50 * 200_000_000
    )
    report = judged(record)
    assert report.p95_us is None
    assert not report.ok
    assert report.finding.startswith("over 100 ms in the mean (200 ms): ")


def test_a_loop_is_told_with_its_times() -> None:
    assert judged(ran(repeated=30)).finding == (
        "a loop: asked 30 times in one request; ask for all of it at once"
    )
    assert judged(ran(repeated=2)).finding == "nothing to change"


def test_the_guard_counts_the_loop_of_a_request_to_its_end() -> None:
    again: Statement[NoRow] = Statement("test.asked_in_a_loop", "SELECT 1", row=NoRow)
    for times in (7, 4, 2):
        with watched("GET /", 20, "log") as tally:
            for _ in range(times):
                tally(again)
    trace = Trace("sqlite")
    trace.add(again, {}, 1, 5)
    assert [record.repeated for record in record_of(trace, LOOPS)] == [7]


def test_a_large_table_that_is_read_whole_is_told_and_a_small_one_is_not() -> None:
    stranger = Known(plan=ALL)
    assert judged(ran(), stranger, payments=10_000).finding == (
        "reads all of payments: give an index to what it compares"
    )
    assert judged(ran(), stranger, payments=9_999).finding == "nothing to change"
    assert judged(ran(), stranger).finding == "nothing to change"
    # One that has a contract is judged by it.
    assert judged(ran(), Known(plan=ALL, findings=()), payments=10**6).ok
    assert judged(ran(), Known(plan=ALL, findings=()), payments=10**6).finding == (
        "nothing to change"
    )


def test_many_rows_a_call() -> None:
    many = ran(calls=10, rows=12_000)
    assert judged(many).finding == "fetches 1,200 rows a call: page it, or let the database add up"
    for known in (
        Known(plan=BY_INDEX, findings=(), heavy=True),
        Known(plan=BY_INDEX, findings=(), writes=True),
    ):
        assert judged(many, known).finding == "nothing to change"


def test_what_fails_often_is_told() -> None:
    assert judged(ran(calls=90, errors=10)).finding == (
        "failed 10 times of 100: the log of the server says why"
    )
    assert judged(ran(calls=1_000, errors=1)).finding == "nothing to change"


def test_a_cache_is_advised_only_where_it_pays() -> None:
    often = ran(calls=40_000, rows=120_000, each_ns=500_000)
    quick = ran("quick", calls=1, each_ns=1)

    def finding(record: StatementRecord, known: Known = GOOD) -> str:
        return analyze([record, quick], {"a": known})[0].finding

    assert finding(often) == (
        "takes 100 % of all time: asked 40,000 times at 3 rows; cache it, if the same is asked"
        " again"
    )
    nothing = "nothing to change"
    assert finding(ran(calls=40_000, each_ns=50_000)) == nothing  # quick enough
    assert finding(ran(calls=900, each_ns=500_000)) == nothing  # too seldom
    assert finding(often, Known(plan=BY_INDEX, findings=(), uncached="money")) == nothing
    assert finding(often, Known(plan=BY_INDEX, findings=(), writes=True)) == nothing
    other = ran("b", calls=1, each_ns=often.total_ns * 9)
    assert analyze([often, other], {"a": GOOD, "b": GOOD})[1].finding == nothing  # a small share


def test_what_is_not_known_says_so() -> None:
    report = judged(ran(), Known(no_plan="it is not readable"))
    assert report.plan == "unknown: it is not readable"
    assert report.contract == "none"


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=3),
        st.tuples(st.integers(0, 10_000), st.integers(0, 10**6), st.integers(0, 10**9)),
        max_size=12,
    )
)
def test_shares_come_to_a_hundred_and_the_largest_is_first(
    costs: dict[str, tuple[int, int, int]],
) -> None:
    records = [
        ran(name, calls=calls, rows=rows, each_ns=each_ns)
        for name, (calls, rows, each_ns) in costs.items()
    ]
    reports = analyze(records, {})
    assert sorted(report.name for report in reports) == sorted(costs)
    totals = [report.total_ms for report in reports]
    assert totals == sorted(totals, reverse=True)
    shares = [report.share_percent for report in reports]
    whole = 100 if any(calls * each_ns for calls, _, each_ns in costs.values()) else 0
    assert math.isclose(sum(shares), whole, abs_tol=0.06 * len(shares) + 0.01)


# -- words and names


def test_plans_in_words() -> None:
    plan = Plan(
        ways=(*BY_INDEX.ways, *BY_INDEX.ways, *ALL.ways, Way(table="p", index="pk_p")),
        sorts=("order by", "by at"),
        text="",
    )
    assert in_words(plan) == (
        "bookings by ix_bookings_user (user_id, id); reads all of payments;"
        " reads all of p through pk_p; sorts for order by; sorts by at"
    )
    assert in_words(Plan(ways=(), sorts=(), text="")) == "searches no table"


def test_a_text_is_the_same_whatever_became_of_its_values() -> None:
    ours = "SELECT a -- a note\n FROM t WHERE b = $1 AND c > -1 AND d = 'it''s' LIMIT 10"
    theirs = "SELECT a -- a note\n FROM t WHERE b = $1 AND c > $2 AND d = $3 LIMIT $4"
    assert canonical(ours) == canonical(theirs)
    assert canonical("SELECT a - 1 FROM t") != canonical("SELECT a, 1 FROM t")
    assert canonical("SELECT t1.a FROM t1") != canonical("SELECT t2.a FROM t2")


def test_every_statement_of_ours_is_found_by_its_text() -> None:
    introduce()
    statements = registered_statements()
    names = Names(statements)
    texts = {statement.name: statement.postgresql for statement in statements}
    found = {name: names.find(text) for name, text in texts.items()}
    twins = {name for name, text in texts.items() if list(texts.values()).count(text) > 1}
    assert {name for name, other in found.items() if other != name} <= twins
    assert names.find("SELECT 1") is None


def test_a_long_text_is_shortened() -> None:
    assert shortened("SELECT\n    1") == "SELECT 1"
    assert shortened("SELECT " + "a, " * 50).endswith("…")
    assert len(shortened("x" * 100)) == 60
