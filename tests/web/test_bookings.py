"""Booking through the API, on both databases."""

from __future__ import annotations

import asyncio

from tests.hotels import FIRST_NIGHT
from tests.web.desk import a_desk, new_key
from vacancy.bootstrap import House
from vacancy.hotel.accounts import list_keys, revoke_key
from vacancy.hotel.setup import NewProperty, create_property


def test_a_booking_is_made_read_confirmed_and_cancelled(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            made = await desk.book(rooms=[{"room_type": "double", "count": 2, "adults": 4}])
            assert made.status_code == 201
            booking = made.json()
            assert booking["status"] == "provisional"
            assert booking["rooms"] == [
                {
                    "room_type": "double",
                    "count": 2,
                    "adults": 4,
                    "nights": [
                        {"night": "2027-01-10", "price_minor": 9000},
                        {"night": "2027-01-11", "price_minor": 9000},
                    ],
                }
            ]
            assert (booking["total_minor"], booking["currency"]) == (36000, "EUR")
            address = f"/v1/bookings/{booking['id']}"
            assert made.headers["location"] == address
            assert isinstance(booking["id"], str)

            read = await desk.client.get(address, headers=desk.as_("ada"))
            assert read.json() | booking == read.json()
            for verb, status in (("confirm", "confirmed"), ("cancel", "cancelled")):
                changed = await desk.client.post(f"{address}/{verb}", headers=desk.as_("ada"))
                assert (changed.status_code, changed.json()["status"]) == (200, status)
            again = await desk.client.post(f"{address}/cancel", headers=desk.as_("ada"))
            assert again.status_code == 409
            assert again.json()["errors"][0]["from"] == "cancelled"

    asyncio.run(story())


def test_a_hold_ends_when_it_is_asked_to(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url, default_hold_s=60) as desk:
            usual = (await desk.book(path="/v1/holds")).json()
            asked = (await desk.book(path="/v1/holds", key="k2", expires_in_s=120)).json()
            assert usual["created_at"] == "2026-12-01T12:00:00Z"
            assert usual["expires_at"] == "2026-12-01T12:01:00Z"
            assert asked["expires_at"] == "2026-12-01T12:02:00Z"
            too_long = await desk.book(path="/v1/holds", key="k3", expires_in_s=10**6)
            assert too_long.status_code == 400
            assert too_long.json()["errors"][0]["field"] == "expires_in_s"

    asyncio.run(story())


def test_the_same_key_gives_the_first_answer_again(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url, capacity=1) as desk:
            first, again = await desk.book(), await desk.book()
            assert first.content == again.content
            assert (first.status_code, again.status_code) == (201, 201)
            assert "idempotent-replayed" not in first.headers
            assert again.headers["idempotent-replayed"] == "true"
            assert again.headers["location"] == first.headers["location"]

            other = await desk.book(check_out="2027-01-13")
            assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
            elsewhere = await desk.book(path="/v1/holds")
            assert elsewhere.status_code == 422

            refused = [await desk.book(key="k2") for _ in range(2)]
            assert [answer.status_code for answer in refused] == [409, 409]
            assert refused[0].json()["detail"] == refused[1].json()["detail"]
            assert refused[1].headers["idempotent-replayed"] == "true"
            # Two guests may have made the same key out of the same clock.
            assert (await desk.book("eve")).json()["code"] == "INSUFFICIENT_INVENTORY"

    asyncio.run(story())


def test_a_change_may_bear_a_key_too(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            address = (await desk.book()).headers["location"]
            headers = desk.as_("ada", "confirm it")
            answers = [
                await desk.client.post(f"{address}/confirm", headers=headers) for _ in range(2)
            ]
            assert [answer.status_code for answer in answers] == [200, 200]
            assert answers[1].headers["idempotent-replayed"] == "true"
            assert answers[0].content == answers[1].content

    asyncio.run(story())


def test_what_is_sold_out_names_each_short_night(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url, capacity=2) as desk:
            await desk.book(check_in="2027-01-11")
            wanted = [{"room_type": "double", "count": 2}]
            refused = await desk.book(key="k2", rooms=wanted)
            assert refused.status_code == 409
            assert refused.headers["content-type"] == "application/problem+json"
            problem = refused.json()
            assert problem["code"] == "INSUFFICIENT_INVENTORY"
            assert problem["errors"] == [
                {"room_type": "double", "night": "2027-01-11", "requested": 2, "available": 1}
            ]
            assert problem["request_id"] == refused.headers["x-request-id"]

    asyncio.run(story())


def test_a_guest_sees_only_what_is_theirs(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            made = await desk.book()
            address, ada = made.headers["location"], made.json()["user_id"]
            eve = desk.as_("eve")
            for answer in (
                await desk.client.get(address, headers=eve),
                await desk.client.post(f"{address}/cancel", headers=eve),
                await desk.client.post(f"{address}/confirm", headers=eve),
            ):
                assert (answer.status_code, answer.json()["code"]) == (404, "BOOKING_UNKNOWN")
            hers = await desk.client.get(f"/v1/users/{ada}/bookings", headers=eve)
            assert (hers.status_code, hers.json()["code"]) == (404, "USER_UNKNOWN")
            nobody = await desk.client.get("/v1/users/123/bookings", headers=eve)
            assert nobody.json()["detail"].replace("123", ada) == hers.json()["detail"]
            mine = await desk.client.get("/v1/users/me/bookings", headers=eve)
            assert mine.json() == {"items": [], "next": None}
            for_ada = await desk.book("eve", user_id=ada)
            assert (for_ada.status_code, for_ada.json()["code"]) == (403, "NOT_FOR_OTHERS")
            sly = await desk.book("eve", segment="corporate")
            assert (sly.status_code, sly.json()["code"]) == (403, "FIELD_NOT_ALLOWED")
            assert (await desk.client.get(address, headers=desk.as_("ada"))).status_code == 200

    asyncio.run(story())


def test_staff_book_for_others_and_see_their_own_property_only(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            ada = str(desk.hotel.guest.user_id)
            made = await desk.book("desk", user_id=ada, segment="corporate", channel="phone")
            assert made.status_code == 201
            shown = made.json()
            assert (shown["user_id"], shown["segment"], shown["channel"]) == (
                ada,
                "corporate",
                "phone",
            )
            unknown = await desk.book("desk", key="k2", user_id="123")
            assert (unknown.status_code, unknown.json()["code"]) == (404, "USER_UNKNOWN")

            other = await _another_property(desk.hotel.house)
            desk.keys["far"] = await new_key(desk.hotel.house, "far@example.org", "staff", other)
            far = desk.as_("far")
            seen = await desk.client.get(f"/v1/users/{ada}/bookings", headers=far)
            assert seen.json() == {"items": [], "next": None}
            read = await desk.client.get(made.headers["location"], headers=far)
            assert read.status_code == 404
            for_ada = await desk.book("far", user_id=ada)
            assert (for_ada.status_code, for_ada.json()["code"]) == (403, "PROPERTY_NOT_YOURS")
            near = await desk.client.get(f"/v1/users/{ada}/bookings", headers=desk.as_("desk"))
            assert [item["id"] for item in near.json()["items"]] == [shown["id"]]

    asyncio.run(story())


def test_pages_follow_their_cursor(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            for number in range(5):
                await desk.book(key=f"k{number}")
            headers, seen, cursor = desk.as_("ada"), [], ""
            while cursor is not None:
                query = f"limit=2{cursor and f'&cursor={cursor}'}"
                answer = await desk.client.get(f"/v1/users/me/bookings?{query}", headers=headers)
                page = answer.json()
                seen.append([item["id"] for item in page["items"]])
                cursor = page["next"]
            assert [len(ids) for ids in seen] == [2, 2, 1]
            flat = [one for ids in seen for one in ids]
            assert flat == sorted(set(flat), reverse=True)
            none = await desk.client.get("/v1/users/me/bookings?status=cancelled", headers=headers)
            assert none.json()["items"] == []

    asyncio.run(story())


def test_a_revoked_key_ends_with_the_next_request(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            assert (await desk.book()).status_code == 201
            db = desk.hotel.house.db
            for key in await list_keys(db):
                if key.email == "ada@example.org":
                    await revoke_key(db, key.id)
            refused = await desk.book(key="k2")
            assert (refused.status_code, refused.json()["code"]) == (401, "KEY_INVALID")
            assert refused.headers["www-authenticate"].startswith("Bearer")

    asyncio.run(story())


def test_fifty_want_one_room_and_one_gets_it(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url, capacity=1) as desk:
            answers = await asyncio.gather(*(desk.book(key=f"k{n}") for n in range(50)))
            assert sorted(answer.status_code for answer in answers) == [201] + [409] * 49
            same = await asyncio.gather(*(desk.book(key="k0") for _ in range(50)))
            assert len({answer.content for answer in same if answer.status_code == 201}) <= 1

    asyncio.run(story())


async def _another_property(house: House) -> str:
    """The code of a second property with nothing to sell."""
    wanted = NewProperty(
        code="city",
        name="City",
        currency="EUR",
        time_zone="Europe/Lisbon",
        first_night=FIRST_NIGHT,
        nights=1,
        room_types=(),
    )
    place, _ = await house.db.transact(lambda tx: create_property(tx, wanted, house.ids.next))
    return place.code
