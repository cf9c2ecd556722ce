"""Regressions as they happen to people, which the counts have to notice. Each answers rightly: only
what the answer costs has grown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import pytest

from vacancy.cache.query_cache import QueryCache
from vacancy.cache.reader import Used
from vacancy.cache.sizes import bytes_of
from vacancy.contracts import guard
from vacancy.db import values
from vacancy.db.postgres import database as postgres_database
from vacancy.db.sqlite import session as sqlite_session
from vacancy.hotel import accounts
from vacancy.hotel.admission import batches
from vacancy.hotel.queries import bookings
from vacancy.hotel.statements import bookings as booking_statements
from vacancy.web import auth

Patch = Callable[[pytest.MonkeyPatch], None]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One regression."""

    name: str
    why: str
    at: str
    """The operation that shows it."""
    counts: tuple[str, ...]
    """Those that grow; one of them is enough."""
    patch: Patch
    engines: tuple[str, ...] = ("sqlite", "postgresql")


def _decoder_built_anew(patch: pytest.MonkeyPatch) -> None:
    built: Any = values.decoder
    for module in (sqlite_session, postgres_database):
        patch.setattr(module, "decoder", built.__wrapped__)


def _rows_through_dicts(patch: pytest.MonkeyPatch) -> None:
    made = values.decoder

    def decoder(row: Any, engine: Any) -> Any:
        decode = made(row, engine)

        def through_dicts(rows: Iterable[Sequence[Any]]) -> list[Any]:
            return [row(**msgspec.structs.asdict(one)) for one in decode(rows)]

        return through_dicts

    for module in (sqlite_session, postgres_database):
        patch.setattr(module, "decoder", decoder)


def _rows_copied_for_each_row(patch: pytest.MonkeyPatch) -> None:
    made = bookings.booking_of

    def booking_of(kind: Any, row: Any, **beside: Any) -> Any:
        return msgspec.json.decode(msgspec.json.encode(made(kind, row, **beside)), type=kind)

    patch.setattr(bookings, "booking_of", booking_of)


def _page_cut_in_python(patch: pytest.MonkeyPatch) -> None:
    ask = bookings.get_user_bookings_with_room_type

    async def everything(db: Any, user_id: int, *, limit: int = 20, **options: Any) -> Any:
        page = await ask(db, user_id, limit=bookings.MAX_PAGE, **options)
        return msgspec.structs.replace(page, items=page.items[:limit])

    patch.setattr("vacancy.hotel.queries.get_user_bookings_with_room_type", everything)


def _one_more_question(patch: pytest.MonkeyPatch) -> None:
    ask = bookings.get_user_bookings_with_room_type

    async def first_who_he_is(db: Any, user_id: int, **options: Any) -> Any:
        page = await ask(db, user_id, **options)
        await bookings.find_booking_property(db, int(page.items[0].id))
        return page

    patch.setattr("vacancy.hotel.queries.get_user_bookings_with_room_type", first_who_he_is)


def _question_for_each_booking(patch: pytest.MonkeyPatch) -> None:
    ask = bookings.get_user_bookings_with_room_type

    async def with_a_loop(db: Any, user_id: int, **options: Any) -> Any:
        page = await ask(db, user_id, **options)
        for item in page.items:
            await bookings.find_booking_property(db, int(item.id))
        return page

    patch.setattr("vacancy.hotel.queries.get_user_bookings_with_room_type", with_a_loop)


def _order_by_an_expression(patch: pytest.MonkeyPatch) -> None:
    statement = booking_statements.GET_USER_BOOKINGS_WITH_ROOM_TYPE
    sorted_anew = statement.sqlite.replace("ORDER BY b.id DESC", "ORDER BY b.id + 0 DESC")
    assert sorted_anew != statement.sqlite
    patch.setattr(statement, "sqlite", sorted_anew)


def _hits_weighed(patch: pytest.MonkeyPatch) -> None:
    find = QueryCache.find_now

    def weigh(self: QueryCache, key: Any, name: str) -> Any:
        found = find(self, key, name)
        bytes_of(getattr(found, "value", ()))
        return found

    patch.setattr(QueryCache, "find_now", weigh)


