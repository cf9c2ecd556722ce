"""What the owner of rows does to them, whoever he is: a process of ours, or a foreign program.

Every change is a transaction. It says of each row that it touches which version it gets and where
it then is; the board is told when the commit was acknowledged.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from tests.cache.board import (
    BOOKS,
    GONE,
    LEAVES,
    SHELVES,
    THERE,
    Board,
    book_cell,
    book_id,
    leaf_cell,
    leaf_id,
    shelf_cell,
    shelf_id,
)
from tests.cache.tables import (
    ADD_BOOK,
    ADD_SHELF,
    BOOKS_ON,
    CODE_OF,
    DROP_BOOK,
    DROP_SHELF,
    EMPTY_LEAVES,
    REPLACE_BOOK,
    SET_BOOK,
    SET_LEAF,
    SET_SHELF,
    SPOIL_BOOK,
    TAKE_CODE,
)
from vacancy.db.statement import Engine, Statement


class Doing(Protocol):
    """A transaction, of whatever kind."""

    async def execute(self, statement: Statement[Any], **params: Any) -> int: ...

    async def fetch_all(self, statement: Statement[Any], **params: Any) -> list[Any]: ...


Touched = dict[int, tuple[int, int]]
"""Row to its new version and place."""


class Owner:
    """Changes the rows of one owner. `foreign` ways are those that our own code does not go."""

    def __init__(
        self, board: Board, number: int, engine: Engine, rng: random.Random, *, foreign: bool
    ) -> None:
        self.board = board
        self.number = number
        self.engine = engine
        self.rng = rng
        self.ways: list[Callable[[Doing, Touched], Awaitable[None]]] = [
            self._set_shelf,
            self._set_shelf,
            self._put_book,
            self._put_book,
            self._drop_book,
            self._drop_shelf,
            self._replace_book,
        ]
        if foreign:
            self.ways += [self._set_leaf, self._set_leaf, self._set_leaf, self._empty_leaves]
            if engine == "sqlite":
                self.ways += [self._steal_code, self._take_code]

    async def change(self, tx: Doing) -> Touched:
        """One to three changes in a transaction; what it has touched, for `acknowledge`."""
        touched: Touched = {}
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            await self.rng.choice(self.ways)(tx, touched)
        return touched

    async def change_leaves(self, tx: Doing) -> Touched:
        """All of them at once: set, or taken away. One after the other, again and again, so that
        changes fall into what is being filled because of the one before."""
        touched: Touched = {}
        if self.rng.random() < 0.5:
            await self._empty_leaves(tx, touched)
        else:
            for leaf in range(LEAVES):
                version = self._new(touched, leaf_cell(leaf), THERE)
                await tx.execute(SET_LEAF, id=leaf_id(leaf), version=version)
        return touched

    async def spoil(self, tx: Doing) -> None:
        """Changes that are to be rolled back: their versions are below zero."""
        shelf = self.rng.randrange(SHELVES)
        await tx.execute(
            SET_SHELF, id=shelf_id(self.number, shelf), version=-self.rng.randint(1, 99)
        )
        for book in range(BOOKS):
            row = book_id(self.number, book)
            await tx.execute(SPOIL_BOOK, id=row, version=-self.rng.randint(1, 99))

    def acknowledge(self, touched: Touched) -> None:
        for cell, (version, place) in touched.items():
            self.board.acknowledge(cell, version, place)

    def _new(self, touched: Touched, cell: int, place: int) -> int:
        version = self.board.attempt(cell)
        touched[cell] = (version, place)
        return version

    async def _set_shelf(self, tx: Doing, touched: Touched) -> None:
        await self._have_shelf(tx, touched, self.rng.randrange(SHELVES))

    async def _have_shelf(self, tx: Doing, touched: Touched, shelf: int) -> None:
        version = self._new(touched, shelf_cell(self.number, shelf), THERE)
        row = shelf_id(self.number, shelf)
        if not await tx.execute(SET_SHELF, id=row, version=version):
            await tx.execute(ADD_SHELF, id=row, version=version)

    async def _put_book(self, tx: Doing, touched: Touched) -> None:
        """Changes it where it is, moves it, or brings it back."""
        shelf, book = self.rng.randrange(SHELVES), self.rng.randrange(BOOKS)
        await self._have_shelf(tx, touched, shelf)
        version = self._new(touched, book_cell(self.number, book), 1 + shelf)
        row, place = book_id(self.number, book), shelf_id(self.number, shelf)
        if not await tx.execute(SET_BOOK, id=row, version=version, shelf=place):
            await tx.execute(
                ADD_BOOK, id=row, version=version, shelf=place, code=f"{row}-{version}"
            )

    async def _replace_book(self, tx: Doing, touched: Touched) -> None:
        shelf, book = self.rng.randrange(SHELVES), self.rng.randrange(BOOKS)
        await self._have_shelf(tx, touched, shelf)
        version = self._new(touched, book_cell(self.number, book), 1 + shelf)
        row = book_id(self.number, book)
        await tx.execute(
            REPLACE_BOOK,
            id=row,
            version=version,
            shelf=shelf_id(self.number, shelf),
            code=f"{row}-{version}",
        )

    async def _drop_book(self, tx: Doing, touched: Touched) -> None:
        book = self.rng.randrange(BOOKS)
        self._new(touched, book_cell(self.number, book), GONE)
        await tx.execute(DROP_BOOK, id=book_id(self.number, book))

    async def _drop_shelf(self, tx: Doing, touched: Touched) -> None:
        """And, by a cascade, all that stands on it."""
        shelf = self.rng.randrange(SHELVES)
        row = shelf_id(self.number, shelf)
        for found in await tx.fetch_all(BOOKS_ON, shelf=row):
            self._new(touched, book_cell(self.number, found.id - book_id(self.number, 0)), GONE)
        self._new(touched, shelf_cell(self.number, shelf), GONE)
        await tx.execute(DROP_SHELF, id=row)

    async def _steal_code(self, tx: Doing, touched: Touched) -> None:
        """A book is thrown out by another one that has its code."""
        victim, thief = self.rng.sample(range(BOOKS), 2)
        codes = await tx.fetch_all(CODE_OF, id=book_id(self.number, victim))
        if not codes:
            return
        shelf = self.rng.randrange(SHELVES)
        await self._have_shelf(tx, touched, shelf)
        self._new(touched, book_cell(self.number, victim), GONE)
        version = self._new(touched, book_cell(self.number, thief), 1 + shelf)
        await tx.execute(
            REPLACE_BOOK,
            id=book_id(self.number, thief),
            version=version,
            shelf=shelf_id(self.number, shelf),
            code=codes[0].code,
        )

    async def _take_code(self, tx: Doing, touched: Touched) -> None:
        victim, thief = self.rng.sample(range(BOOKS), 2)
        codes = await tx.fetch_all(CODE_OF, id=book_id(self.number, victim))
        if not codes:
            return
        shelf = self.rng.randrange(SHELVES)
        row = book_id(self.number, thief)
        await self._have_shelf(tx, touched, shelf)
        version = self._new(touched, book_cell(self.number, thief), 1 + shelf)
        if not await tx.execute(
            SET_BOOK, id=row, version=version, shelf=shelf_id(self.number, shelf)
        ):
            await tx.execute(
                ADD_BOOK,
                id=row,
                version=version,
                shelf=shelf_id(self.number, shelf),
                code=f"{row}-{version}",
            )
        self._new(touched, book_cell(self.number, victim), GONE)
        await tx.execute(TAKE_CODE, id=row, version=version, code=codes[0].code)

    async def _set_leaf(self, tx: Doing, touched: Touched) -> None:
        leaf = self.rng.randrange(LEAVES)
        version = self._new(touched, leaf_cell(leaf), THERE)
        await tx.execute(SET_LEAF, id=leaf_id(leaf), version=version)

    async def _empty_leaves(self, tx: Doing, touched: Touched) -> None:
        for leaf in range(LEAVES):
            self._new(touched, leaf_cell(leaf), GONE)
        await tx.execute(EMPTY_LEAVES)


def first_rows() -> list[str]:
    """The rows with which the board begins."""
    from tests.cache.board import OWNERS

    return [
        *(
            f"INSERT INTO shelves (id, version) VALUES ({shelf_id(owner, number)}, 1)"
            for owner in range(OWNERS)
            for number in range(SHELVES)
        ),
        *(
            f"INSERT INTO books (id, shelf_id, code, version) VALUES ({book_id(owner, number)},"
            f" {shelf_id(owner, number % SHELVES)}, 'first {book_id(owner, number)}', 1)"
            for owner in range(OWNERS)
            for number in range(BOOKS)
        ),
        *(
            f"INSERT INTO leaves (id, version) VALUES ({leaf_id(number)}, 1)"
            for number in range(LEAVES)
        ),
    ]
