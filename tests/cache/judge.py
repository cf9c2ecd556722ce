"""Holds an answer against the board: is it as new as was promised, and was it ever true?"""

from __future__ import annotations

from array import array

import msgspec

from tests.cache.board import (
    BOOKS,
    CELLS,
    LEAVES,
    OWNERS,
    PER_OWNER,
    RESTORED_AT,
    SHELVES,
    Board,
    book_cell,
    book_id,
    leaf_cell,
    leaf_id,
    now_ns,
    shelf_cell,
    shelf_id,
)
from tests.cache.tables import (
    ALL_BOOKS,
    BOTH,
    BOTH_BOUNDED,
    LEAF,
    LEAF_BOUNDED,
    SHELF,
    SHELF_BOUNDED,
    Found,
)
from tests.cache.tables import (
    BOOKS as BOOKS_ON_SHELF,
)
from tests.cache.tables import (
    LEAVES as ALL_LEAVES,
)
from vacancy.db.statement import Statement

ANYWHERE = -1
UNJUDGED = "?"
"""The board does not remember far enough."""


class Cell(msgspec.Struct, frozen=True):
    """A row that an answer may hold, and where the row is if it does."""

    cell: int
    row: int
    place: int


class Question(msgspec.Struct, frozen=True):
    """A statement with its parameters, and the rows that its answer is about."""

    statement: Statement[Found]
    params: dict[str, int]
    cells: tuple[Cell, ...]
    first: int
    """The first of these rows on the board; the others follow, some of them for nothing."""
    span: int


def _question(statement: Statement[Found], params: dict[str, int], *cells: Cell) -> Question:
    numbers = [cell.cell for cell in cells]
    return Question(statement, params, cells, min(numbers), max(numbers) - min(numbers) + 1)


def _shelf(owner: int, number: int) -> Cell:
    return Cell(shelf_cell(owner, number), shelf_id(owner, number), 1)


def _books(owner: int, place: int) -> list[Cell]:
    return [
        Cell(book_cell(owner, number), book_id(owner, number), place) for number in range(BOOKS)
    ]


def _leaf(number: int) -> Cell:
    return Cell(leaf_cell(number), leaf_id(number), 1)


def exact_questions() -> list[Question]:
    """All that is asked without a bound."""
    found = [
        _question(ALL_BOOKS, {}, *(c for owner in range(OWNERS) for c in _books(owner, ANYWHERE))),
        _question(ALL_LEAVES, {}, *(_leaf(number) for number in range(LEAVES))),
    ]
    for owner in range(OWNERS):
        for number in range(SHELVES):
            params = {"shelf": shelf_id(owner, number)}
            shelf, books = _shelf(owner, number), _books(owner, 1 + number)
            found += [
                _question(SHELF, params, shelf),
                _question(BOOKS_ON_SHELF, params, *books),
                _question(BOTH, params, shelf, *books),
            ]
    return found + [_question(LEAF, {"leaf": leaf_id(n)}, _leaf(n)) for n in range(LEAVES)]


def bounded_questions() -> list[Question]:
    found = [_question(LEAF_BOUNDED, {"leaf": leaf_id(n)}, _leaf(n)) for n in range(LEAVES)]
    for owner in range(OWNERS):
        for number in range(SHELVES):
            params = {"shelf": shelf_id(owner, number)}
            shelf, books = _shelf(owner, number), _books(owner, 1 + number)
            found += [
                _question(SHELF_BOUNDED, params, shelf),
                _question(BOTH_BOUNDED, params, shelf, *books),
            ]
    return found


def owner_of(cell: int) -> int:
    """The foreign program owns the leaves."""
    return cell // PER_OWNER if cell < CELLS - LEAVES else 0


def judge_exact(board: Board, question: Question, noted: bytes, rows: list[Found]) -> str:
    """What is wrong with an answer, in words; empty when nothing is. `noted` is what was
    acknowledged when the read began."""
    states = array("q", noted)
    found = {row.id: row.version for row in rows}
    for cell in question.cells:
        version = found.pop(cell.row, None)
        state = states[cell.cell - question.first]
        wrong = _judge_row(board, cell, version, state)
        if wrong:
            return f"{question.statement.name} {question.params}: row {cell.row} {wrong}"
    return f"{question.statement.name}: rows that are not asked for: {found}" if found else ""


