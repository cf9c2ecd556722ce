"""`vacancy perf analyze-queries` against real servers, and against databases of other people."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.cli.commands import vacancy
from tests.cli.test_cache_stats import _ask_the_api, serving
from tests.cli.test_db import change
from vacancy.perf.queries.analyze import QueryReport

AVAILABILITY = "availability.get_all_room_availability"
ROUTE = "GET /v1/properties/{code}/availability"


def analyzing(url: str, folder: Path, *arguments: str) -> Any:
    """The document of the command, whatever the exit code."""
    said = vacancy("perf", "analyze-queries", *where(url, folder), "--json", *arguments)
    return json.loads(said.stdout) if said.stdout else said.refusal


def where(url: str, folder: Path) -> tuple[str, ...]:
    return ("--database-url", url, "--data-dir", str(folder / "data"))


def test_all_workers_are_asked_and_every_statement_is_judged(
    database_url: str, tmp_path: Path
) -> None:
    settings = {"VACANCY_CACHE": "false", "VACANCY_SLOW_MS": "0.001"}
    with serving(database_url, tmp_path, 2, **settings) as server:
        _ask_the_api(server, 20)
        booked = httpx.post(
            f"{server.address}/v1/bookings", json=server.booking(), headers=server.headers("k1")
        )
        assert booked.status_code == 201, booked.text
        document = analyzing(database_url, tmp_path)
        assert [worker["answered"] for worker in document["workers"]] == [True, True]
        found = {one["name"]: one for one in document["statements"]}
        asked = found[AVAILABILITY]
        assert list(asked) == list(QueryReport.__struct_fields__)
        # Without a cache every request is one run, whichever worker took it.
        assert (asked["calls"], asked["errors"], asked["rows_per_call"]) == (20, 0, 1.0)
        assert asked["mean_us"] == pytest.approx(asked["total_ms"] * 1_000 / 20, abs=0.1)
        assert asked["p95_us"] > 0
        assert asked["contract"] == "holds"
        assert "room_inventory by pk_room_inventory (property_id, room_type_id" in asked["plan"]
        assert sum(one["share_percent"] for one in found.values()) == pytest.approx(100, abs=2.5)
        totals = [one["total_ms"] for one in document["statements"]]
        assert totals == sorted(totals, reverse=True)
        assert {one["contract"] for one in found.values()} == {"holds"}
        assert document["ok"] is True
        routes = {route["route"]: route for route in document["routes"]}
        assert routes[ROUTE]["requests"] == routes[ROUTE]["statements"] == 20
        assert (routes[ROUTE]["budget"], routes[ROUTE]["over_budget"]) == (3, 0)
        assert routes[ROUTE]["statements_most"] == 1

        shown = vacancy("perf", "analyze-queries", *where(database_url, tmp_path), "--top", "2")
        assert shown.code == 0, shown.stderr
        assert document["statements"][0]["name"] in shown.stdout
        assert document["statements"][-1]["name"] not in shown.stdout
        assert "nothing to change" in shown.stdout
        assert ROUTE in shown.stdout

        figures = vacancy(
            "perf", "analyze-queries", *where(database_url, tmp_path), "--explain", AVAILABILITY
        )
        assert figures.code == 0, figures.stderr
        assert "FROM properties AS p" in figures.stdout
        assert "room_inventory: pk_room_inventory (property_id, room_type_id, night)" in (
            figures.stdout
        )
        assert any(line.split() == ["calls", "20"] for line in figures.stdout.splitlines())
        unknown = analyzing(database_url, tmp_path, "--explain", "bookings.no_such")
        assert unknown["code"] == "STATEMENT_UNKNOWN"
        log = server.log.read_text()
    slow = [json.loads(line) for line in log.splitlines() if '"vacancy.slow"' in line]
    of_requests = [line for line in slow if line["statement"] == AVAILABILITY]
    assert len(of_requests) == 20
    assert len({line["request_id"] for line in of_requests}) == 20
    assert of_requests[0]["parameters"].startswith("property=text(6), ")
    assert all(line["level"] == "warning" and line["duration_ms"] > 0 for line in slow)
    assert "Lovelace" not in log
    assert "alpine" not in json.dumps(slow)


def test_a_contract_that_does_not_hold_ends_with_1(database_url: str, tmp_path: Path) -> None:
    with serving(database_url, tmp_path):
        assert analyzing(database_url, tmp_path)["ok"] is True
        change(database_url, "DROP INDEX ix_bookings_due")
        said = vacancy("perf", "analyze-queries", *where(database_url, tmp_path))
        assert said.code == 1
        assert "its contract does not hold: bookings has no valid index ix_bookings_due" in (
            said.stdout
        )
        document = analyzing(database_url, tmp_path)
    broken = [one["name"] for one in document["statements"] if not one["ok"]]
    assert broken == ["upkeep.list_due"]


def test_without_a_server_a_statement_can_be_explained(database_url: str, tmp_path: Path) -> None:
    assert vacancy("db", "migrate", *where(database_url, tmp_path)).code == 0
    document = analyzing(database_url, tmp_path, "--explain", "catalogue.get_property")
    assert document["contract"] == "holds"
    assert document["plan"].startswith("properties by uq_properties_code (code)")
    assert document["plan_text"]
    assert document["figures"] == []
    assert analyzing(database_url, tmp_path)["code"] == "SERVER_NOT_RUNNING"


def test_sqlite_keeps_no_record_of_its_own(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'vacancy.db'}"
    assert vacancy("db", "migrate", *where(url, tmp_path)).code == 0
    refused = analyzing(url, tmp_path, "--database", url)
    assert refused["code"] == "STATEMENTS_NOT_RECORDED"
    assert "CREATE EXTENSION" in refused["hint"]


# -- pg_stat_statements


SHOP = """
    CREATE SCHEMA shop;
    CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer text, total integer);
    CREATE TABLE shop.kinds (code text);
    INSERT INTO shop.orders SELECT n, 'c' || n, n FROM generate_series(1, 20000) AS n;
    ANALYZE shop.orders;
    CREATE SCHEMA apart;
    CREATE EXTENSION pg_stat_statements SCHEMA apart;
