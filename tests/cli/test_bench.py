"""`vacancy perf bench` whole: what it measures, what it leaves behind, its page in a browser."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.cli.commands import SCRIPT, clean_environment, vacancy
from tests.cli.test_db import change
from tests.servers import postgres_programs
from vacancy.bootstrap import open_database
from vacancy.config import Settings
from vacancy.db import gate
from vacancy.db.connect import engine_of, sqlite_path
from vacancy.perf.bench import copies

READS = ("room_types", "availability", "user_bookings", "report")
BOOKINGS = ("create_booking", "create_booking_64_clients")
QUICK = ("--seconds", "0", "--json")


def bench(*options: str) -> Any:
    return vacancy("perf", "bench", *QUICK, *options).document


def generated(url: str, bookings: int = 300) -> tuple[str, ...]:
    options = ("--database-url", url)
    assert vacancy("db", "migrate", *options).code == 0
    size = ("--properties", "2", "--bookings", str(bookings), "--seed", "7")
    assert vacancy("db", "generate", *size, *options).code == 0
    return options


def left_behind(url: str, temporary: Path) -> list[str]:
    """Databases of a bench that are still there."""
    prefix = copies._PREFIX
    if engine_of(url) == "sqlite":
        return [path.name for path in temporary.iterdir() if path.name.startswith(prefix)]

    return [name for name in databases(url) if name.startswith(prefix)]


def databases(url: str) -> list[str]:
    """Of the server; none where there is no server."""

    async def names() -> list[str]:
        connection = await asyncpg.connect(url)
        try:
            found = await connection.fetch("SELECT datname FROM pg_database")
        finally:
            await connection.close()
        return [str(name) for (name,) in found]

    return [] if engine_of(url) == "sqlite" else asyncio.run(names())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'vacancy.db'}"


@pytest.fixture(autouse=True)
def _introduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """For one test: no other one may find the statements of the side before."""
    monkeypatch.setattr(gate, "_registered", dict(gate._registered))


@pytest.fixture(autouse=True)
def _client_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump of the server's own version, in front of whatever the machine has."""
    monkeypatch.setenv("PATH", f"{postgres_programs()}{os.pathsep}{os.environ['PATH']}")


def bookings_in(url: str) -> list[tuple[int, int]]:
    """How many there are, and the last of them."""

    async def asked() -> Any:
        async with open_database(Settings(database_url=url)) as db:
            return await db.adhoc("SELECT COUNT(*), MAX(id) FROM bookings", limit=1)

    return [tuple(row) for row in asyncio.run(asked())]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker: str) -> Path:
    """Where this process puts temporary files. Its databases have a prefix of their own: other
    tests may be measuring on the same server."""
    monkeypatch.setattr("vacancy.perf.bench.copies._PREFIX", f"vacancy_bench_{worker}_")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_all_sides_of_all_operations_are_measured(database_url: str, temporary: Path) -> None:
    document = bench("--bookings", "400", "--database-url", database_url)
    assert (document["engine"], document["bookings"]) == (engine_of(database_url), 400)
    assert document["noise"] >= 1
    found = {one["name"]: one for one in document["operations"]}
    assert tuple(found) == READS + BOOKINGS
    for one in document["operations"]:
        for side in filter(None, (one["before"], one["after"], one["cached"])):
            assert 0 < side["p50_us"] <= side["p95_us"] <= side["p99_us"]
        saved = 1 - one["after"]["p50_us"] / one["before"]["p50_us"]
        assert one["improvement_percent"] == pytest.approx(100 * saved, abs=0.001)
    # The statements are what the helpers promise, and what the loops of the other side need.
    counts = {
        name: [found[name][side]["statements"] for side in ("before", "after")] for name in READS
    }
    assert {name: after for name, (_, after) in counts.items()} == {
        "room_types": 1,
        "availability": 1,
        "user_bookings": 1,
        "report": 2,
    }
    assert all(before > after for name, (before, after) in counts.items() if name != "report")
    for name in ("availability", "report"):
        assert (found[name]["cached"]["statements"], found[name]["cached"]["rows"]) == (0, 0)
    assert left_behind(database_url, temporary) == []


def test_the_configured_database_is_copied_and_stays_as_it_is(
    database_url: str, temporary: Path
) -> None:
    options = generated(database_url)
    before = bookings_in(database_url)
    document = bench(*options)
    assert document["bookings"] == 300
    assert bookings_in(database_url) == before
    assert vacancy("perf", "check-indexes", *options).code == 0  # its indexes stand
    assert left_behind(database_url, temporary) == []


