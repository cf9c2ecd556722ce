"""Settings: a file, then the environment, then flags; and what is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vacancy.config import FILE_NAME, Settings, load_settings
from vacancy.errors import Misconfigured


def test_nothing_said_is_the_default(tmp_path: Path) -> None:
    assert load_settings({}, folder=tmp_path) == Settings()


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('port = 1\nworkers = 2\nhost = "file"\nqueue_requests = 9\n')
    environ = {"VACANCY_PORT": "3", "VACANCY_WORKERS": "4", "PORT": "99"}
    flags = {"port": 5, "workers": None}
    settings = load_settings(environ, folder=tmp_path, flags=flags)
    assert settings == Settings(port=5, workers=4, host="file", queue_requests=9)


def test_every_kind_of_value_from_the_environment(tmp_path: Path) -> None:
    environ = {
        "VACANCY_ENV": "production",
        "VACANCY_ALLOW_UNSAFE_DURABILITY": "true",
        "VACANCY_QUEUE_WAIT_S": "2.5",
        "VACANCY_CORS_ORIGINS": "https://a.example,https://b.example",
        "VACANCY_TRUSTED_PROXIES": "",
        "VACANCY_HOST": "",
    }
    assert load_settings(environ, folder=tmp_path) == Settings(
        env="production",
        allow_unsafe_durability=True,
        queue_wait_s=2.5,
        cors_origins=("https://a.example", "https://b.example"),
    )


def test_a_file_may_be_named_and_must_then_be_there(tmp_path: Path) -> None:
    named = tmp_path / "other.toml"
    named.write_text('cors_origins = ["https://a.example"]\n')
    (tmp_path / FILE_NAME).write_text("port = 1\n")
    environ = {"VACANCY_CONFIG": str(named)}
    settings = load_settings(environ, folder=tmp_path)
    assert settings == Settings(cors_origins=("https://a.example",))
    named.unlink()
    with pytest.raises(Misconfigured, match=r"other\.toml") as refused:
        load_settings(environ, folder=tmp_path)
    assert refused.value.code == "SETTINGS_FILE_MISSING"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("env", "prod"),
        ("allow_unsafe_durability", "perhaps"),
        ("database_connections", "0"),
        ("port", "eighty"),
        ("port", "-1"),
        ("port", "65536"),
        ("workers", "0"),
        ("max_body_bytes", "1.5"),
        ("default_hold_s", "-5"),
        ("queue_requests", "0"),
        ("queue_wait_s", "0"),
        ("idempotency_keep_h", "23"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(tmp_path: Path, name: str, value: str) -> None:
    def refused(**sources: Any) -> Misconfigured:
        with pytest.raises(Misconfigured, match=name) as caught:
            load_settings(**{"environ": {}, "folder": tmp_path, **sources})
        return caught.value

    error = refused(environ={f"VACANCY_{name.upper()}": value})
    assert error.code == "SETTING_INVALID"
    assert "docs/settings.md" in error.hint
    assert refused(flags={name: value}).code == "SETTING_INVALID"
    (tmp_path / FILE_NAME).write_text(f'{name} = "{value}"\n')
    assert refused().code == "SETTING_INVALID"


def test_a_setting_that_there_is_not_and_a_file_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('colour = "red"\n')
    with pytest.raises(Misconfigured, match="colour"):
        load_settings({}, folder=tmp_path)
    (tmp_path / FILE_NAME).write_text("port = = 1\n")
    with pytest.raises(Misconfigured, match=FILE_NAME) as refused:
        load_settings({}, folder=tmp_path)
    assert refused.value.code == "SETTING_INVALID"


def test_urls_have_sensible_defaults() -> None:
    assert Settings(data_dir="d").url == "sqlite:///d/vacancy.db"
    assert Settings(database_url="sqlite:///x").direct_url == "sqlite:///x"
    pooled = Settings(database_url="postgresql://pooler/v", database_direct_url="postgresql://db/v")
    assert pooled.direct_url == "postgresql://db/v"
