"""The arithmetic of a bench: percentiles, improvement, what has become slower, the page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vacancy.errors import Invalid
from vacancy.perf.bench.compare import read_report, require_comparable, slower
from vacancy.perf.bench.page import page_of, shown_us
from vacancy.perf.bench.report import (
    BenchReport,
    Machine,
    OperationReport,
    Side,
    improvement_percent,
    percentile_ns,
    side_of,
)

MACHINE = Machine(
    cpu="A <b>CPU</b>",
    cores=2,
    os="Linux",
    python="CPython 3.11",
    database="SQLite 3.50",
    fsync_p50_us=80.0,
    measured_at="2026-11-24T12:00:00+00:00",
    rounds=5,
    seconds=0.3,
)


def side(p50_us: float, statements: int = 1, rows: int = 7) -> Side:
    return Side(
        p50_us=p50_us, p95_us=2 * p50_us, p99_us=3 * p50_us, statements=statements, rows=rows
    )


def report(
    after: Side, cached: Side | None = None, *, noise: float = 1.2, size: int = 1_000
) -> BenchReport:
    before = side(1_000, statements=20, rows=400)
    operation = OperationReport(
        name="user_bookings",
        before=before,
        after=after,
        cached=cached,
        improvement_percent=improvement_percent(before, after),
    )
    return BenchReport(
        engine="sqlite", size=size, machine=MACHINE, noise=noise, operations=(operation,)
    )


@given(st.lists(st.integers(0, 10**9), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(
    values: list[int], percent: int
) -> None:
    ordered = sorted(values)
    found = percentile_ns(ordered, percent)
    assert found in ordered
    assert 100 * sum(one <= found for one in ordered) >= percent * len(ordered)
    assert 100 * sum(one < found for one in ordered) < percent * len(ordered)


def test_nothing_measured_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="at least one"):
        side_of([], 1, 1)


def test_durations_become_microseconds_whatever_their_order() -> None:
    found = side_of([3_000, 1_000, 2_000], statements=4, rows=5)
    assert found == Side(p50_us=2.0, p95_us=3.0, p99_us=3.0, statements=4, rows=5)


@pytest.mark.parametrize(("after_us", "percent"), [(10, 99.0), (1_000, 0.0), (1_100, -10.0)])
def test_the_improvement_is_the_time_saved_of_a_hundred(after_us: float, percent: float) -> None:
    assert improvement_percent(side(1_000), side(after_us)) == pytest.approx(percent)


def test_times_within_the_noise_of_both_runs_are_not_slower() -> None:
    earlier, now = report(side(100)), report(side(143))  # 1.2 × 1.2 = 1.44
    assert slower(earlier, now) == ()


def test_times_beyond_the_noise_of_both_runs_are_slower() -> None:
    (found,) = slower(report(side(100)), report(side(150)))
    assert (found.operation, found.side, found.what) == ("user_bookings", "after", "p50_us")
    assert str(found) == ("user_bookings, after: p50_us was 100, is 150, 1.5 times as much.")


def test_one_statement_or_row_more_is_worse_however_fast() -> None:
    now = report(side(1, statements=2, rows=8), side(1, statements=0))
    earlier = report(side(100), side(50, statements=0))
    assert [one.what for one in slower(earlier, now)] == ["statements", "rows"]


def test_the_cached_side_is_compared_too() -> None:
    (found,) = slower(report(side(100), side(5)), report(side(100), side(50)))
    assert (found.side, found.what) == ("cached", "p50_us")


def test_what_is_quicker_now_is_not_told() -> None:
    assert slower(report(side(100), side(50)), report(side(10), side(5))) == ()


@pytest.mark.parametrize("size", [740, 1_260])
def test_runs_of_very_different_sizes_are_not_compared(size: int) -> None:
    with pytest.raises(Invalid, match=f"size 1,000, this one {size:,}") as caught:
        slower(report(side(1)), report(side(1), size=size))
    assert caught.value.code == "BENCH_NOT_COMPARABLE"


def test_a_database_that_has_grown_a_little_is_compared_but_for_its_rows() -> None:
    now = report(side(1, statements=2, rows=8), size=1_200)
    assert [one.what for one in slower(report(side(100)), now)] == ["statements"]


def test_another_engine_is_refused_before_the_size_is_known() -> None:
    with pytest.raises(Invalid, match="is on sqlite, this one on postgresql"):
        require_comparable(report(side(1)), "postgresql")


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = report(side(100), side(5))
    file = tmp_path / "bench.json"
    file.write_bytes(msgspec.json.encode(written))
    assert read_report(file, BenchReport) == written


@pytest.mark.parametrize("text", ["", "{}", '{"engine": "sqlite"}', "no json"])
def test_a_file_of_something_else_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(text)
    with pytest.raises(Invalid) as caught:
        read_report(file, BenchReport)
    assert caught.value.code == "BENCH_FILE_UNREADABLE"


@pytest.mark.parametrize(
    ("us", "words"), [(0, "0 µs"), (0.25, "0.250 µs"), (12.345, "12.3 µs"), (1_234_567, "1.23 s")]
)
def test_times_have_three_figures(us: float, words: str) -> None:
    assert shown_us(us).replace("\N{NO-BREAK SPACE}", " ") == words


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_is_well_formed_and_needs_nothing_else() -> None:
    page = page_of(report(side(10), side(2)), "bookings")
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    text = " ".join(reader.texts)
    assert "99.00\N{NO-BREAK SPACE}% less time" in text
    assert "A <b>CPU</b>" in text  # shown, not obeyed
    assert "<script" not in page
    assert re.findall(r'(?:src|href)="(?!data:,")', page) == []
    assert "url(" not in page and "@import" not in page


def test_a_loss_is_told_as_one() -> None:
    page = page_of(report(side(1_500)), "bookings")
    assert "50\N{NO-BREAK SPACE}% more time" in page
    assert "less time" not in page
