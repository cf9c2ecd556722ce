"""Every setting, once: its name, its meaning, its default. A file, then the environment, then
flags; the later wins."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from vacancy.errors import Misconfigured

Positive = Annotated[int, msgspec.Meta(ge=1)]

PREFIX = "VACANCY_"
FILE_NAME = "vacancy.toml"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a process of ours is told. In the environment a field is `VACANCY_` and its name in
    capitals; in `vacancy.toml` it is its name."""

    env: Literal["development", "test", "production"] = "development"
    data_dir: str = "vacancy-data"
    """Where the embedded database, `demo.json` and `run/`, the sockets of the workers, live."""
    database_url: str = ""
    """`sqlite:///path` or `postgresql://…`; empty is `vacancy.db` in the data directory."""
    database_direct_url: str = ""
    """The same database past a pooler, for migrations; empty is `database_url`."""
    database_connections: Positive = 8
    """The largest size of a worker's PostgreSQL pool."""
    allow_unsafe_durability: bool = False
    """Let production run on a PostgreSQL with fsync or synchronous_commit off."""
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8000
    workers: Positive = 1
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What the server writes to stderr; debug adds a line for each request."""
    slow_ms: Annotated[float, msgspec.Meta(ge=0)] = 100.0
    """A statement or a request that takes longer gets a line in the log; 0 is none."""
    max_body_bytes: Positive = 65_536
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the API; none by default."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses whose X-Forwarded-For and X-Request-Id are believed; none by default."""
    cache: bool = True
    """Whether reads may be answered from the cache of query results."""
    cache_entries: Positive = 1_000
    """The most answers that a worker keeps."""
    cache_mb: Positive = 64
    """The most memory that a worker gives to them, in 1024 * 1024 bytes."""
    cache_policy: Literal["lru", "s3fifo"] = "lru"
    """What goes when it is full; `s3fifo` is not emptied by one scan through many keys."""
    cache_shadow_every: Annotated[int, msgspec.Meta(ge=0)] = 1_000
    """One hit in so many is compared with the database; 0 is none."""
    default_hold_s: Positive = 900
    """How long a hold lasts that does not say."""
    queue_requests: Positive = 4096
    """Booking requests that may wait in a worker; beyond, the answer is 503."""
    queue_wait_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """How long a booking request may wait before it is given up, never executed."""
    idempotency_keep_h: Annotated[int, msgspec.Meta(ge=24)] = 48
    """How long an answer is kept behind its Idempotency-Key; never under 24."""
    metrics: Literal["key", "open", "off"] = "key"
    """Who may read `/metrics`: a key of staff, everybody, or nobody."""
    alert_command: str = ""
    """Run with each alert as one JSON line on its stdin; a program and its arguments, no shell."""
    alert_url: str = ""
    """Each alert is posted there as JSON."""
    alert_hit_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """The least share of hits that the cache should have; under it is an alert, 0 is none."""
    otel_url: str = ""
    """Where traces go, by OTLP over HTTP, such as `http://127.0.0.1:4318`; empty is nowhere."""

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{Path(self.data_dir) / 'vacancy.db'}"

    @property
    def direct_url(self) -> str:
        return self.database_direct_url or self.url


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Reads `vacancy.toml` (of the folder, or the file that VACANCY_CONFIG names), the environment
    and the flags that are not None. Raises `Misconfigured` and names the setting."""
    environ = os.environ if environ is None else environ
    values = _from_file(environ, folder or Path())
    for field in msgspec.structs.fields(Settings):
        text = environ.get(PREFIX + field.name.upper())
        if text is not None:
            values[field.name] = (
                text.split(",") if _is_list(field) and text else text or field.default
            )
    values.update({name: value for name, value in (flags or {}).items() if value is not None})
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise Misconfigured(
            "SETTING_INVALID",
            f"A setting is wrong: {error}.",
            hint=f"Settings stand in {FILE_NAME} or in {PREFIX}… variables; see docs/settings.md.",
        ) from None


def _from_file(environ: Mapping[str, str], folder: Path) -> dict[str, Any]:
    named = environ.get(PREFIX + "CONFIG")
    path = Path(named) if named else folder / FILE_NAME
    if not path.exists():
        if named:
            raise Misconfigured("SETTINGS_FILE_MISSING", f"There is no file {path}.")
        return {}
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured("SETTING_INVALID", f"{path} is no TOML: {error}.") from None


def _is_list(field: msgspec.structs.FieldInfo) -> bool:
    return isinstance(field.default, tuple)