def stale_ms(board: Board, question: Question, noted: bytes, rows: list[Found]) -> float:
    """For how long an answer was not true any more; 0 when it was as new as it should be."""
    states = array("q", noted)
    found = {row.id: row.version for row in rows}
    oldest_ms = 0.0
    for cell in question.cells:
        state = states[cell.cell - question.first]
        version = found.get(cell.row)
        if _judge_row(board, cell, version, state):
            next_version = state >> 3 if version is None else version + 1
            oldest_ms = max(oldest_ms, _age_ms(board, cell, next_version))
    return oldest_ms


def _is_there(cell: Cell, state: int) -> bool:
    return state & 7 == cell.place if cell.place != ANYWHERE else state & 7 != 0


def _judge_row(board: Board, cell: Cell, version: int | None, state: int) -> str:
    newest = state >> 3
    if version is None:
        # Where a later change was tried, it may have taken the row away.
        if _is_there(cell, state) and board.tried(cell.cell) <= newest:
            return f"is missing; version {newest} was acknowledged {_age(board, cell, newest)}"
        return ""
    if version < 0:
        return f"bears version {version}, which was rolled back"
    if version < newest:
        return (
            f"is stale: version {version}; {newest} was acknowledged"
            f" {_age(board, cell, version + 1)}"
        )
    if version > board.tried(cell.cell):
        return f"bears version {version}, which nobody has written"
    if board.was_undone(cell.cell, version):
        return f"bears version {version}, which a restore has undone"
    return ""


def _age(board: Board, cell: Cell, version: int) -> str:
    return f"{_age_ms(board, cell, version):.1f} ms ago"


def _age_ms(board: Board, cell: Cell, version: int) -> float:
    """How long ago the first state from this version on was acknowledged, as far as is known."""
    history = board.history(cell.cell)
    newer = (seen for seen in history if seen.state >> 3 >= version)
    return (now_ns() - next(newer, history[-1]).at_ns) / 1e6


def judge_bounded(
    board: Board, question: Question, began_ns: int, bound_ns: int, rows: list[Found]
) -> str:
    """The same for an answer that may be so old. `UNJUDGED` when the board has forgotten what was
    acknowledged so long ago."""
    found = {row.id: row.version for row in rows}
    limit_ns = began_ns - bound_ns
    for cell in question.cells:
        version = found.pop(cell.row, None)
        wrong = _judge_old_row(board, cell, version, limit_ns)
        if wrong:
            if wrong == UNJUDGED:
                return wrong
            return f"{question.statement.name} {question.params}: row {cell.row} {wrong}"
    return f"{question.statement.name}: rows that are not asked for: {found}" if found else ""


def _judge_old_row(board: Board, cell: Cell, version: int | None, limit_ns: int) -> str:
    newest = board.acked(cell.cell)
    if version is not None and version < 0:
        return f"bears version {version}, which was rolled back"
    if version is not None and version > board.tried(cell.cell):
        return f"bears version {version}, which nobody has written"
    if not _judge_row(board, cell, version, newest):
        return ""
    if board.words[RESTORED_AT] > limit_ns:
        return UNJUDGED  # what was undone is not older than the bound
    history = board.history(cell.cell)
    old = [seen for seen in history if seen.at_ns <= limit_ns]
    if not old:
        return UNJUDGED
    allowed = [old[-1], *(seen for seen in history if seen.at_ns > limit_ns)]
    if version is None:
        if all(_is_there(cell, seen.state) for seen in allowed) and (
            board.tried(cell.cell) <= newest >> 3
        ):
            return "is missing, and was there for longer than the bound"
        return ""
    if version < allowed[0].state >> 3:
        late_ms = (limit_ns - allowed[0].at_ns) / 1e6
        return f"is staler than its bound by {late_ms:.1f} ms: version {version}"
    if board.was_undone(cell.cell, version):
        return f"bears version {version}, which a restore has undone"
    return ""
