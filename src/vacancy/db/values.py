"""How Python values become columns and columns become struct fields, on each database.

SQLite has no dates: a date is its ISO text, an instant is UTC text of fixed width, so that text
order is time order. PostgreSQL has its own types and the driver speaks them. JSON is text on both.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from itertools import chain
from typing import Any

import msgspec

from vacancy.db.statement import Column, Engine, Row, SetStatement
from vacancy.errors import Invalid

Encoder = Callable[[Any], Any]


def instant_text(value: datetime) -> str:
    """An instant as UTC text of fixed width: `2027-03-01T10:00:00.000000Z`.

    Raises `Invalid` VALUE_REFUSED for a time without a zone, or outside the years 1 to 9999.
    """
    if value.tzinfo is not UTC:
        value = _in_utc(value)
    return _utc_text(value)


def _in_utc(value: datetime) -> datetime:
    try:
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    except OverflowError:
        pass
    raise Invalid("VALUE_REFUSED", f"{value} is no instant: it has no zone, or no UTC.")


# A transaction writes one instant in hundreds of places. Only UTC may be remembered: the two 01:30
# of a day in October are equal in their own zone.
@lru_cache(maxsize=256)
def _utc_text(value: datetime) -> str:
    return value.isoformat(timespec="microseconds")[:26] + "Z"


SQLITE_ENCODERS: dict[type, Encoder] = {
    date: date.isoformat,
    datetime: instant_text,
}


@lru_cache(maxsize=8192)  # the same few years of dates come again and again
def _date_text(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _instant_text(value: datetime | None) -> str | None:
    if value is None:
        return None
    return _utc_text(value) if value.tzinfo is UTC else instant_text(value)


_COLUMN_ENCODERS: dict[Column, Encoder] = {"date": _date_text, "instant": _instant_text}
_json = msgspec.json.Encoder().encode


def sqlite_parameters(params: dict[str, Any]) -> dict[str, Any]:
    """The same parameters with dates and instants as text."""
    for name, value in params.items():
        encode = SQLITE_ENCODERS.get(type(value))
        if encode is not None:
            params[name] = encode(value)
    return params


def sqlite_row_values(statement: SetStatement[Row], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """All rows' values in one flat list, for one execution of `VALUES (…), (…)`."""
    flat = list(chain.from_iterable(rows))
    width = len(statement.columns)
    for position, kind in enumerate(statement.columns.values()):
        encode = _COLUMN_ENCODERS.get(kind)
        if encode is not None:
            flat[position::width] = map(encode, flat[position::width])
    return flat


_SQLITE_DECODERS: dict[type, Encoder] = {
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    bool: bool,
}


def postgres_columns(
    statement: SetStatement[Row], rows: Sequence[Sequence[Any]]
) -> tuple[list[str | None], frozenset[int]]:
    """Each column as the text of a PostgreSQL array, and the positions of those that are one value
    for all rows instead.

    The driver would look at every element of a list several times; one text for each column takes
    a third of the time. An instant is mostly the transaction's own in every row, and costs the
    server more to read than any other value.
    """
    texts: list[str | None] = []
    same: set[int] = set()
    columns = zip(zip(*rows, strict=True), statement.columns.values(), strict=True)
    for position, (column, kind) in enumerate(columns):
        first = column[0]
        if kind != "instant":
            texts.append(_array_text(column, kind))
        elif column.count(first) == len(column) and (first is None or first.tzinfo is UTC):
            # Only what equals a time in UTC, or nothing, is the same: see `_utc_text`.
            same.add(position)
            texts.append(_instant_text(first))
        else:
            texts.append(_array_text(tuple(map(_instant_text, column)), kind))
    return texts, frozenset(same)


_BETWEEN = "\x1f"
"""Stands between the elements of a column while all of them are quoted at once."""


def _array_text(column: tuple[Any, ...], kind: Column) -> str:
    if kind in ("text", "json"):
        return _quoted(column)
    # Numbers, dates and nulls stand in an array as they do in JSON, which is quickly written.
    return f"{{{_json(column)[1:-1].decode()}}}"


def _quoted(column: tuple[str | None, ...]) -> str:
    if None not in column:
        joined = _BETWEEN.join(column)  # type: ignore[arg-type]
        if joined.count(_BETWEEN) == len(column) - 1:
            return "".join(('{"', _escaped(joined).replace(_BETWEEN, '","'), '"}'))
    texts = ("NULL" if value is None else f'"{_escaped(value)}"' for value in column)
    return f"{{{','.join(texts)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


@cache
def decoder(row: type[Row], engine: Engine) -> Callable[[Iterable[Sequence[Any]]], list[Row]]:
    """A function that turns driver rows into structs; columns stand in the order of the fields."""
    conversions = [
        (index, convert)
        for index, field in enumerate(typing.get_type_hints(row).values())
        if (convert := _conversion(field, engine)) is not None
    ]
    if not conversions:
        return lambda rows: [row(*values) for values in rows]

    def decode(rows: Iterable[Sequence[Any]]) -> list[Row]:
        decoded = []
        for values in rows:
            fields = list(values)
            for index, convert in conversions:
                if fields[index] is not None:
                    fields[index] = convert(fields[index])
            decoded.append(row(*fields))
        return decoded

    return decode


def _conversion(field: Any, engine: Engine) -> Encoder | None:
    # A Literal with None is the older kind of union.
    if isinstance(field, types.UnionType) or typing.get_origin(field) is typing.Union:
        field = next(part for part in typing.get_args(field) if part is not types.NoneType)
    if field in (int, str, float, bytes) or typing.get_origin(field) is typing.Literal:
        return None
    if field in (date, datetime, bool):
        if engine == "postgresql":
            return None
        return _SQLITE_DECODERS[field]
    return msgspec.json.Decoder(field).decode