"""
BY_CUSTOMER = "SELECT total FROM shop.orders WHERE customer = $1"
BY_ID = "SELECT total, customer FROM shop.orders WHERE id = $1"
KINDS = "SELECT code FROM shop.kinds"


async def _shop(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(SHOP)
    for number in range(25):
        await connection.fetch(BY_CUSTOMER, f"c{number}")
        await connection.fetch(BY_ID, number)
        await connection.fetch(KINDS)
    await connection.execute("SELECT count(*) FROM shop.orders WHERE total > 19990")
    await connection.close()


def test_any_postgresql_with_pg_stat_statements(postgres_url: str, tmp_path: Path) -> None:
    refused = analyzing(postgres_url, tmp_path, "--database", postgres_url)
    assert refused["code"] == "STATEMENTS_NOT_RECORDED"
    asyncio.run(_shop(postgres_url))
    said = vacancy("perf", "analyze-queries", "--json", "--database", postgres_url)
    assert said.code == 0, said.stderr
    document = json.loads(said.stdout)
    assert (document["workers"], document["routes"]) == ([], [])
    found = {one["name"]: one for one in document["statements"]}
    scanned, sought, kinds = found[BY_CUSTOMER], found[BY_ID], found[KINDS]
    assert (scanned["calls"], scanned["p95_us"], scanned["contract"]) == (25, None, "none")
    assert scanned["source"] == "pg_stat_statements"
    assert scanned["plan"] == "reads all of orders"
    assert scanned["finding"] == "reads all of orders: give an index to what it compares"
    assert sought["plan"] == "orders by orders_pkey ((id = $1))"
    assert sought["finding"] == kinds["finding"] == "nothing to change"
    # The value of what was sent as text is cut out by PostgreSQL, and is in nothing of ours.
    assert "19990" not in said.stdout
    number = str(scanned["query_id"])
    told = vacancy("perf", "analyze-queries", "--explain", number, "--database", postgres_url)
    assert told.code == 0, told.stderr
    assert BY_CUSTOMER in told.stdout
    assert "Seq Scan on orders filter (customer = $1)" in told.stdout


def test_what_postgresql_has_counted_bears_our_names(postgres_url: str, tmp_path: Path) -> None:
    with serving(postgres_url, tmp_path, VACANCY_CACHE="false") as server:
        change(postgres_url, "CREATE EXTENSION pg_stat_statements")
        change(
            postgres_url,
            "SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database"
            " WHERE datname = current_database()",
        )
        _ask_the_api(server, 5)
        booked = httpx.post(
            f"{server.address}/v1/bookings", json=server.booking(), headers=server.headers("k1")
        )
        assert booked.status_code == 201, booked.text
        document = analyzing(postgres_url, tmp_path)
    both = {one["source"]: one for one in document["statements"] if one["name"] == AVAILABILITY}
    assert {source: one["calls"] for source, one in both.items()} == {
        "server": 5,
        "pg_stat_statements": 5,
    }
    assert both["server"]["p95_us"] is not None
    assert both["pg_stat_statements"]["contract"] == "holds"
    together = [one["name"] for one in document["statements"] if ", " in one["name"]]
    assert any(name.startswith("admission.update_nights, ") for name in together)
    for source in both:
        shares = [one["share_percent"] for one in document["statements"] if one["source"] == source]
        assert sum(shares) == pytest.approx(100, abs=2.5)
    # The server has stopped; PostgreSQL still knows.
    assert {one["source"] for one in analyzing(postgres_url, tmp_path)["statements"]} == {
        "pg_stat_statements"
    }
