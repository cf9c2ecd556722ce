"""What is counted: the headline's operations and the requests that are asked most, on a hotel of a
hundred of everything."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import msgspec

from tests.counts.counted import Ask
from tests.hotels import HandClock, Hotel, a_hotel
from tests.scaled import FIRST_NIGHT, Scaled, make_scaled
from tests.web.desk import body, new_key
from vacancy.bootstrap import House
from vacancy.config import Settings
from vacancy.hotel import queries
from vacancy.hotel.admission.requests import Outcome
from vacancy.hotel.model import Booking
from vacancy.web.app import create_app
from vacancy.web.front import Front

PAGE = 20
CLIENTS = 64
_WEEK = (FIRST_NIGHT, FIRST_NIGHT + timedelta(days=2))
_YEAR = (date(2027, 1, 1), date(2028, 1, 1))


@dataclass
class Stage:
    """A house with a hotel in it, and the server's application in front of it."""

    hotel: Hotel
    scaled: Scaled
    front: Front
    key: str

    @property
    def house(self) -> House:
        return self.hotel.house


@asynccontextmanager
async def a_stage(url: str) -> AsyncIterator[Stage]:
    async with a_hotel(url, capacity=1_000_000, clock=HandClock()) as hotel:
        (scaled,) = await make_scaled(hotel.house, (100,))
        told = Settings(database_url=url, env="production", allow_unsafe_durability=True)
        front = create_app(told, opens_house=False)
        front.opened = msgspec.structs.replace(hotel.house, settings=told, guard="log")
        yield Stage(
            hotel, scaled, front, await new_key(hotel.house, "desk@example.org", "superadmin")
        )


Operation = Callable[[Stage], Ask]


def _room_types(stage: Stage) -> Ask:
    return lambda: queries.get_room_types_with_inventory(
        stage.house.db, stage.scaled.property, FIRST_NIGHT
    )


def _availability(stage: Stage) -> Ask:
    return lambda: queries.check_room_availability(
        stage.house.db, stage.scaled.property, "type-0000", *_WEEK
    )


def _user_bookings(stage: Stage) -> Ask:
    return lambda: queries.get_user_bookings_with_room_type(
        stage.house.db, stage.scaled.user_id, limit=PAGE, include_payments=True
    )


def _report(stage: Stage) -> Ask:
    async def ask() -> None:
        await queries.get_booking_statistics(stage.house.db, stage.scaled.property, *_YEAR)
        await queries.get_occupancy_rate(stage.house.db, stage.scaled.property, *_YEAR)

    return ask


def _front_desk(stage: Stage) -> Ask:
    return lambda: queries.get_bookings_for_date_range(
        stage.house.db, stage.scaled.property, *_WEEK, limit=PAGE, include_user=True
    )


def _cached_availability(stage: Stage) -> Ask:
    return lambda: queries.check_room_availability(
        stage.house.reads, stage.scaled.property, "type-0000", *_WEEK
    )


def _create_booking(stage: Stage) -> Ask:
    numbers = itertools.count()

    async def ask() -> None:
        _require_booked(
            await stage.hotel.book(stage.hotel.request(key=f"one-{next(numbers)}", nights=3))
        )

    return ask


def _create_bookings(stage: Stage) -> Ask:
    numbers = itertools.count()

    async def ask() -> None:
        outcomes = await asyncio.gather(
            *(
                stage.hotel.book(stage.hotel.request(key=f"many-{next(numbers)}", nights=3))
                for _ in range(CLIENTS)
            )
        )
        for outcome in outcomes:
            _require_booked(outcome)

    return ask


def _require_booked(outcome: Outcome) -> None:
    assert isinstance(outcome.answer, Booking), outcome.answer


def _get_availability(stage: Stage) -> Ask:
    query = f"room_type=type-0000&check_in={_WEEK[0]}&check_out={_WEEK[1]}"
    path = f"/v1/properties/{stage.scaled.property}/availability"
    return lambda: _request(stage, "GET", path, 200, query=query)


def _get_bookings(stage: Stage) -> Ask:
    path = f"/v1/users/{stage.scaled.user_id}/bookings"
    return lambda: _request(stage, "GET", path, 200, query=f"limit={PAGE}")


def _post_booking(stage: Stage) -> Ask:
    numbers = itertools.count()
    content = msgspec.json.encode(body())
    return lambda: _request(
        stage, "POST", "/v1/bookings", 201, content=content, key=f"post-{next(numbers)}"
    )


async def _request(
    stage: Stage,
    method: str,
    path: str,
    expected: int,
    *,
    query: str = "",
    content: bytes = b"",
    key: str = "",
) -> None:
    """One request as the server hands it over, without a client's own work."""
    headers = [(b"host", b"test"), (b"authorization", f"Bearer {stage.key}".encode())]
    if content:
        headers += [(b"content-type", b"application/json"), (b"idempotency-key", key.encode())]
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1234),
        "server": ("test", 80),
        "state": {},
        "extensions": {},
    }
    await stage.front(scope, receive, send)
    assert told[0]["status"] == expected, told


OPERATIONS: dict[str, Operation] = {
    "room_types": _room_types,
    "availability": _availability,
    "user_bookings": _user_bookings,
    "report": _report,
    "front_desk": _front_desk,
    "cached_availability": _cached_availability,
    "create_booking": _create_booking,
    f"create_booking_{CLIENTS}_clients": _create_bookings,
    "GET availability": _get_availability,
    "GET user bookings": _get_bookings,
    "POST booking": _post_booking,
}
