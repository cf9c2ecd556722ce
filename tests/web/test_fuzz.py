"""Whatever is sent, the answer is never a fault of ours."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.desk import Desk, a_desk, body
from vacancy.web.app import ROUTES

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
ROOMS = st.lists(
    st.fixed_dictionaries(
        {"room_type": st.sampled_from(["double", "x\0"]) | PLAIN, "count": PLAIN}
    ),
    max_size=3,
)
DATES = st.dates().map(str) | st.text(max_size=12)


@st.composite
def nearly_good(draw: st.DrawFn) -> Any:
    """A good body with a few fields made strange: it gets further in than noise does."""
    made = body()
    for name in draw(
        st.sets(st.sampled_from([*made, "user_id", "expires_in_s", "odd"]), max_size=3)
    ):
        made[name] = draw(
            {"rooms": ROOMS, "check_in": DATES, "check_out": DATES}.get(name, JSON) | JSON
        )
    return made


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


BODIES = st.binary(max_size=200) | JSON.map(_encoded) | nearly_good().map(_encoded)
POSTS = [route.path.replace("{booking_id:str}", "1") for route in ROUTES if route.method == "POST"]


def test_any_body_to_any_post(database_url: str) -> None:
    async def story() -> None:
        async with a_desk(database_url) as desk:
            await asyncio.to_thread(_try_many, desk, asyncio.get_running_loop())

    asyncio.run(story())


def _try_many(desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(path=st.sampled_from(POSTS), content=BODIES)
    def never_ours(path: str, content: bytes) -> None:
        headers = {**desk.as_("ada", "fuzz"), "Content-Type": "application/json"}
        answer = asyncio.run_coroutine_threadsafe(
            desk.client.post(path, content=content, headers=headers), loop
        ).result(30)
        assert answer.status_code in {200, 201, 400, 403, 404, 409, 413, 422}, answer.text
        if answer.status_code >= 400:
            problem = answer.json()
            assert problem["code"]
            assert problem["status"] == answer.status_code

    never_ours()


def test_any_address_and_query(tmp_path: Path) -> None:
    async def story() -> None:
        async with a_desk(f"sqlite:///{tmp_path / 'vacancy.db'}") as desk:
            await asyncio.to_thread(_ask_many, desk, asyncio.get_running_loop())

    asyncio.run(story())


def _ask_many(desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
    names = st.sampled_from(["check_in", "rooms", "room_type", "limit", "cursor", "status", "x"])
    values = st.text(max_size=20) | st.integers().map(str) | st.dates().map(str)

    @settings(max_examples=150, deadline=None, database=None)
    @given(
        part=st.text(max_size=30),
        query=st.lists(st.tuples(names, values), max_size=4),
        raw=st.binary(max_size=30),
    )
    def never_ours(part: str, query: list[tuple[str, str]], raw: bytes) -> None:
        for path, given_query in (
            (f"/v1/properties/{part}/availability", query),
            ("/v1/properties/alpine/availability", query),
            ("/v1/users/me/bookings", query),
            (f"/v1/users/{part}/bookings", []),
            (f"/v1/bookings/{part}", []),
            (f"/{part}", []),
        ):
            answer = asyncio.run_coroutine_threadsafe(
                _get(desk, path, given_query, raw), loop
            ).result(30)
            assert answer < 500, (path, given_query, raw)

    never_ours()


async def _get(desk: Desk, path: str, query: list[tuple[str, str]], raw: bytes) -> int:
    """Past the client, which would mend what is broken: the path and the query as they are."""
    status = 0

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    pairs = "&".join(f"{name}={value}" for name, value in query).encode("utf-8", "surrogatepass")
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "root_path": "",
        "query_string": pairs or raw,
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in desk.as_("ada").items()
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await desk.front(scope, receive, send)
    return status
