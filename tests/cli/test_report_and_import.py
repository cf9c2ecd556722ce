"""The import and the report of key figures through the command line, on both databases."""

from __future__ import annotations

import csv
import json
import os
import pty
import subprocess
from pathlib import Path

from tests.cli.commands import SCRIPT, clean_environment, vacancy
from tests.hotel_demand import SMALL

KEYS = [
    "rooms_available", "rooms_sold", "rooms_revenue_minor", "occupancy", "adr_minor",
    "revpar_minor", "alos", "lead_time_mean_days", "lead_time_median_days", "bookings",
    "cancellations", "no_shows", "cancellation_rate", "no_show_rate", "currency", "basis",
]  # fmt: skip
PERIOD = ("--from", "2015-07-01", "--to", "2017-09-01")


def test_a_file_is_imported_once_and_reported(database_url: str, empty_folder: Path) -> None:
    url = ("--database-url", database_url, "--json")
    assert vacancy("db", "migrate", *url).code == 0
    said = vacancy("import", "hotel-demand", str(SMALL), "--rejects", "refused.csv", *url)
    report = said.document
    assert said.stderr == ""
    assert report["imported"] + report["rejected"] == report["read"]
    assert report["imported"] == report["new"] > 0
    with (empty_folder / "refused.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == report["rejected"]
    again = vacancy("import", "hotel-demand", str(SMALL), *url).document
    assert (again["imported"], again["new"]) == (report["imported"], 0)
    assert vacancy("db", "verify-inventory", *url).document["ok"] is True

    kpi = vacancy("report", "kpi", "--property", "city", *PERIOD, *url).document
    assert list(kpi) == KEYS
    assert (kpi["currency"], kpi["basis"]) == ("EUR", "sellable")
    monthly = vacancy(
        "report", "kpi", "--property", "city", *PERIOD, "--by", "month", *url
    ).document
    items = monthly.pop("items")
    assert monthly == kpi
    assert [item["month"] for item in items][:2] == ["2015-07", "2015-08"]
    assert len(items) == 26
    assert set(items[0]) == {"month", *KEYS}
    for key in ("rooms_available", "rooms_sold", "rooms_revenue_minor", "bookings"):
        assert sum(item[key] for item in items) == kpi[key]
    physical = vacancy(
        "report", "kpi", "--property", "city", *PERIOD, "--basis", "physical", *url
    ).document
    assert physical["basis"] == "physical"


def test_a_bar_is_drawn_where_somebody_watches(empty_folder: Path) -> None:
    assert vacancy("db", "migrate").code == 0
    watching, terminal = pty.openpty()
    with os.fdopen(watching, "rb", buffering=0) as screen:
        done = subprocess.run(
            [str(SCRIPT), "import", "hotel-demand", str(SMALL), "--json"],
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=clean_environment(),
            timeout=60,
            check=True,
        )
        os.close(terminal)
        drawn = screen.read(65_536).decode()
    imported = json.loads(done.stdout)["imported"]
    assert drawn.endswith(f"\rImporting [{'#' * 30}] {imported} of {imported}\r\n")


def test_the_report_is_readable(empty_folder: Path) -> None:
    assert vacancy("db", "migrate").code == 0
    assert vacancy("import", "hotel-demand", str(SMALL)).code == 0
    whole = vacancy("report", "kpi", "--property", "resort", *PERIOD).stdout.splitlines()
    assert [line.split()[0] for line in whole] == KEYS
    assert len({line.index(line.split()[1], len(line.split()[0])) for line in whole}) == 1
    monthly = vacancy("report", "kpi", "--property", "resort", *PERIOD, "--by", "month")
    lines = monthly.stdout.splitlines()
    assert lines[0].startswith("month")
    assert len(lines) == 1 + 26 + 1
    assert lines[-1].startswith("total")
    assert len({len(line) for line in lines}) == 1


def test_what_cannot_be_reported_or_imported_says_why(empty_folder: Path) -> None:
    assert vacancy("db", "migrate").code == 0
    unknown = vacancy("report", "kpi", "--property", "nowhere", *PERIOD, "--json")
    assert (unknown.code, unknown.refusal["code"]) == (4, "PROPERTY_UNKNOWN")
    reversed_period = vacancy(
        "report",
        "kpi",
        "--property",
        "city",
        "--from",
        "2017-01-01",
        "--to",
        "2016-01-01",
        "--json",
    )
    assert (reversed_period.code, reversed_period.refusal["code"]) == (2, "PERIOD_INVALID")
    missing = vacancy("import", "hotel-demand", "nothing.csv", "--json")
    assert (missing.code, missing.refusal["code"]) == (4, "FILE_MISSING")
    (empty_folder / "letter.csv").write_text("Dear guest,\n")
    letter = vacancy("import", "hotel-demand", "letter.csv", "--json")
    assert (letter.code, letter.refusal["code"]) == (2, "COLUMNS_MISSING")
