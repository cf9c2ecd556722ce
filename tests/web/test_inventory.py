"""Inventory, occupancy and many checks at once over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.web.desk import Desk, a_desk, new_key
from tests.web.test_bookings import _another_property

CHECK = {
    "property": "alpine",
    "room_type": "double",
    "check_in": "2027-01-10",
    "check_out": "2027-01-12",
}


async def _refused(desk: Desk, address: str, who: str = "desk") -> tuple[int, str]:
    answer = await desk.client.get(address, headers=desk.as_(who))
    return answer.status_code, answer.json()["code"]


def test_staff_see_a_night_of_all_room_types(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            booking = (await desk.book()).json()["id"]
            await desk.client.post(f"/v1/bookings/{booking}/confirm", headers=desk.as_("ada"))
            answer = await desk.client.get(
                "/v1/properties/alpine/inventory?night=2027-01-11", headers=desk.as_("desk")
            )
            assert answer.status_code == 200
            document = answer.json()
            assert (document["property"], document["night"]) == ("alpine", "2027-01-11")
            assert [item["room_type"] for item in document["items"]] == ["double", "single"]
            assert document["items"][0] == {
                "room_type": "double",
                "name": "Double",
                "price_minor": 9000,
                "currency": "EUR",
                "capacity": 5,
                "out_of_order": 0,
                "sell_limit": 0,
                "reserved": 1,
                "held": 0,
                "available": 4,
                "rooms_sold": 1,
                "room_revenue_minor": 9000,
            }
            long_ago = await desk.client.get(
                "/v1/properties/alpine/inventory?night=1999-12-31", headers=desk.as_("desk")
            )
            assert [item["available"] for item in long_ago.json()["items"]] == [0, 0]

    asyncio.run(story())


def test_staff_see_the_nights_of_a_room_type(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            await desk.book()
            address = "/v1/properties/alpine/room-types/double/inventory"
            answer = await desk.client.get(
                f"{address}?from=2026-12-30&to=2027-01-12", headers=desk.as_("desk")
            )
            assert answer.status_code == 200
            document = answer.json()
            assert (document["from"], document["to"]) == ("2026-12-30", "2027-01-12")
            assert (document["room_type"], document["max_adults"]) == ("double", 2)
            nights = {night["night"]: night for night in document["nights"]}
            assert (min(nights), max(nights), len(nights)) == ("2027-01-01", "2027-01-11", 11)
            assert (nights["2027-01-09"]["available"], nights["2027-01-10"]["available"]) == (5, 4)
            period = "from=2027-01-01&to=2027-01-02"
            for path, refusal in (
                (f"{address}?from=2027-01-01&to=2027-01-01", (400, "PERIOD_INVALID")),
                (f"{address}?from=2027-01-01&to=2028-01-03", (400, "PERIOD_TOO_LONG")),
                (f"{address}?from=2027-01-01", (400, "QUERY_INVALID")),
                (f"{address.replace('double', 'suite')}?{period}", (404, "ROOM_TYPE_UNKNOWN")),
                (f"{address.replace('double', 'x%00')}?{period}", (404, "ROOM_TYPE_UNKNOWN")),
                (f"{address.replace('double', 'x' * 99)}?{period}", (404, "ROOM_TYPE_UNKNOWN")),
                (f"{address.replace('alpine', 'nowhere')}?{period}", (404, "PROPERTY_UNKNOWN")),
            ):
                assert await _refused(desk, path) == refusal, path

    asyncio.run(story())


def test_staff_see_how_full_the_house_is(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            booking = (await desk.book()).json()["id"]
            await desk.client.post(f"/v1/bookings/{booking}/confirm", headers=desk.as_("ada"))
            period = "property=alpine&from=2027-01-10&to=2027-01-12"
            answer = await desk.client.get(
                f"/v1/reports/occupancy?{period}&room_type=double", headers=desk.as_("desk")
            )
            assert answer.json() == {
                "property": "alpine",
                "room_type": "double",
                "from": "2027-01-10",
                "to": "2027-01-12",
                "capacity": 10,
                "out_of_order": 0,
                "rooms_available": 10,
                "reserved": 2,
                "rooms_sold": 2,
                "rooms_revenue_minor": 18000,
                "occupancy": 0.2,
                "currency": "EUR",
                "basis": "sellable",
            }
            whole = await desk.client.get(
                f"/v1/reports/occupancy?{period}&basis=physical", headers=desk.as_("desk")
            )
            assert (whole.json()["capacity"], whole.json()["room_type"]) == (30, None)
            assert whole.json()["occupancy"] == 0.066667
            kpi = await desk.client.get(f"/v1/reports/kpi?{period}", headers=desk.as_("desk"))
            assert kpi.json()["occupancy"] == whole.json()["occupancy"]
            counted = await desk.client.get(
                f"/v1/reports/statistics?{period}&room_type=double", headers=desk.as_("desk")
            )
            assert counted.json() == {
                "property": "alpine",
                "room_type": "double",
                "from": "2027-01-10",
                "to": "2027-01-12",
                "bookings": 1,
                "sold_bookings": 1,
                "room_nights": 2,
                "revenue_minor": 18000,
                "mean_value_minor": 18000,
                "currency": "EUR",
                "by_status": [
                    {
                        "status": "confirmed",
                        "bookings": 1,
                        "room_nights": 2,
                        "value_minor": 18000,
                    }
                ],
            }
            assert await _refused(desk, f"/v1/reports/statistics?{period}&room_type=suite") == (
                404,
                "ROOM_TYPE_UNKNOWN",
            )
            assert await _refused(desk, f"/v1/reports/occupancy?{period}&room_type=suite") == (
                404,
                "ROOM_TYPE_UNKNOWN",
            )

    asyncio.run(story())


def test_a_key_of_another_property_and_a_guest_see_none_of_it(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            house = desk.hotel.house
            desk.keys["own"] = await new_key(house, "own@example.org", "staff", "alpine")
            period = "from=2027-01-10&to=2027-01-12"
            addresses = [
                "/v1/properties/{}/inventory?night=2027-01-10",
                f"/v1/properties/{{}}/room-types/double/inventory?{period}",
                f"/v1/reports/occupancy?property={{}}&{period}",
            ]
            for address in addresses:
                mine = address.format("alpine")
                answer = await desk.client.get(mine, headers=desk.as_("own"))
                assert answer.status_code == 200
                assert await _refused(desk, mine, "ada") == (403, "ROLE_NOT_ALLOWED")
                assert (await desk.client.get(mine)).status_code == 401
            other = await _another_property(house)
            for address in addresses:
                theirs = address.format(other)
                assert await _refused(desk, theirs, "own") == (403, "PROPERTY_NOT_YOURS")
                nowhere = address.format("nowhere")
                assert await _refused(desk, nowhere, "own") == (404, "PROPERTY_UNKNOWN")

    asyncio.run(story())


def test_many_checks_at_once(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:

            async def ask(checks: Any) -> Any:
                return await desk.client.post("/v1/availability", json={"checks": checks})

            await desk.book()
            wanted = [CHECK, {**CHECK, "rooms": 5}, {**CHECK, "room_type": "suite"}]
            wanted += [{**CHECK, "property": "no\0where"}, {**CHECK, "check_out": "2027-01-10"}]
            answer = await ask(wanted)
            assert answer.status_code == 200
            first, second, *others = answer.json()["items"]
            assert first == {
                "property": "alpine",
                "room_type": "double",
                "available": 4,
                "sellable": True,
                "total_minor": 18000,
                "currency": "EUR",
                "refused": None,
            }
            assert (second["sellable"], second["total_minor"]) == (False, 90000)
            codes = ["ROOM_TYPE_UNKNOWN", "PROPERTY_UNKNOWN", "STAY_INVALID"]
            assert [item["refused"]["code"] for item in others] == codes
            assert [item["total_minor"] for item in others] == [None] * 3

            assert (await ask([])).json() == {"items": []}
            assert len((await ask([CHECK] * 500)).json()["items"]) == 500
            too_many = await ask([CHECK] * 501)
            assert (too_many.status_code, too_many.json()["code"]) == (400, "TOO_MANY_CHECKS")
            odd = await ask([CHECK, {**CHECK, "adults": 2}])
            assert (odd.status_code, odd.json()["code"]) == (400, "BODY_INVALID")
            assert odd.json()["errors"][0]["field"] == "checks[1].adults"

    asyncio.run(story())
