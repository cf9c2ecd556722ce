"""The console script as users run it: from nothing to a booking over HTTP."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from tests.cli.commands import SCRIPT, clean_environment, run_script
from tests.cli.test_init_and_keys import LAKESIDE


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def serving(folder: Path, port: int, *arguments: str) -> Iterator[str]:
    """A server that is asked to stop afterwards, and must do so well."""
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [str(SCRIPT), *arguments, "--port", str(port)],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 30
        while not _is_ready(url):
            assert server.poll() is None, server.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
        assert server.returncode == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.communicate()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_from_nothing_to_a_booking(empty_folder: Path) -> None:
    environ = clean_environment(VACANCY_DATA_DIR="data")

    def run(*arguments: str) -> str:
        said = run_script(*arguments, cwd=empty_folder, environ=environ)
        assert said.code == 0, said.stderr
        return said.stdout

    admin_key = run("init").strip()
    first_night = date.today() + timedelta(days=10)  # noqa: DTZ011 - far enough from any zone's today
    lakeside = LAKESIDE.replace("2027-01-01", first_night.isoformat())
    (empty_folder / "lakeside.toml").write_text(lakeside)
    run("properties", "create", "lakeside.toml")
    guest_key = run("keys", "create", "--role", "guest").strip()
    assert json.loads(run("db", "status", "--json"))["can_serve"] is True

    with serving(empty_folder, free_port(), "serve", "--data-dir", "data") as url:
        body = {
            "property": "lakeside",
            "check_in": first_night.isoformat(),
            "check_out": (first_night + timedelta(days=2)).isoformat(),
            "rooms": [{"room_type": "double", "count": 2, "adults": 4}],
            "guest": {"name": "Ada Lovelace", "email": "ada@example.org"},
        }
        made = httpx.post(
            f"{url}/v1/bookings",
            json=body,
            headers={"Authorization": f"Bearer {guest_key}", "Idempotency-Key": "first"},
        )
        assert made.status_code == 201
        assert made.json()["total_minor"] == 2 * 2 * 12000
        seen = httpx.get(
            f"{url}/v1/bookings/{made.json()['id']}",
            headers={"Authorization": f"Bearer {admin_key}"},
        )
        assert {name: seen.json()[name] for name in made.json()} == made.json()

        keys = json.loads(run("keys", "list", "--json"))["items"]
        run("keys", "revoke", keys[1]["id"])
        refused = httpx.get(
            f"{url}/v1/users/me/bookings", headers={"Authorization": f"Bearer {guest_key}"}
        )
        assert refused.status_code == 401
    assert "All of them agree." in run("db", "verify-inventory")


def test_the_demo_serves_what_it_prints(empty_folder: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the demo's commands are for curl, and there is none on this machine")
    with serving(empty_folder, free_port(), "demo") as url:
        demo = json.loads((empty_folder / "vacancy-data" / "demo.json").read_text())
        assert demo["url"] == url
        answers = [
            json.loads(
                subprocess.run(
                    ["sh", "-c", command], capture_output=True, timeout=30, check=True
                ).stdout
            )
            for command in demo["commands"]
        ]
        availability, booking, page = answers
        assert {"single", "double"} <= {item["room_type"] for item in availability["items"]}
        assert all(item["sellable"] for item in availability["items"])
        assert (booking["status"], booking["total_minor"]) == ("provisional", 54000)
        assert page["items"][0] == booking


def test_serving_refuses_a_database_that_does_not_fit(empty_folder: Path) -> None:
    environ = clean_environment()
    port = str(free_port())
    missing = run_script("serve", "--port", port, cwd=empty_folder, environ=environ)
    assert missing.code == 4
    assert "error DATABASE_MISSING: " in missing.stderr
    assert "vacancy init" in missing.stderr
    (empty_folder / "empty.db").touch()
    for workers in ("1", "2"):
        empty = run_script(
            "serve", "--port", port, "--workers", workers, "--database-url", "sqlite:///empty.db",
            "--json", cwd=empty_folder, environ=environ,
        )  # fmt: skip
        assert (empty.code, empty.refusal["code"]) == (8, "SCHEMA_MISSING")
        assert "vacancy db migrate" in empty.refusal["hint"]
