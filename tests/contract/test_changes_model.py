"""Random changes over two sessions, against a model of what each look must answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.outside import Outside, an_outsider
from tests.shelves import Watched, watched_shelves

OWN_BOOKS = ((10, 12), (11, 20))
"""Each session changes books of its own, so that none waits for the other."""
KIND = 5
STEPS = st.lists(
    st.tuples(
        st.sampled_from((0, 1)),
        st.sampled_from(
            ("begin", "commit", "rollback", "savepoint", "back", "add", "touch", "move", "delete")
            + ("look",) * 3
        ),
        st.sampled_from((0, 1)),
        st.integers(1, 3),
    ),
    max_size=40,
)


class Session(msgspec.Struct):
    """What one session has done and not committed yet."""

    outside: Outside
    shelf_of: dict[int, int]
    """Its books that are there, as the session itself sees them."""
    touched: set[str] = msgspec.field(default_factory=set)
    before: list[tuple[dict[int, int], set[str]]] = msgspec.field(default_factory=list)
    """What to go back to: at the start of the transaction, and at each savepoint."""
    has_written: bool = False
    """In this transaction, be it undone since: SQLite lets nobody else write meanwhile."""

    def end(self) -> None:
        self.touched, self.before, self.has_written = set(), [], False


class Model:
    """Two sessions and a feed."""

    def __init__(self, watched: Watched, outsides: tuple[Outside, Outside]) -> None:
        self.watched = watched
        self.sessions = [Session(outside, {}) for outside in outsides]
        self.unseen: set[str] = set()

    async def start(self) -> None:
        for session in self.sessions:
            if session.before:
                await session.outside.run("ROLLBACK")
            session.end()
        await self.sessions[0].outside.run("DELETE FROM books")
        for session, books in zip(self.sessions, OWN_BOOKS, strict=True):
            session.shelf_of = {}
            for book in books:
                await self._change(session, "add", book, 1)
        self.unseen = set()
        await self.watched.settle()

    async def step(self, number: int, verb: str, book: int, shelf: int) -> None:
        session = self.sessions[number]
        match verb:
            case "look":
                assert await self.watched.look() == self.unseen
                self.unseen = set()
            case "begin" if not session.before:
                await session.outside.run("BEGIN")
                session.before.append((dict(session.shelf_of), set()))
            case "commit" if session.before:
                await session.outside.run("COMMIT")
                self.unseen |= session.touched
                session.end()
            case "rollback" if session.before:
                await session.outside.run("ROLLBACK")
                session.shelf_of = session.before[0][0]
                session.end()
            case "savepoint" if session.before:
                await session.outside.run(f"SAVEPOINT s{len(session.before)}")
                session.before.append((dict(session.shelf_of), set(session.touched)))
            case "back" if len(session.before) > 1:
                rows, touched = session.before[-1]
                await session.outside.run(f"ROLLBACK TO SAVEPOINT s{len(session.before) - 1}")
                session.shelf_of, session.touched = dict(rows), set(touched)
            case "add" | "touch" | "move" | "delete":
                await self._change(session, verb, OWN_BOOKS[number][book], shelf)

    async def _change(self, session: Session, verb: str, book: int, shelf: int) -> None:
        others = [other for other in self.sessions if other is not session]
        if self.watched.db.engine == "sqlite" and any(other.has_written for other in others):
            return  # it would wait for the other one, and so would we
        here = session.shelf_of.get(book)
        if (here is None) != (verb == "add"):
            return
        match verb:
            case "add":
                sql = f"INSERT INTO books VALUES ({book}, {shelf}, '2026-03-01', {KIND}, '', 0)"
                session.shelf_of[book] = shelf
            case "touch":
                sql = f"UPDATE books SET price = price + 1 WHERE id = {book}"
            case "move":
                sql = f"UPDATE books SET shelf_id = {shelf} WHERE id = {book}"
                session.shelf_of[book] = shelf
            case _:
                sql = f"DELETE FROM books WHERE id = {book}"
                del session.shelf_of[book]
        await session.outside.run(sql)
        tags = {_tag(one) for one in (here, session.shelf_of.get(book)) if one is not None}
        if session.before:
            session.touched |= tags
            session.has_written = True
        else:
            self.unseen |= tags


def _tag(shelf: int) -> str:
    return f"books/{shelf}/2026-03/{KIND}"


@pytest.fixture
def model(database_url: str) -> Iterator[tuple[asyncio.Runner, Model]]:
    async def opened(stack: AsyncExitStack) -> Model:
        watched = await stack.enter_async_context(watched_shelves(database_url))
        other = await stack.enter_async_context(an_outsider(database_url))
        return Model(watched, (watched.outside, other))

    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        try:
            yield runner, runner.run(opened(stack))
        finally:
            runner.run(stack.aclose())


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_each_look_answers_what_was_committed_since_the_last(
    model: tuple[asyncio.Runner, Model], steps: list[tuple[int, str, int, int]]
) -> None:
    runner, sessions = model

    async def story() -> None:
        await sessions.start()
        for step in (*steps, (0, "look", 0, 1), (1, "commit", 0, 1), (0, "commit", 0, 1)):
            await sessions.step(*step)
        await sessions.step(0, "look", 0, 1)

    runner.run(story())
