"""Answers with an ETag: told once, kept as bytes where everybody gets the same, and never one
moment longer than they are true."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec

from tests.hotels import HandClock
from tests.web.desk import Desk, a_desk
from vacancy.web.app import ROUTES
from vacancy.web.auth import PUBLIC

STAY = "/v1/properties/alpine/availability?check_in=2027-01-11&check_out=2027-01-13"


def _statements(desk: Desk) -> int:
    return desk.hotel.house.db.trace.calls


def test_what_a_client_has_is_not_sent_again(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            get = desk.client.get
            mine = f"/v1/users/{desk.hotel.guest.user_id}/bookings"
            year = "from=2027-01-01&to=2028-01-01&property=alpine"
            asked = {
                "/v1/properties": None,
                "/v1/properties/alpine/room-types": None,
                STAY: None,
                mine: "ada",
                f"/v1/reports/kpi?{year}": "desk",
                f"/v1/reports/occupancy?{year}": "desk",
                f"/v1/reports/statistics?{year}": "desk",
            }
            for address, who in asked.items():
                headers = desk.as_(who) if who else {}
                first = await get(address, headers=headers)
                assert first.status_code == 200
                tag = first.headers["etag"]
                for known in (tag, f'"other", W/{tag}', "*"):
                    again = await get(address, headers={**headers, "if-none-match": known})
                    assert (again.status_code, again.content) == (304, b""), address
                    assert again.headers["etag"] == tag
                    assert again.headers["cache-control"] == first.headers["cache-control"]
                for unknown in ('"other"', tag.strip('"'), ""):
                    other = await get(address, headers={**headers, "if-none-match": unknown})
                    assert (other.status_code, other.content) == (200, first.content), address
                if who:
                    assert first.headers["cache-control"] == "private, no-cache"
                    assert first.headers["vary"] == "authorization"
                else:
                    assert first.headers["cache-control"] == "public, no-cache"
            before = (await get(STAY)).headers["etag"]
            pages = (await get(mine, headers=desk.as_("ada"))).headers["etag"]
            assert (await desk.book()).status_code == 201
            changed = await get(STAY, headers={"if-none-match": before})
            assert changed.status_code == 200
            assert changed.headers["etag"] != before
            own = await get(mine, headers={**desk.as_("ada"), "if-none-match": pages})
            assert (own.status_code, len(own.json()["items"])) == (200, 1)

    asyncio.run(story())


def test_a_tag_is_no_key(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            mine = f"/v1/users/{desk.hotel.guest.user_id}/bookings"
            first = await desk.client.get(mine, headers=desk.as_("ada"))
            tag = {"if-none-match": first.headers["etag"]}
            assert (await desk.client.get(mine, headers=tag)).status_code == 401
            other = await desk.client.get(mine, headers={**desk.as_("eve"), **tag})
            assert other.status_code == 404

    asyncio.run(story())


def test_a_public_answer_that_is_kept_runs_no_statement(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            first = await desk.client.get(STAY)
            before = _statements(desk)
            again = await desk.client.get(STAY)
            assert again.content == first.content
            assert _statements(desk) == before
            # Another question about the same rows asks nothing either.
            rooms = await desk.client.get(f"{STAY}&rooms=5")
            assert rooms.json()["items"][0]["total_minor"] == 90_000
            assert _statements(desk) == before

    asyncio.run(story())


def test_a_request_looks_once_however_much_it_reads(postgres_url: str) -> None:
    async def story() -> None:
        async with a_desk(postgres_url) as desk:
            cache = desk.hotel.house.cache
            assert cache is not None
            mine = f"/v1/users/{desk.hotel.guest.user_id}/bookings"
            report = "/v1/reports/kpi?from=2027-01-01&to=2028-01-01&property=alpine"
            for address, who, statements in ((mine, "ada", 1), (report, "desk", 1)):
                await desk.client.get(address, headers=desk.as_(who))
                looks, before = cache.stats().looks, _statements(desk)
                assert (await desk.client.get(address, headers=desk.as_(who))).status_code == 200
                assert cache.stats().looks - looks == 1, address
                assert _statements(desk) - before == statements, "who asks, and nothing else"
            # What may be a second old asks for nothing while the last look is young.
            looks = cache.stats().looks
            for _ in range(3):
                assert (await desk.client.get("/v1/properties")).status_code == 200
            assert cache.stats().looks - looks <= 1

    asyncio.run(story())


def test_what_is_refused_is_not_kept(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            for address in ("/v1/properties/nowhere/room-types", f"{STAY}&rooms=0"):
                for _ in range(2):
                    refused = await desk.client.get(address)
                    assert refused.status_code in (400, 404)
                    assert "etag" not in refused.headers
                    assert refused.headers["cache-control"] == "no-store"

    asyncio.run(story())


def test_at_midnight_a_stay_is_past(database_url: str) -> None:
    clock = HandClock(datetime(2027, 1, 11, 23, 59, 59, tzinfo=UTC))

    async def story() -> None:
        async with a_desk(database_url, clock=clock) as desk:
            for _ in range(2):
                today = (await desk.client.get(STAY)).json()["items"]
                assert [item["sellable"] for item in today] == [True, True]
            clock.move(timedelta(seconds=1))
            past = (await desk.client.get(STAY)).json()["items"]
            assert [item["sellable"] for item in past] == [False, False]

    asyncio.run(story())


def test_without_a_cache_the_answers_are_the_same(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            kept = await desk.client.get(STAY)
            house = desk.hotel.house
            desk.front.opened = msgspec.structs.replace(house, cache=None, reads=house.db)
            before = _statements(desk)
            for number in (1, 2):
                asked = await desk.client.get(STAY)
                assert asked.content == kept.content
                assert asked.headers["etag"] == kept.headers["etag"]
                assert _statements(desk) == before + number

    asyncio.run(story())


def test_only_questions_are_conditional() -> None:
    for route in ROUTES:
        assert not route.conditional or route.method == "GET", route.path
    public = {route.path for route in ROUTES if route.access is PUBLIC and route.conditional}
    assert public == {
        "/v1/properties",
        "/v1/properties/{code:str}/room-types",
        "/v1/properties/{code:str}/availability",
    }
