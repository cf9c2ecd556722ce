"""The README's example runs as it stands there."""

from __future__ import annotations

import asyncio
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.hotels import a_hotel
from vacancy.hotel.booking import booking_of

README = Path(__file__).parents[2] / "README.md"


def test_the_example_prints_a_users_confirmed_bookings(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (example,) = (block for block in blocks if "open_house" in block)
    monkeypatch.setenv("VACANCY_DATABASE_URL", database_url)
    names: dict[str, Any] = {}
    exec(f"async def example(user_id):\n{textwrap.indent(example, '    ')}", names)  # noqa: S102

    async def story() -> str:
        async with a_hotel(database_url) as hotel:
            booking = booking_of(await hotel.book(hotel.request(nights=2)))
            await hotel.change("confirm", booking.id)
            await hotel.book(hotel.request())
            await names["example"](hotel.guest.user_id)
            return booking.id

    booking_id = asyncio.run(story())
    assert capsys.readouterr().out == f"{booking_id} 2027-01-01 ['double'] 18000\n"
