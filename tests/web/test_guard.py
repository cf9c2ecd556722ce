"""The guard around requests: a route that asks too much is stopped in tests and told of in
production; and no route of ours does."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest
from litestar import Litestar

from tests.web.desk import Desk, a_desk
from vacancy.hotel.queries import get_property, list_properties, list_room_types
from vacancy.web.auth import PUBLIC
from vacancy.web.call import Answer, Call, document
from vacancy.web.routing import Route, to_litestar


async def look_again_and_again(call: Call, asked: None) -> Answer:
    for _ in range(5):
        await get_property(call.house.db, "alpine")
    return document(b"{}")


async def look_at_much(call: Call, asked: None) -> Answer:
    db = call.house.db
    await list_properties(db)
    await list_room_types(db, "alpine")
    await get_property(db, "alpine")
    return document(b"{}")


def add(desk: Desk, path: str, handler: object, statements: int = 3) -> None:
    route = Route(
        method="GET",
        path=path,
        handler=handler,  # type: ignore[arg-type]
        access=PUBLIC,
        summary="Asks much.",
        statements=statements,
    )
    app = desk.front.app
    assert isinstance(app, Litestar)
    app.register(to_litestar(route, desk.front))


@pytest.mark.parametrize(
    ("handler", "statements", "code"),
    [
        (look_again_and_again, 20, "STATEMENT_REPEATED"),
        (look_at_much, 2, "STATEMENT_BUDGET_EXCEEDED"),
    ],
)
def test_too_much_is_an_error_in_tests(
    database_url: str,
    handler: object,
    statements: int,
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            add(desk, "/much", handler, statements)
            answer = await desk.client.get("/much")
            assert (answer.status_code, answer.json()["code"]) == (500, code)

    asyncio.run(story())
    assert "web/test_guard.py:" in caplog.text


def test_in_production_it_is_logged_with_its_place_and_answered(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            desk.front.opened = msgspec.structs.replace(desk.front.house, guard="log")
            add(desk, "/much", look_again_and_again, 20)
            for _ in range(3):
                assert (await desk.client.get("/much")).status_code == 200

    with caplog.at_level(logging.WARNING, "vacancy.contracts"):
        asyncio.run(story())
    assert len(caplog.records) == 3
    (told, *_) = caplog.records
    assert "N+1: GET /much runs catalogue.get_property again" in told.getMessage()
    assert "in look_again_and_again" in told.__dict__["place"]


def test_a_batch_is_not_the_affair_of_the_request_that_began_it(database_url: str) -> None:
    """Twenty book at once: whoever comes first begins the batch and is not charged for it."""

    async def story() -> None:
        async with a_desk(database_url, capacity=30) as desk:
            answers = await asyncio.gather(*(desk.book(key=f"k{number}") for number in range(20)))
            assert [answer.status_code for answer in answers] == [201] * 20

    asyncio.run(story())
