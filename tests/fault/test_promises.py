"""The check itself: whatever is changed behind admission's back, it says so."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from tests.fault.promises import broken_promises
from tests.hotels import a_hotel
from vacancy.hotel.booking import booking_of

FIRST = "(SELECT min(id) FROM bookings)"


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE room_inventory SET held = held + 1 WHERE night = '2027-01-01'",
        "UPDATE room_inventory SET reserved = reserved + 1 WHERE night = '2027-01-01'",
        "UPDATE room_inventory SET room_revenue_minor = 1 WHERE night = '2027-02-01'",
        "UPDATE night_ledger SET reserved = reserved + 1 WHERE entry = 1",
        "DELETE FROM night_ledger WHERE entry = 1",
        "INSERT INTO night_ledger SELECT 1000, property_id, booking_id, room_type_id,"
        " '2031-01-01', 1, 0, 0, 0, at FROM night_ledger WHERE entry = 1",
        f"DELETE FROM room_stays WHERE booking_id = {FIRST}",
        f"UPDATE room_stays SET prices_minor = '[1,2]' WHERE booking_id = {FIRST}",
        f"UPDATE room_stays SET rooms = 2 WHERE booking_id = {FIRST}",
        f"DELETE FROM bookings WHERE id = {FIRST}",
        f"UPDATE bookings SET status = 'confirmed' WHERE id = {FIRST}",
        f"UPDATE bookings SET status = 'cancelled' WHERE id = {FIRST}",
        f"UPDATE bookings SET total_minor = 1 WHERE id = {FIRST}",
        f"UPDATE bookings SET lead_days = 1 WHERE id = {FIRST}",
        "DELETE FROM audit_entries WHERE entry = 1",
        "DELETE FROM audit_entries; DELETE FROM outbox_events",
        "DELETE FROM outbox_events WHERE entry = 3",
        "INSERT INTO outbox_events SELECT 1000, property_id, kind, subject_id, payload,"
        " created_at FROM outbox_events WHERE entry = 1",
        "UPDATE booking_counts SET bookings = bookings + 1",
        "UPDATE booking_counts SET stays = stays + 1 WHERE room_type_id = 0",
        "DELETE FROM booking_counts",
        "DELETE FROM lead_time_counts",
        "UPDATE booking_counts SET value_minor = value_minor + 1 WHERE room_type_id <> 0",
        "DELETE FROM booking_counts WHERE room_type_id = 0",
        "DELETE FROM idempotency_keys WHERE entry = 1",
        "INSERT INTO idempotency_keys SELECT 1000, user_id, 'again', request_sha256, refused,"
        " answer, created_at FROM idempotency_keys WHERE entry = 1",
        "UPDATE idempotency_keys SET answer = json_set(answer, '$.id', '17') WHERE entry = 1",
    ],
)
def test_harm_is_seen(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "vacancy.db"

    async def story() -> None:
        async with a_hotel(f"sqlite:///{path}", nights=40) as hotel:
            db = hotel.house.db
            booking_of(await hotel.book(hotel.request(nights=3, key="kept")))
            confirmed = booking_of(await hotel.book(hotel.request(nights=2, key="confirmed")))
            booking_of(await hotel.change("confirm", confirmed.id))
            hold = hotel.request(nights=2, key="held", hold_for=timedelta(minutes=5))
            booking_of(await hotel.change("cancel", booking_of(await hotel.book(hold)).id))
            assert await broken_promises(db, every_booking_has_a_key=True) == []

            with closing(apsw.Connection(str(path))) as connection:
                connection.execute("PRAGMA foreign_keys = OFF")
                connection.execute(harm)
            assert await broken_promises(db, every_booking_has_a_key=True) != []

    asyncio.run(story())
