"""The same helpers over HTTP: who may ask, what they are shown, how many statements it takes."""

from __future__ import annotations

import asyncio
from typing import Any

import apsw
import asyncpg

from tests.hotels import FIRST_NIGHT
from tests.web.desk import Desk, a_desk, new_key
from vacancy.db.connect import sqlite_path
from vacancy.hotel.setup import NewProperty, create_property

DESK = "/v1/properties/alpine/bookings?from=2027-01-01&to=2027-02-01"


async def city(desk: Desk) -> None:
    """A second property, and a key `porter` that is bound to it."""
    wanted = NewProperty(
        code="city",
        name="City",
        currency="EUR",
        time_zone="Europe/Lisbon",
        first_night=FIRST_NIGHT,
        nights=1,
        room_types=(),
    )
    house = desk.hotel.house
    await house.db.transact(lambda tx: create_property(tx, wanted, house.ids.next))
    desk.keys["porter"] = await new_key(house, "porter@example.org", "staff", "city")


async def write(url: str, sql: str) -> None:
    if url.startswith("sqlite"):
        connection = apsw.Connection(str(sqlite_path(url)))
        connection.execute(sql)
        connection.close()
    else:
        other = await asyncpg.connect(url)
        await other.execute(sql)
        await other.close()


async def get(desk: Desk, who: str, address: str) -> Any:
    """Status 200 gives the answer, all else its code."""
    answer = await desk.client.get(address, headers=desk.as_(who))
    return answer.json() if answer.status_code == 200 else answer.json()["code"]


def test_the_front_desk_over_http(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            await city(desk)
            made = [(await desk.book(key=f"k{n}")).json() for n in range(3)]
            page = await get(desk, "desk", f"{DESK}&limit=2")
            assert page["items"] == made[:2]
            rest = await get(desk, "desk", f"{DESK}&limit=2&cursor={page['next']}")
            assert rest == {"items": made[2:], "next": None}

            shown = await get(desk, "desk", f"{DESK}&include_user=true&room_type=double&limit=1")
            assert shown["items"][0]["user"] == {
                "name": "ada@example.org",
                "email": "ada@example.org",
                "guest_type": "regular",
            }
            assert (await get(desk, "desk", f"{DESK}&status=confirmed"))["items"] == []
            assert (await get(desk, "desk", f"{DESK}&room_type=single"))["items"] == []
            leaving = DESK.replace("2027-01-01", "2027-01-12")
            assert (await get(desk, "desk", leaving))["items"] == []
            assert len((await get(desk, "desk", f"{leaving}&by=departure"))["items"]) == 3

            assert await get(desk, "ada", DESK) == "ROLE_NOT_ALLOWED"
            assert await get(desk, "porter", DESK) == "PROPERTY_NOT_YOURS"
            assert (await get(desk, "porter", DESK.replace("alpine", "city")))["items"] == []
            assert await get(desk, "desk", DESK.replace("alpine", "nowhere")) == "PROPERTY_UNKNOWN"
            assert await get(desk, "desk", f"{DESK}&room_type=x") == "ROOM_TYPE_UNKNOWN"
            assert await get(desk, "desk", f"{DESK}&cursor=x") == "CURSOR_INVALID"
            assert await get(desk, "desk", f"{DESK}&by=x") == "QUERY_INVALID"
            assert await get(desk, "desk", DESK.replace("2027-02", "2026-02")) == "PERIOD_INVALID"

            trace = desk.hotel.house.db.trace
            trace.reset()
            await get(desk, "desk", DESK)
            assert trace.calls == 2  # who asks, and the answer

    asyncio.run(story())


def test_bookings_by_their_ids_over_http(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            await city(desk)
            hers = (await desk.book()).json()
            eves = (await desk.book("eve")).json()
            ids = f"/v1/bookings?ids={eves['id']},1,{hers['id']},{eves['id']}"
            assert (await get(desk, "desk", ids))["items"] == [eves, hers]
            assert await get(desk, "ada", ids) == {"items": [hers], "next": None}
            assert (await get(desk, "porter", ids))["items"] == []
            for wrong in ("", "x", "1,", "1, 2", "-1", str(2**63)):
                assert await get(desk, "desk", f"/v1/bookings?ids={wrong}") == "QUERY_INVALID"
            assert await get(desk, "desk", "/v1/bookings") == "QUERY_INVALID"

    asyncio.run(story())


def test_the_whole_story_of_a_booking_and_its_money(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            await city(desk)
            made = (await desk.book()).json()
            address, ada = f"/v1/bookings/{made['id']}", made["user_id"]
            await desk.client.post(f"{address}/confirm", headers=desk.as_("desk"))
            await write(
                database_url,
                "INSERT INTO payments (id, property_id, booking_id, user_id, status, method,"
                " amount_minor, refunded_minor, currency, created_at, changed_at)"
                f" SELECT 5, property_id, id, user_id, 'partially_refunded', 'card', 900, 300,"
                f" 'EUR', created_at, changed_at FROM bookings WHERE id = {made['id']}",
            )
            paid = {
                "id": "5",
                "status": "partially_refunded",
                "method": "card",
                "amount_minor": 900,
                "refunded_minor": 300,
                "currency": "EUR",
                "created_at": "2026-12-01T12:00:00Z",
            }
            told = await get(desk, "desk", address)
            hers = await get(desk, "ada", address)
            assert told["payments"] == [{**paid, "refunds": []}]
            assert told["invoices"] == []
            history = [(step["action"], step["actor_id"]) for step in told["history"]]
            staff = told["history"][1]["actor_id"]
            assert history == [("booking.created", ada), ("booking.confirmed", staff)]
            assert "history" not in hers
            assert {name: value for name, value in told.items() if name != "history"} == hers
            assert await get(desk, "porter", address) == "BOOKING_UNKNOWN"

            mine = await get(desk, "ada", "/v1/users/me/bookings?include_payments=true")
            assert [one["payments"] for one in mine["items"]] == [[paid]]
            assert "payments" not in (await get(desk, "ada", "/v1/users/me/bookings"))["items"][0]

            sums = {
                "status": "partially_refunded",
                "currency": "EUR",
                "payments": 1,
                "amount_minor": 900,
                "refunded_minor": 300,
            }
            for who, user in (("ada", "me"), ("ada", ada), ("desk", ada)):
                found = await get(desk, who, f"/v1/users/{user}/payments")
                assert found == {"user_id": ada, "items": [sums]}
            assert (await get(desk, "porter", f"/v1/users/{ada}/payments"))["items"] == []
            assert (await get(desk, "eve", "/v1/users/me/payments"))["items"] == []
            for who, user in (("eve", ada), ("eve", "7"), ("desk", "7"), ("desk", "x")):
                for what in ("payments", "bookings"):
                    assert await get(desk, who, f"/v1/users/{user}/{what}") == "USER_UNKNOWN"

            trace = desk.hotel.house.db.trace
            page = f"/v1/users/{ada}/bookings"
            for question, calls in ((address, 2), (f"/v1/users/{ada}/payments", 2), (page, 1)):
                trace.reset()
                await get(desk, "desk", question)
                assert trace.calls == calls, question  # who asks, and what is not in the cache

    asyncio.run(story())