def _nothing_found(patch: pytest.MonkeyPatch) -> None:
    find = QueryCache.find_now

    def forget(self: QueryCache, key: Any, name: str) -> Any:
        self.clear("a fault")
        return find(self, key, name)

    patch.setattr(QueryCache, "find_now", forget)


def _place_of_each_statement(patch: pytest.MonkeyPatch) -> None:
    def count(self: Any, statement: Any) -> None:
        guard.call_site()
        made(self, statement)

    made = guard.watched.__call__
    patch.setattr(guard.watched, "__call__", count)


def _caller_asked_twice(patch: pytest.MonkeyPatch) -> None:
    find = accounts.find_actor

    async def twice(db: Any, key: str) -> Any:
        await find(db, key)
        return await find(db, key)

    patch.setattr(auth, "find_actor", twice)


def _batches_of_one(patch: pytest.MonkeyPatch) -> None:
    take = batches.Admission._take

    def take_one(self: batches.Admission) -> Any:
        limits = self._limits
        self._limits = msgspec.structs.replace(limits, batch_requests=1)
        try:
            return take(self)
        finally:
            self._limits = limits

    patch.setattr(batches.Admission, "_take", take_one)


def _public_answers_not_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Used, "tags", lambda self: None)


FAULTS = (
    Fault(
        name="decoder-built-anew",
        why="The types of a row are looked at for each answer.",
        at="availability",
        counts=("calls",),
        patch=_decoder_built_anew,
    ),
    Fault(
        name="rows-through-dicts",
        why="Each row is made twice.",
        at="room_types",
        counts=("calls",),
        patch=_rows_through_dicts,
    ),
    Fault(
        name="bookings-through-json",
        why="Each booking is written as JSON and read again.",
        at="user_bookings",
        counts=("calls",),
        patch=_rows_copied_for_each_row,
    ),
    Fault(
        name="page-cut-in-python",
        why="A page of 20 fetches 200.",
        at="user_bookings",
        counts=("rows", "peak_bytes", "steps"),
        patch=_page_cut_in_python,
    ),
    Fault(
        name="one-more-question",
        why="A second way to the database and back for each page.",
        at="user_bookings",
        counts=("statements",),
        patch=_one_more_question,
    ),
    Fault(
        name="question-for-each-booking",
        why="N+1.",
        at="user_bookings",
        counts=("statements", "rows"),
        patch=_question_for_each_booking,
    ),
    Fault(
        name="order-by-an-expression",
        why="All bookings of the user are read and sorted for one page.",
        at="user_bookings",
        counts=("steps",),
        patch=_order_by_an_expression,
        engines=("sqlite",),
    ),
    Fault(
        name="hits-weighed",
        why="The memory of an answer is counted each time that it is given.",
        at="cached_availability",
        counts=("calls",),
        patch=_hits_weighed,
        engines=("sqlite",),
    ),
    Fault(
        name="cache-forgets",
        why="Nothing is ever found in the cache.",
        at="cached_availability",
        counts=("statements",),
        patch=_nothing_found,
        engines=("sqlite",),
    ),
    Fault(
        name="place-of-each-statement",
        why="The stack is walked for each statement, not only for those that are too many.",
        at="GET user bookings",
        counts=("calls",),
        patch=_place_of_each_statement,
    ),
    Fault(
        name="caller-asked-twice",
        why="The key of a request is looked up twice.",
        at="POST booking",
        counts=("statements",),
        patch=_caller_asked_twice,
    ),
    Fault(
        name="batches-of-one",
        why="Each booking has a transaction of its own.",
        at="create_booking_64_clients",
        counts=("statements",),
        patch=_batches_of_one,
    ),
    Fault(
        name="public-answers-not-kept",
        why="An answer for everybody is put together for each of them.",
        at="GET availability",
        counts=("calls",),
        patch=_public_answers_not_kept,
    ),
)
