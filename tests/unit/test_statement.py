"""Texts of statements: parameters numbered for PostgreSQL, rows written out for SQLite."""

from __future__ import annotations

import msgspec
import pytest

from vacancy.db.statement import MAX_ROWS_AT_ONCE, NoRow, SetStatement, Statement, together


class _Row(msgspec.Struct, frozen=True):
    id: int


ADD = SetStatement(
    "test.add",
    "INSERT INTO things (id, name)\n{rows}",
    columns={"id": "integer", "name": "text"},
    row=NoRow,
    writes=("things",),
)
REMOVE = SetStatement(
    "test.remove",
    "DELETE FROM others WHERE (id) IN ({rows})",
    columns={"id": "integer"},
    row=NoRow,
    writes=("others",),
)


def test_a_parameter_has_one_number_however_often_it_stands() -> None:
    statement = Statement(
        "test.find",
        "SELECT id FROM things WHERE (:name = '' OR name = :name) AND id < :before_id",
        row=_Row,
    )
    assert statement.order == ("name", "before_id")
    assert statement.postgresql == (
        "SELECT id FROM things WHERE ($1 = '' OR name = $1) AND id < $2"
    )
    assert ":before_id" in statement.sqlite


def test_a_cast_is_no_parameter() -> None:
    statement = Statement("test.cast", "SELECT :a::text, '12:30', b::date FROM t", row=_Row)
    assert statement.order == ("a",)
    assert statement.postgresql == "SELECT $1::text, '12:30', b::date FROM t"


def test_a_second_text_is_for_postgresql_alone() -> None:
    statement = Statement("test.two", " SELECT :b, :a ", row=_Row, postgresql="SELECT :a, :b")
    assert statement.sqlite == "SELECT :b, :a"
    assert (statement.postgresql, statement.order) == ("SELECT $1, $2", ("a", "b"))
    assert repr(statement) == "Statement('test.two')"


def test_rows_are_values_on_sqlite_and_arrays_on_postgresql() -> None:
    assert ADD.sqlite(1) == "INSERT INTO things (id, name)\nVALUES (?, ?)"
    assert ADD.sqlite(3).endswith("VALUES (?, ?), (?, ?), (?, ?)")
    assert "unnest($1::text::bigint[], $2::text::text[]) AS given (id, name)" in ADD.postgresql
    assert "{rows}" not in ADD.postgresql


def test_one_value_for_all_rows_is_no_array() -> None:
    rows = ADD.postgresql_rows(1, frozenset({0}))
    assert rows == (
        "SELECT $1::text::bigint AS id, given.name FROM unnest($2::text::text[]) AS given (name)"
    )


def test_changes_together_number_their_parameters_on() -> None:
    text = together((ADD, REMOVE, ADD), (0, 1, 2), (frozenset(),) * 3)
    assert "$3::text::bigint[]) AS given (id)" in text
    assert "$4::text::bigint[], $5::text::text[]" in text
    assert text.count("RETURNING 1") == 3
    assert text.endswith("(SELECT count(*) FROM change_2)")


def test_the_same_rows_are_sent_once() -> None:
    text = together((ADD, REMOVE, ADD), (0, 1, 0), (frozenset(), frozenset()))
    assert text.count("FROM unnest(") == 2
    assert "$4" not in text


def test_what_needs_no_count_is_not_counted() -> None:
    plain = SetStatement("test.plain", "{rows}", columns=ADD.columns, row=NoRow, counted=False)
    text = together((plain, REMOVE), (0, 1), (frozenset(), frozenset()))
    assert text.count("RETURNING 1") == 1
    assert text.endswith("SELECT (SELECT count(*) FROM change_1)")
    assert together((plain,), (0,), (frozenset(),)).endswith("SELECT 0")


@pytest.mark.parametrize(("rows", "chunk"), [(1, 1), (2, 2), (3, 2), (255, 128), (256, 256)])
def test_a_chunk_is_a_power_of_two_within_the_rows(rows: int, chunk: int) -> None:
    assert ADD.chunk(rows) == chunk


def test_a_chunk_never_has_more_parameters_than_sqlite_takes() -> None:
    assert ADD.chunk(10_000) == MAX_ROWS_AT_ONCE
    wide = SetStatement(
        "test.wide", "{rows}", columns={f"c{n}": "integer" for n in range(1000)}, row=NoRow
    )
    assert wide.chunk(10_000) * 1000 <= 32_766
