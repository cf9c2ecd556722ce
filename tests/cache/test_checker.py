"""Several processes write, read through the cache and are disturbed, and no answer is older than
was promised. `make test` runs some seconds of it; `make soak` checks VACANCY_SOAK_READS answers
(10,000,000) on each database, with another seed each time unless VACANCY_SOAK_SEED names it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.cache.board import CELLS, GONE, Board, book_cell, now_ns, shelf_cell, state_of
from tests.cache.checker import Plan, Result, run_checker
from tests.cache.judge import bounded_questions, exact_questions, judge_bounded, judge_exact
from tests.cache.tables import BOTH, BOTH_BOUNDED, Found

SECONDS = 3.0
SOAK_READS = int(os.environ.get("VACANCY_SOAK_READS", "10000000"))
SOAK_S = 1_800.0


def _told(result: Result) -> str:
    return (
        f"{result.reads:,} reads in {result.seconds:.0f} s, {result.unjudged:,} not judged,"
        f" {result.acknowledged:,} versions, faults: {result.faults}, the last:"
        f" {result.last_faults}, {result.notes} {result.violation}"
    )


def test_nothing_stale_in_some_seconds(database_url: str, tmp_path: Path) -> None:
    plan = Plan(url=database_url, folder=str(tmp_path / "run"), seed=4, seconds=SECONDS)
    result = run_checker(plan)
    assert result.violation == "", _told(result)
    assert result.reads > 1_000 and result.acknowledged > CELLS, _told(result)
    assert result.unjudged < result.reads / 10 and result.notes == (), _told(result)


@pytest.mark.soak
def test_nothing_stale_in_ten_million_reads(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("VACANCY_SOAK_SEED") or time.time())
    plan = Plan(
        url=database_url,
        folder=str(tmp_path / "run"),
        seed=seed,
        seconds=SOAK_S,
        reads_wanted=SOAK_READS,
        changes_per_s=30.0,
    )
    result = run_checker(plan)
    with capsys.disabled():
        print(f"\nseed {seed}: {_told(result)}")  # noqa: T201
    assert result.violation == "", f"seed {seed}: {_told(result)}"
    assert result.reads >= SOAK_READS, f"seed {seed}: {_told(result)}"


# The judge himself.

SHELF, BOOK = 1, 101


def _rows(**versions: int) -> list[Found]:
    return [Found(int(name[1:]), version) for name, version in versions.items()]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """All rows of the first owner at version 3, his first book on his first shelf."""
    board = Board(tmp_path / "board", create=True)
    for cell in range(7):
        for _ in range(2):
            board.attempt(cell)
        board.acknowledge(cell, 3, 1 if cell < 4 else GONE)
    return board


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        (_rows(_1=3, _101=3), ""),
        (_rows(_1=2, _101=3), "is stale: version 2; 3 was acknowledged"),
        (_rows(_1=3, _101=2), "is stale"),
        (_rows(_1=3), "is missing"),
        (_rows(_1=3, _101=3, _102=2), "row 102 is stale"),
        (_rows(_1=4, _101=3), "nobody has written"),
        (_rows(_1=3, _101=-5), "rolled back"),
        (_rows(_1=3, _101=3, _999=1), "not asked for"),
    ],
)
def test_an_exact_answer_is_judged(board: Board, rows: list[Found], wrong: str) -> None:
    question = next(q for q in exact_questions() if q.statement is BOTH and q.params["shelf"] == 1)
    noted = board.acked_bytes(question.first, question.span)
    found = judge_exact(board, question, noted, rows)
    assert wrong in found if wrong else found == ""


def test_what_was_tried_may_be_there_or_not(board: Board) -> None:
    question = next(q for q in exact_questions() if q.statement is BOTH and q.params["shelf"] == 1)
    noted = board.acked_bytes(question.first, question.span)
    board.attempt(book_cell(0, 0))
    for rows in (_rows(_1=3, _101=3), _rows(_1=3, _101=4), _rows(_1=3)):
        assert judge_exact(board, question, noted, rows) == ""


def test_a_bounded_answer_is_judged(board: Board) -> None:
    question = next(
        q for q in bounded_questions() if q.statement is BOTH_BOUNDED and q.params["shelf"] == 1
    )
    old = _rows(_1=2, _101=3)
    board.acknowledge(shelf_cell(0, 0), 3, 1)
    began_ns = now_ns()
    bound_ns = 3_600_000_000_000
    assert judge_bounded(board, question, began_ns, bound_ns, _rows(_1=3, _101=3)) == ""
    assert judge_bounded(board, question, began_ns, bound_ns, old) == "?"  # nothing is so old
    assert "staler than its bound" in judge_bounded(board, question, began_ns, 0, old)
    assert "rolled back" in judge_bounded(board, question, began_ns, 0, _rows(_1=-1, _101=3))


def test_what_a_restore_has_undone_is_known(board: Board) -> None:
    question = next(q for q in exact_questions() if q.statement is BOTH and q.params["shelf"] == 1)
    saved = board.save()
    board.attempt(shelf_cell(0, 0))
    board.acknowledge(shelf_cell(0, 0), 4, 1)
    board.restore(saved)
    assert board.acked(shelf_cell(0, 0)) == state_of(3, 1)
    noted = board.acked_bytes(question.first, question.span)
    assert judge_exact(board, question, noted, _rows(_1=3, _101=3)) == ""
    assert "undone" in judge_exact(board, question, noted, _rows(_1=4, _101=3))
