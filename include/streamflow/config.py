"""The settings in ``stream_checker_config.json``: their shape, defaults, reading and atomic writing."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from streamflow.errors import ConfigError

Seconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


PROXIES = ("http", "https", "socks5", "socks5h")


def _is_proxy(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in PROXIES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ValueError(
            "not a proxy's URL, write for example 'socks5://user:password@host:1080' or 'http://host:8080'"
        )
    return url


Proxy = Annotated[str, AfterValidator(_is_proxy)]


class _Section(BaseModel):
    # An input may hold a password.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False, hide_input_in_errors=True)


class ConcurrentStreams(_Section):
    """Limits and leases; times in seconds, ``global_limit`` 0 = unlimited.

    With ``adaptive`` the global limit follows the machine's load and memory, from ``adaptive_floor`` to
    ``global_limit`` (where that is unlimited, to ``adaptive_ceiling``).
    """

    enabled: bool = True
    global_limit: int = Field(10, ge=0, le=10_000)
    lease_ttl: float = Field(30, ge=3, le=600)
    stale_after: float = Field(3600, ge=60)
    stagger_delay: float = Field(0.2, ge=0, le=60)
    respect_viewers: bool = True
    adaptive: bool = False
    adaptive_floor: int = Field(2, ge=1, le=10_000)
    adaptive_ceiling: int = Field(32, ge=1, le=10_000)
    account_priority: dict[str, int] = Field(default_factory=dict)

    @property
    def limiter_settings(self) -> dict[str, float]:
        """What the limiter takes over, by its names for it."""
        return self.model_dump(include={"global_limit", "lease_ttl", "stale_after", "stagger_delay"})


class Schedule(_Section):
    """Cron expressions; an empty one switches the schedule off."""

    check_streams: str = "0 3 * * *"
    refresh_udi: str = "*/30 * * * *"

    @field_validator("check_streams", "refresh_udi")
    @classmethod
    def _is_cron(cls, expression: str) -> str:
        from croniter import croniter

        if expression and not croniter.is_valid(expression):
            raise ValueError("not a cron expression, write for example '0 3 * * *'")
        return expression


class Probe(_Section):
    """How one stream is probed; times in seconds.

    With ``min_sample_seconds`` a healthy stream whose figures have settled ends after that time already.
    ``account_proxies`` maps an account's id or name to its own proxy in place of ``proxy``, null for none.
    """

    sample_seconds: float = Field(10, gt=0, le=600)
    min_sample_seconds: float | None = Field(None, gt=0, le=600)
    connect_timeout: float = Field(10, gt=0, le=120)
    read_timeout: float = Field(10, gt=0, le=120)
    retries: int = Field(2, ge=0, le=10)
    retry_delay: Seconds = 10
    user_agent: str = "VLC/3.0.20 LibVLC/3.0.20"
    thumbnails: bool = True
    proxy: Proxy | None = Field(None, repr=False)
    account_proxies: dict[str, Proxy | None] = Field(default_factory=dict, repr=False)

    def for_account(self, account_id: int | None, name: str | None) -> Probe:
        """These settings with the proxy of an account that has one of its own."""
        for key in (str(account_id), name):
            if key in self.account_proxies:
                return self.model_copy(update={"proxy": self.account_proxies[key]})
        return self


class Weights(_Section):
    """Shares of the score; only their proportions matter."""

    bitrate: Share = 0.40
    resolution: Share = 0.35
    fps: Share = 0.15
    codec: Share = 0.10


class Scoring(_Section):
    """``prefer_accounts`` maps an account's id or name to an addend of the score."""

    weights: Weights = Weights()
    prefer_h265: bool = True
    prefer_accounts: dict[str, float] = Field(default_factory=dict)


class DeadStreams(_Section):
    """What happens to streams found dead ``after_failures`` times in a row."""

    after_failures: int = Field(2, ge=1)
    action: Literal["move_last", "remove", "none"] = "move_last"
    keep_at_least: int = Field(1, ge=0)


class Config(_Section):
    """All settings. Every field has the default of the contract."""

    concurrent_streams: ConcurrentStreams = ConcurrentStreams()
    schedule: Schedule = Schedule()
    probe: Probe = Probe()
    scoring: Scoring = Scoring()
    dead_streams: DeadStreams = DeadStreams()
    freshness_hours: float = Field(24, ge=0)
    # Airflow refuses mappings above core.max_map_length (1024).
    max_streams_per_run: int = Field(500, ge=1, le=1024)

    def with_section(self, section: str, change: dict[str, Any]) -> Config:
        """The settings with ``change`` merged into one section; raises ConfigError naming the field."""
        whole = self.model_dump(mode="json")
        whole[section] = {**whole[section], **change}
        return parse(whole)


def home() -> Path:
    """Where state lives: ``STREAMFLOW_HOME``, by default ``.streamflow`` in the working directory."""
    return Path(os.environ.get("STREAMFLOW_HOME") or ".streamflow").absolute()


def path() -> Path:
    """The settings file: ``STREAMFLOW_CONFIG``, by default in :func:`home`."""
    return Path(os.environ.get("STREAMFLOW_CONFIG") or home() / "stream_checker_config.json")


def parse(data: Any, origin: str = "stream_checker_config.json") -> Config:
    """Check ``data`` against the contract; raises ConfigError that names each wrong key's path."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc'])) or '(top level)'}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{origin}: " + "; ".join(faults)) from error


def load(file: Path | None = None) -> Config:
    """Read the settings anew; a missing file is all defaults. Raises ConfigError."""
    file = file or path()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file}: not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
    return parse(data, str(file))


def save(config: Config, file: Path | None = None) -> None:
    """Write the settings so that a reader sees the old file or the new one, never a part."""
    file = file or path()
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=file.name, delete=False, encoding="utf-8") as new:
        new.write(config.model_dump_json(indent=2) + "\n")
        new.flush()
        os.fsync(new.fileno())
    Path(new.name).replace(file)