def test_without_pg_dump_a_copy_is_refused_and_nothing_is_left(
    postgres_url: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = generated(postgres_url)
    monkeypatch.setenv("PATH", str(temporary))
    said = vacancy("perf", "bench", *QUICK, *options)
    assert (said.code, said.refusal["code"]) == (75, "BENCH_COPY_FAILED")
    assert "pg_dump" in said.refusal["detail"]
    assert left_behind(postgres_url, temporary) == []


def test_a_database_without_bookings_is_refused(database_url: str, temporary: Path) -> None:
    options = ("--database-url", database_url)
    assert vacancy("db", "migrate", *options).code == 0
    said = vacancy("perf", "bench", *QUICK, *options)
    assert (said.code, said.refusal["code"]) == (4, "BENCH_NOTHING_TO_ASK")
    assert left_behind(database_url, temporary) == []


def test_an_engine_that_is_not_configured_is_made_or_refused(sqlite_url: str) -> None:
    options = ("--engine", "postgresql", "--bookings", "200", "--database-url", sqlite_url)
    said = vacancy("perf", "bench", *QUICK, *options)
    assert (said.code, said.refusal["code"]) == (3, "BENCH_ENGINE_ELSEWHERE")


def test_a_role_that_may_not_create_databases_is_told_so(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    role = f"bench_guest_{os.getpid()}"
    change(postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD 'guest'")
    try:
        place = parts.netloc.rpartition("@")[2]
        url = parts._replace(netloc=f"{role}:guest@{place}").geturl()
        said = vacancy("perf", "bench", *QUICK, "--bookings", "200", "--database-url", url)
        assert (said.code, said.refusal["code"]) == (75, "BENCH_NOT_ALLOWED")
    finally:
        change(postgres_url, f"DROP ROLE {role}")


def test_what_has_become_worse_is_told_and_ends_with_1(sqlite_url: str, tmp_path: Path) -> None:
    options = generated(sqlite_url)
    earlier = bench(*options)
    file = tmp_path / "earlier.json"
    earlier["noise"] = 1_000.0  # of times nothing is to be said here
    file.write_text(json.dumps(earlier))
    said = vacancy("perf", "bench", "--seconds", "0", *options, "--compare", str(file))
    assert said.code == 0, said.stderr
    assert said.stdout.splitlines()[-1] == "Nothing is slower."
    for one in earlier["operations"]:
        if one["name"] == "user_bookings":
            one["after"]["rows"] -= 1
    file.write_text(json.dumps(earlier))
    said = vacancy("perf", "bench", "--seconds", "0", *options, "--compare", str(file))
    assert said.code == 1
    assert said.stdout.splitlines()[-1] == "1 figures are worse than they were."
    assert "user_bookings, after: rows was" in said.stderr.splitlines()[-1]


def test_what_is_to_be_compared_is_looked_at_first(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "earlier.json"
    file.write_text("{}")
    said = vacancy("perf", "bench", *QUICK, "--database-url", sqlite_url, "--compare", str(file))
    assert (said.code, said.refusal["code"]) == (2, "BENCH_FILE_UNREADABLE")
    assert not sqlite_path(sqlite_url).exists()


def test_a_page_for_a_folder_that_is_not_there_is_refused_first(sqlite_url: str) -> None:
    options = ("--database-url", sqlite_url, "--html", "nowhere/bench.html")
    said = vacancy("perf", "bench", *QUICK, *options)
    assert (said.code, said.refusal["code"]) == (2, "COMMAND_INVALID")
    assert not sqlite_path(sqlite_url).exists()


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "61"])
def test_seconds_that_are_none_are_refused(seconds: str, sqlite_url: str) -> None:
    said = vacancy("perf", "bench", "--seconds", seconds, "--json", "--database-url", sqlite_url)
    assert (said.code, said.refusal["code"]) == (2, "COMMAND_INVALID")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_it_takes_away_what_it_has_made(
    number: signal.Signals, database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    process = subprocess.Popen(
        [
            *(str(SCRIPT), "perf", "bench", "--bookings", "300", "--seconds", "30"),
            *("--database-url", database_url),
        ],
        env=clean_environment(TMPDIR=str(folder)), cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        # What nohup has started would have it ignored, as the command rightly does then.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("measuring"):
            break
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert list(folder.iterdir()) == []
    made = f"vacancy_bench_{process.pid}_"
    assert [name for name in databases(database_url) if name.startswith(made)] == []


def test_no_password_stands_on_a_command_line() -> None:
    for url, bare, password in (
        ("postgresql://ann:s%40x@h:5/db", "postgresql://ann@h:5/db", "s@x"),
        ("postgresql://h/db?user=a&password=x%26y", "postgresql://h/db?user=a", "x&y"),
        ("postgresql://ann@h/db", "postgresql://ann@h/db", None),
        ("postgresql:///db?host=%2Ftmp", "postgresql:///db?host=%2Ftmp", None),
    ):
        assert copies._without_password(url) == (bare, password)


def opened(page: Path, folder: Path) -> tuple[str, list[str]]:
    """The page as a browser has built it, and what it had to complain of."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not on PATH: the page is not opened in a browser here")
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            f"--user-data-dir={folder}", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    told = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, told


def test_the_page_opens_without_a_complaint(sqlite_url: str, tmp_path: Path) -> None:
    page = tmp_path / "bench.html"
    options = ("--bookings", "200", "--database-url", sqlite_url, "--html", str(page))
    document = bench(*options)
    built, complaints = opened(page, tmp_path / "profile")
    assert complaints == []
    assert built.count("<article>") == len(document["operations"])
    assert "Before and after: 200 bookings on SQLite" in built
    assert document["machine"]["measured_at"] in built
    broken = tmp_path / "broken.html"
    broken.write_text(page.read_text() + "<script>throw new Error('here')</script>")
    assert len(opened(broken, tmp_path / "profile")[1]) == 1, "complaints are not heard"
