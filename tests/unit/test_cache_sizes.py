"""What is stored is weighed, never too light, and what callers could change is refused."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Hashable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
import msgspec.inspect
import pytest

from vacancy.cache.sizes import bytes_of
from vacancy.cache.store import ENTRY_BYTES, POLICIES, TAG_BYTES, Entry, Store
from vacancy.errors import Internal
from vacancy.hotel.wiring import CACHED


def entry(key: Hashable, *tags: str) -> Entry:
    return Entry(key, None, tags, name="test", expires_at=1.0, value_bytes=0)


class Colour(Enum):
    RED = "red"


class Part(msgspec.Struct, frozen=True):
    id: int
    name: str


class Changeable(msgspec.Struct):
    id: int


def rows_of(row: type[msgspec.Struct], count: int) -> tuple[Any, ...]:
    """Rows as the drivers make them: no two share a value."""
    return tuple(
        msgspec.convert(
            {
                field.encode_name: _sample(field.type, number)
                for field in msgspec.inspect.type_info(row).fields  # type: ignore[attr-defined]
            }
            if not row.__struct_config__.array_like
            else [
                _sample(field.type, number)
                for field in msgspec.inspect.type_info(row).fields  # type: ignore[attr-defined]
            ],
            row,
            strict=False,
        )
        for number in range(count)
    )


def _sample(kind: Any, number: int) -> Any:
    match kind:
        case msgspec.inspect.IntType():
            return 1_000_000 + number
        case msgspec.inspect.FloatType():
            return number + 0.5
        case msgspec.inspect.StrType():
            return ("Zimmer mit Aussicht %d" if number % 2 else "旅館の客室 %d") % number
        case msgspec.inspect.DateType():
            return date.fromordinal(739_000 + number)
        case msgspec.inspect.DateTimeType():
            return datetime.fromtimestamp(1_800_000_000 + number, UTC)
        case msgspec.inspect.BoolType():
            return bool(number % 2)
        case msgspec.inspect.UnionType():
            return _sample(kind.types[number % len(kind.types)], number)
        case msgspec.inspect.NoneType():
            return None
        case msgspec.inspect.LiteralType():
            return kind.values[number % len(kind.values)]
        case msgspec.inspect.VarTupleType():
            return [_sample(kind.item_type, number * 10 + part) for part in range(2)]
        case msgspec.inspect.StructType():
            parts = {field.encode_name: _sample(field.type, number) for field in kind.fields}
            return list(parts.values()) if kind.array_like else parts
    raise AssertionError(f"no sample of {kind}")


MEASURING_BYTES = 300
"""What measuring itself may leave behind."""


def taken_bytes(make: Callable[[], Any]) -> tuple[Any, int]:
    """What was made, and the memory that it holds by Python's own count.

    The count is of the whole process: a thread that another test left running can only add to it,
    so the least of a few measures is the truth.
    """
    make()
    measures = [_taken_once(make) for _ in range(5)]
    return make(), min(measures) - MEASURING_BYTES


def _taken_once(make: Callable[[], Any]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        made = make()
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
        del made
    finally:
        tracemalloc.stop()
    return taken


ROWS: set[type[msgspec.Struct]] = {cached.statement.row for cached in CACHED}


@pytest.mark.parametrize("row", sorted(ROWS, key=str))
@pytest.mark.parametrize("count", [20, 200])
def test_rows_never_weigh_more_than_we_say(row: type[msgspec.Struct], count: int) -> None:
    rows, taken = taken_bytes(lambda: rows_of(row, count))
    assert taken <= bytes_of(rows) <= 3 * taken + 500


@pytest.mark.parametrize(
    "make",
    [
        lambda: tuple(range(1_000, 2_000)),
        lambda: tuple((number,) for number in range(1_000, 2_000)),
        lambda: tuple(str(number) for number in range(1_000)),
        lambda: tuple(number + 0.5 for number in range(1_000)),
        lambda: tuple(UUID(int=number << 70) for number in range(1_000)),
        lambda: tuple(Decimal(number) / 7 for number in range(1_000)),
        lambda: tuple(datetime.fromtimestamp(number, UTC) for number in range(1_000)),
        lambda: frozenset(range(1_000, 2_000)),
        lambda: ("é" * 10_000 + "旅", "a" * 10_000, b"b" * 10_000),
        lambda: tuple(Part(number + 1_000, chr(1_000 + number) * 2) for number in range(1_000)),
    ],
)
def test_values_never_weigh_more_than_we_say(make: Callable[[], Any]) -> None:
    value, taken = taken_bytes(make)
    assert taken <= bytes_of(value) <= 3 * taken + 500


@pytest.mark.parametrize("value", [None, (), 1, "", b"x", Colour.RED, (Part(1, "a"), None)])
def test_what_cannot_be_changed_is_weighed(value: Any) -> None:
    assert bytes_of(value) > 0


@pytest.mark.parametrize(
    "value",
    [[], {}, set(), bytearray(b"x"), Changeable(1), ((1, [2]),), (Part(1, []),), object()],  # type: ignore[arg-type]
)
def test_what_can_be_changed_is_refused(value: Any) -> None:
    with pytest.raises(Internal) as raised:
        bytes_of(value)
    assert raised.value.code == "CACHE_VALUE_CHANGEABLE"


@pytest.mark.parametrize("policy", sorted(POLICIES))
@pytest.mark.parametrize("tags", [0, 1, 3])
@pytest.mark.parametrize("count", [100, 1_000, 1_366])
def test_entries_never_weigh_more_than_we_say(policy: str, tags: int, count: int) -> None:
    def make() -> Store:
        kept = Store(count, 1 << 40, policy, lambda _: None)
        for number in range(count):
            key = ("things.get_thing", (f"place {number}", number + 1_000, "x" * (number % 300)))
            kept.put(entry(key, *(f"things/{number}/2027-01/{part}" for part in range(tags))))
        return kept

    kept, taken = taken_bytes(make)
    assert len(kept) == count
    assert taken <= kept.size_bytes


def test_a_long_key_and_a_long_tag_count() -> None:
    plain = entry("k", "t").size_bytes
    assert entry("k" * 10_000, "t").size_bytes >= plain + 9_999
    assert entry("k", "t" * 10_000).size_bytes >= plain + 9_999
    assert entry(object()).size_bytes > ENTRY_BYTES and TAG_BYTES > 0
