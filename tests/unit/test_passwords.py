"""A password in the URL of a database is shown nowhere."""

from __future__ import annotations

import pytest

from vacancy.db.connect import without_passwords
from vacancy.web.logs import masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:s3cret@db/hotel", "postgresql://me:***@db/hotel"),
        ("postgresql://me:s3cret@x@s3cret@db/hotel", "postgresql://me:***@db/hotel"),
        ("postgresql://me:s3cret/s3cret@db/hotel", "postgresql://me:***@db/hotel"),
        ("postgresql://me:@s3cret:@db/hotel", "postgresql://me:***@db/hotel"),
        ("postgresql://:s3cret@db/hotel", "postgresql://:***@db/hotel"),
        ("postgresql://me@corp:s3cret@db/hotel", "postgresql://me@corp:***@db/hotel"),
        ("postgresql://me@db:5432/hotel?password=s3cret@s3cret&sslmode=require",
         "postgresql://me@db:5432/hotel?password=***&sslmode=require"),
        ("postgresql://db/hotel?user=me&PASSWORD=s3cret", "postgresql://db/hotel?user=me&PASSWORD=***"),
        ("postgresql://me:s3cret@db/hotel?sslpassword=s3cret",
         "postgresql://me:***@db/hotel?sslpassword=***"),
    ],
)  # fmt: skip
def test_a_password_is_masked_however_it_is_written(url: str, shown: str) -> None:
    assert without_passwords(url) == shown
    said = masked(f"cannot connect to '{url}', will try again at noon")
    assert "s3cret" not in said
    assert said.endswith("again at noon")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///folder/a:b@c.db",
        "postgresql://me@db:5432/hotel",
        "postgresql://me@[::1]:5432/hotel?sslmode=require",
        "http://127.0.0.1:8000/docs",
    ],
)
def test_what_holds_no_password_stays_as_it_is(url: str) -> None:
    assert without_passwords(url) == url
