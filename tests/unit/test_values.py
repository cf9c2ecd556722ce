"""Values on their way to a database and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vacancy.db.statement import NoRow, SetStatement
from vacancy.db.values import (
    decoder,
    instant_text,
    postgres_columns,
    sqlite_parameters,
    sqlite_row_values,
)
from vacancy.errors import Invalid

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-11))])
INSTANTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001


@given(INSTANTS)
def test_an_instant_comes_back(at: datetime) -> None:
    text = instant_text(at)
    assert len(text) == len("2027-03-01T10:00:00.000000Z")
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == at


@given(INSTANTS, INSTANTS)
def test_the_order_of_texts_is_the_order_of_instants(one: datetime, other: datetime) -> None:
    assert (instant_text(one) < instant_text(other)) == (one < other)


def test_the_two_half_past_one_of_an_october_night_differ() -> None:
    first = datetime(2027, 10, 31, 1, 30, tzinfo=ZoneInfo("Europe/Lisbon"))
    second = first.replace(fold=1)
    assert first == second, "Python compares them by the clock on the wall"
    assert instant_text(first) == "2027-10-31T00:30:00.000000Z"
    assert instant_text(second) == "2027-10-31T01:30:00.000000Z"


@pytest.mark.parametrize(
    "at",
    [
        datetime(2027, 3, 1, 10),  # noqa: DTZ001
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
    ],
)
def test_what_is_no_instant_is_refused(at: datetime) -> None:
    with pytest.raises(Invalid) as refused:
        instant_text(at)
    assert refused.value.code == "VALUE_REFUSED"


def test_dates_and_instants_become_text_on_sqlite() -> None:
    at = datetime(2027, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    given_values = {"day": date(2027, 3, 1), "at": at, "name": "x", "none": None, "n": 5}
    assert sqlite_parameters(given_values) == {
        "day": "2027-03-01",
        "at": "2027-03-01T10:00:00.000000Z",
        "name": "x",
        "none": None,
        "n": 5,
    }


SET = SetStatement(
    "test.set",
    "{rows}",
    columns={"n": "integer", "name": "text", "day": "date", "at": "instant", "doc": "json"},
    row=NoRow,
)
NAMES = SetStatement("test.names", "{rows}", columns={"name": "text"}, row=NoRow)
ROWS = [
    (1, 'a"b\\c,{}', date(2027, 3, 1), datetime(2027, 3, 1, tzinfo=UTC), '{"a": 1}'),
    (None, None, None, None, None),
    (-5, "", date(1, 1, 1), datetime(1, 1, 1, tzinfo=UTC), "[]"),
]


def test_rows_become_one_flat_list_on_sqlite() -> None:
    flat = sqlite_row_values(SET, ROWS)
    assert flat[:5] == [1, 'a"b\\c,{}', "2027-03-01", "2027-03-01T00:00:00.000000Z", '{"a": 1}']
    assert flat[5:10] == [None] * 5
    assert flat[10:13] == [-5, "", "0001-01-01"]


def test_rows_become_a_text_for_each_column_on_postgresql() -> None:
    assert postgres_columns(SET, ROWS) == (
        [
            "{1,null,-5}",
            r'{"a\"b\\c,{}",NULL,""}',
            '{"2027-03-01",null,"0001-01-01"}',
            '{"2027-03-01T00:00:00.000000Z",null,"0001-01-01T00:00:00.000000Z"}',
            r'{"{\"a\": 1}",NULL,"[]"}',
        ],
        frozenset(),
    )


def test_one_instant_in_all_rows_is_one_value() -> None:
    at = datetime(2027, 3, 1, tzinfo=UTC)
    same_time = [(1, "", None, at, "[]"), (2, "", None, at, "[]")]
    texts, same = postgres_columns(SET, same_time)
    assert texts[3] == "2027-03-01T00:00:00.000000Z"
    assert same == {3}
    nothing = [(1, "", None, None, "[]"), (2, "", None, None, "[]")]
    texts, same = postgres_columns(SET, nothing)
    assert texts[2:4] == ["{null,null}", None]
    assert same == {3}


def test_the_two_half_past_one_are_not_one_value() -> None:
    first = datetime(2027, 10, 31, 1, 30, tzinfo=ZoneInfo("Europe/Lisbon"))
    rows = [(1, "", None, first, "[]"), (2, "", None, first.replace(fold=1), "[]")]
    texts, same = postgres_columns(SET, rows)
    assert texts[3] == '{"2027-10-31T00:30:00.000000Z","2027-10-31T01:30:00.000000Z"}'
    assert same == set()


@given(st.lists(st.none() | st.text(st.sampled_from('a"\\,{}\x1f\n')), min_size=1))
def test_texts_are_quoted_one_by_one(texts: list[str | None]) -> None:
    """All at once or each by itself: reading the array gives the same texts."""
    array = postgres_columns(NAMES, [(text,) for text in texts])[0][0]
    assert array is not None
    assert elements(array) == texts


def elements(array: str) -> list[str | None]:
    """What PostgreSQL reads in an array of texts."""
    found: list[str | None] = []
    rest = array[1:-1]
    while rest:
        if rest.startswith("NULL"):
            found.append(None)
            rest = rest[4:]
        else:
            text, rest = "", rest[1:]
            while rest[0] != '"':
                rest = rest[1:] if rest[0] == "\\" else rest
                text, rest = text + rest[0], rest[1:]
            found.append(text)
            rest = rest[1:]
        rest = rest.removeprefix(",")
    return found


class Plain(msgspec.Struct, frozen=True):
    n: int
    word: Literal["a", "b"]


class Rich(msgspec.Struct, frozen=True):
    day: date | None
    at: datetime
    yes: bool
    numbers: tuple[int, ...]


def test_columns_become_fields() -> None:
    assert decoder(Plain, "sqlite")([(1, "a"), (2, "b")]) == [Plain(1, "a"), Plain(2, "b")]
    at = datetime(2027, 3, 1, 10, tzinfo=UTC)
    wanted = [Rich(date(2027, 3, 1), at, True, (1, 2)), Rich(None, at, False, ())]
    sqlite_rows = [
        ("2027-03-01", "2027-03-01T10:00:00.000000Z", 1, "[1, 2]"),
        (None, "2027-03-01T10:00:00.000000Z", 0, "[]"),
    ]
    assert decoder(Rich, "sqlite")(sqlite_rows) == wanted
    postgres_rows = [(date(2027, 3, 1), at, True, "[1, 2]"), (None, at, False, "[]")]
    assert decoder(Rich, "postgresql")(postgres_rows) == wanted
