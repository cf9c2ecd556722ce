"""Everybody wants the same three nights, on PostgreSQL: admission against the best form of one
booking per transaction that we know, one prepared statement that checks, takes and writes all."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from time import perf_counter_ns
from typing import Any

import asyncpg

from benchmarks.admission import book_apart
from benchmarks.figure import Figure
from benchmarks.hotels import first_night, fresh_hotels, open_hotels
from benchmarks.stats import Summary, median_summary, summarise

COMMAND = "make bench ARGS=hot_nights"
CLIENTS = (1, 8, 64)
SECONDS = 3.0

# The same rows as admission writes. `taken` locks and takes in one go; a short night makes the
# division fail, and with it the whole statement.
ONE_BOOKING = """
WITH place AS (
    SELECT p.id AS property_id, t.id AS room_type_id, t.price_minor
    FROM properties AS p
    JOIN room_types AS t ON t.property_id = p.id
    WHERE p.code = 'hotel0' AND t.code = 'type0'
),
taken AS (
    UPDATE room_inventory AS i
    SET held = i.held + 1
    FROM place
    WHERE i.property_id = place.property_id
        AND i.room_type_id = place.room_type_id
        AND i.night >= $3 AND i.night < $4
        AND i.available >= 1
    RETURNING i.night
),
enough AS (
    SELECT 1 / (count(*) = $4 - $3)::int AS ok FROM taken
),
booked AS (
    INSERT INTO bookings (
        id, property_id, user_id, status, check_in, check_out, guest_name, guest_email,
        total_minor, segment, channel, source_ref, lead_days, created_at, changed_at, expires_at
    )
    SELECT $1, property_id, $2, 'provisional', $3, $4, 'Ada Lovelace', 'ada@example.org',
        price_minor * ($4 - $3), 'direct', 'api', '', 1, now(), now(), NULL
    FROM place, enough WHERE ok = 1
    RETURNING id
),
stayed AS (
    INSERT INTO room_stays (
        booking_id, line, property_id, room_type_id, check_in, check_out, rooms, adults,
        prices_minor
    )
    SELECT $1, 1, property_id, room_type_id, $3, $4, 1, 2, '[9000,9000,9000]'::jsonb FROM place
),
noted AS (
    INSERT INTO night_ledger (
        property_id, booking_id, room_type_id, night, held, reserved, rooms_sold,
        room_revenue_minor, at
    )
    SELECT property_id, $1, room_type_id, taken.night, 1, 0, 0, 0, now() FROM place, taken
),
counted AS (
    INSERT INTO booking_counts (
        property_id, arrival, room_type_id, status, bookings, room_nights, value_minor, stays,
        nights_sold
    )
    SELECT property_id, $3, kind, 'provisional', 1, $4 - $3, price_minor * ($4 - $3), 0, 0
    FROM place, unnest(ARRAY[0, room_type_id]) AS kind
    ON CONFLICT (property_id, arrival, room_type_id, status) DO UPDATE
    SET
        bookings = booking_counts.bookings + excluded.bookings,
        room_nights = booking_counts.room_nights + excluded.room_nights,
        value_minor = booking_counts.value_minor + excluded.value_minor
),
led AS (
    INSERT INTO lead_time_counts (property_id, month, lead_days, bookings)
    SELECT property_id, date_trunc('month', $3)::date, 1, 1 FROM place
    ON CONFLICT (property_id, month, lead_days) DO UPDATE
    SET bookings = lead_time_counts.bookings + 1
),
audited AS (
    INSERT INTO audit_entries (property_id, actor_id, action, subject_id, detail, at)
    SELECT property_id, $2, 'booking.created', $1, $6::jsonb, now() FROM place
),
told AS (
    INSERT INTO outbox_events (property_id, kind, subject_id, payload, created_at)
    SELECT property_id, 'booking.created', $1, $6::jsonb, now() FROM place
)
INSERT INTO idempotency_keys (user_id, key, request_sha256, refused, answer, created_at)
VALUES ($2, $5, repeat('0', 64), 0, $7, now())
"""
DETAIL = '{"booking":"457786471219202051","status":"provisional"}'
ANSWER = "x" * 560  # as long as the answer that admission stores


async def measure(urls: dict[str, str], rounds: int) -> list[Figure]:
    if "postgresql" not in urls:
        return []
    url = urls["postgresql"]
    await fresh_hotels(url)
    ours: list[Summary] = []
    theirs: dict[int, list[Summary]] = {clients: [] for clients in CLIENTS}
    for _ in range(rounds):
        ours += book_apart(url, 1, 64, 20_000, "--hot")
        for clients in CLIENTS:
            theirs[clients].append(await _one_by_one(url, clients))
    admission = median_summary(ours).per_s
    rates = {clients: median_summary(runs).per_s for clients, runs in theirs.items()}
    best = max(rates.values())
    listed = ", ".join(f"{rate:,.0f}/s with {clients}" for clients, rate in rates.items())
    return [
        Figure(
            what="64 clients on the same 3 nights, against one statement for each booking",
            engine="postgresql",
            measured=f"{admission / best:.1f} times ({admission:,.0f}/s; the other: {listed})",
            goal="at least 10 times",
            reached=admission >= 10 * best,
            command=COMMAND,
        )
    ]


async def _one_by_one(url: str, clients: int) -> Summary:
    night = first_night()
    check_out = night + timedelta(days=3)
    durations_ns: list[int] = []
    async with open_hotels(url) as (house, actor):
        next_id = house.ids.next

        async def client(number: int, connection: Any, until_ns: int) -> None:
            statement = await connection.prepare(ONE_BOOKING)
            count = 0
            while perf_counter_ns() < until_ns:
                count += 1
                key = f"{os.getpid()}-{number}-{until_ns}-{count}"
                started_ns = perf_counter_ns()
                await statement.fetch(
                    next_id(), actor.user_id, night, check_out, key, DETAIL, ANSWER
                )
                durations_ns.append(perf_counter_ns() - started_ns)

        connections = [await asyncpg.connect(url) for _ in range(clients)]
        started_ns = perf_counter_ns()
        until_ns = started_ns + int(SECONDS * 1e9)
        await asyncio.gather(
            *(client(number, connection, until_ns) for number, connection in enumerate(connections))
        )
        elapsed_ns = perf_counter_ns() - started_ns
        for connection in connections:
            await connection.close()
    return summarise(durations_ns, elapsed_ns)
