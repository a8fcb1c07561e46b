"""The settings in ``stream_checker_config.json``: sections, defaults, reading, and atomic writing."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo

from streamflow.errors import ConfigError
from streamflow.files import replacing
from streamflow.policies.policy import Policy
from streamflow.records import Verdict

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


def _proxy(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError(
            "not the URL of a proxy; write for example 'socks5://user:password@host:1080' or 'http://host:8080'"
        )
    return url


def _cidr(network: str) -> str:
    try:
        ip_network(network)
    except ValueError:
        raise ValueError("not a network; write for example '192.168.1.0/24' or 'fd00::/8'") from None
    return network


def _host_port(address: str) -> str:
    try:
        parts = urlsplit(f"//{address}")
        is_valid = bool(parts.hostname and parts.port) and parts.netloc == address
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError("not a host with a port; write for example '192.0.2.1:443'")
    return address


Seconds = Annotated[float, Field(ge=0)]
Hours = Annotated[float, Field(ge=0, le=87_600)]
Share = Annotated[float, Field(ge=0, le=1)]
Proxy = Annotated[str, AfterValidator(_proxy)]
CidrNetwork = Annotated[str, AfterValidator(_cidr)]
HostPort = Annotated[str, AfterValidator(_host_port)]


class _Section(BaseModel):
    # Error messages leave the input out: it may hold a password.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False, hide_input_in_errors=True)


class ConcurrentStreams(_Section):
    """Limits and leases; times in seconds, ``global_limit`` 0 = unlimited.

    With ``adaptive`` the global limit follows the machine's load and memory, from ``adaptive_floor`` to
    ``global_limit`` (where that is unlimited, to ``adaptive_ceiling``).
    """

    enabled: bool = Field(True, description="Check several streams at the same time; otherwise one after another")
    global_limit: int = Field(
        10, ge=0, le=10_000, description="Streams that are checked at the same time over all accounts; 0: unlimited"
    )
    lease_ttl: float = Field(30, ge=3, le=600, description="Seconds until the slot of a crashed check is free again")
    stale_after: float = Field(3600, ge=60, description="Seconds that a check may hold its slot at most")
    stagger_delay: float = Field(0.2, ge=0, le=60, description="Least seconds between two starts on one account")
    respect_viewers: bool = Field(
        True, description="Whether connections of viewers count against the limit of an account"
    )
    adaptive: bool = Field(False, description="Whether the global limit follows the machine's load and memory")
    adaptive_floor: int = Field(2, ge=1, le=10_000, description="Lowest global limit with `adaptive`")
    adaptive_ceiling: int = Field(
        32, ge=1, le=10_000, description="Highest global limit with `adaptive` when `global_limit` is unlimited"
    )
    account_priority: dict[str, int] = Field(
        default_factory=dict, description="Priorities by account id or name; higher ones get slots first"
    )

    @property
    def limiter_settings(self) -> dict[str, float]:
        """The settings that the limiter enforces, by their names there."""
        return self.model_dump(include={"global_limit", "lease_ttl", "stale_after", "stagger_delay"})


class Schedule(_Section):
    """Cron expressions; an empty one switches the schedule off."""

    check_streams: str = "0 3 * * *"
    refresh_udi: str = "*/30 * * * *"

    @field_validator("check_streams", "refresh_udi")
    @classmethod
    def _cron(cls, expression: str) -> str:
        from croniter import croniter

        if expression and not croniter.is_valid(expression):
            raise ValueError("not a cron expression; write for example '0 3 * * *'")
        return expression


class _ProbeSettings(_Section):
    sample_seconds: float = Field(10, gt=0, le=600)
    min_sample_seconds: float | None = Field(None, gt=0, le=600)
    connect_timeout: float = Field(10, gt=0, le=120)
    read_timeout: float = Field(10, gt=0, le=120)
    retries: int = Field(2, ge=0, le=10)
    retry_delay: Seconds = 10
    user_agent: str = "VLC/3.0.20 LibVLC/3.0.20"
    thumbnails: bool = True
    proxy: Proxy | None = Field(None, repr=False)
    tls: Literal["verify", "report", "ignore"] = "report"


class AccountProbe(_ProbeSettings):
    """The probe settings that one account has of its own: any of those in :class:`Probe`, none is required."""

    @model_serializer(mode="wrap")
    def _only_own(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if name in self.model_fields_set}


class Probe(_ProbeSettings):
    """How one stream is probed; times in seconds.

    With ``min_sample_seconds`` the sample of a healthy stream may end after that time, once its figures have settled.
    ``tls`` decides about a certificate that is not trusted: ``verify`` makes the stream dead, ``report`` measures the
    stream and marks its result, ``ignore`` measures it without a mark.

    ``by_account`` maps an account's id or name to probe settings of its own. ``account_proxies`` maps it to a proxy
    alone, null for none.
    """

    account_proxies: dict[str, Proxy | None] = Field(default_factory=dict, repr=False)
    by_account: dict[str, AccountProbe] = Field(default_factory=dict, repr=False)

    def for_account(self, account_id: int | None, name: str | None) -> Probe:
        """Return the settings for the streams of an account. The entry of its id wins over that of its name."""
        own: dict[str, Any] = {}
        for key in (name, str(account_id)):
            if key in self.account_proxies:
                own["proxy"] = self.account_proxies[key]
        for key in (name, str(account_id)):
            if key in self.by_account:
                own |= self.by_account[key].model_dump()
        return self.model_copy(update=own) if own else self


class Weights(_Section):
    """Shares of the score; only their proportions matter.

    ``hdr``, ``audio`` (more than two channels) and ``start`` (a fast first picture) come on top of the other four: a
    stream without them loses nothing.
    """

    bitrate: Share = 0.40
    resolution: Share = 0.35
    fps: Share = 0.15
    codec: Share = 0.10
    hdr: Share = 0.05
    audio: Share = 0.05
    start: Share = 0


class Scoring(_Section):
    """How results become scores, and scores an order.

    ``prefer_accounts`` maps an account's id or name to an addend of the score. ``bitrate_by_codec`` counts bitrates in
    H.264 equivalents. ``reliability_weight`` is the share of the score that a stream loses which failed in all of its
    stored checks; a check counts half after ``reliability_half_life_days``. Two working streams change places only
    when their scores differ by more than ``switch_margin``.
    """

    weights: Weights = Weights()
    prefer_h265: bool = True
    prefer_accounts: dict[str, float] = Field(default_factory=dict)
    bitrate_by_codec: bool = True
    reliability_weight: Share = 0.2
    reliability_half_life_days: float = Field(14, gt=0, le=3650)
    switch_margin: Share = 0.05


class DeadStreams(_Section):
    """The treatment of streams that were dead at ``after_failures`` checks in a row."""

    after_failures: int = Field(2, ge=1)
    action: Literal["move_last", "remove", "none"] = "move_last"
    keep_at_least: int = Field(1, ge=0)


class Safety(_Section):
    """Bounds on the changes that a run makes on its own.

    A login is down when at least ``provider_down_least`` streams that were alive, and of these the share
    ``provider_down_share``, cannot be reached. ``canary`` lists ``host:port`` addresses that show whether the own line
    works. A run takes at most the share ``max_removed_share`` of the assigned streams out of their channels.
    ``custom_streams`` decides whether streams without an account keep their place (``pin``) or are ordered like all
    others (``order``). An approval lapses after ``approval_hours``. Scheduled runs write to the source always, never,
    or once the owner has agreed (``ask``).
    """

    provider_down_share: float = Field(0.9, gt=0, le=1)
    provider_down_least: int = Field(5, ge=1)
    canary: tuple[HostPort, ...] = ()
    max_removed_share: Share = 0.2
    custom_streams: Literal["pin", "order"] = "pin"
    approval_hours: Hours = 72
    scheduled_write_back: Literal["ask", "always", "never"] = "ask"


class Network(_Section):
    """Private networks (CIDR) on which streams are probed also when a source on the public internet lists them."""

    allow: tuple[CidrNetwork, ...] = ()


class Freshness(_Section):
    """How long a check of each verdict counts as fresh, in hours; ``dead_most`` bounds the pause of dead streams."""

    ok: Hours = 20
    degraded: Hours = 20
    dead: Hours = 20
    dead_most: Hours = 168

    @model_validator(mode="before")
    @classmethod
    def _one_for_all(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return dict.fromkeys(("ok", "degraded", "dead"), value)
        return value

    def pause(self, verdict: Verdict, failures: int = 1) -> timedelta:
        """Return how long after a check with this verdict the stream is not due again.

        The pause of a dead stream doubles with each failure up to ``dead_most``. Verdicts that decide nothing
        (``unknown``, ``skipped``) have no pause.

        :param failures: for ``dead``: the number of checks in a row that found the stream dead, from 1.
        """
        if verdict == "dead":
            # Beyond 2^20 doublings every pause has reached its bound.
            doubled = self.dead * 2.0 ** min(max(failures - 1, 0), 20)
            return timedelta(hours=min(doubled, max(self.dead, self.dead_most)))
        if verdict in ("ok", "degraded"):
            return timedelta(hours=self.ok if verdict == "ok" else self.degraded)
        return timedelta(0)


class Config(_Section):
    """All settings. Every field has the default of the contract."""

    concurrent_streams: ConcurrentStreams = ConcurrentStreams()
    schedule: Schedule = Schedule()
    probe: Probe = Probe()
    scoring: Scoring = Scoring()
    dead_streams: DeadStreams = DeadStreams()
    safety: Safety = Safety()
    network: Network = Network()
    freshness_hours: Freshness = Freshness()
    policies: tuple[Policy, ...] = Field((), max_length=500)
    # Airflow refuses mappings above core.max_map_length (1024).
    max_streams_per_run: int = Field(500, ge=1, le=1024)

    def with_section(self, section: str, change: Any) -> Config:
        """Return the settings with ``change`` merged into one section; a section that is no object is replaced.

        :raises ConfigError: the message names the path of each wrong key.
        """
        whole = self.model_dump(mode="json")
        former = whole.get(section)
        whole[section] = {**former, **change} if isinstance(former, dict) and isinstance(change, dict) else change
        return parse(whole)


def home() -> Path:
    """Return the folder of all state: ``STREAMFLOW_HOME``, by default ``.streamflow`` in the working directory."""
    return Path(os.environ.get("STREAMFLOW_HOME") or ".streamflow").absolute()


def path() -> Path:
    """Return the settings file: ``STREAMFLOW_CONFIG``, by default ``stream_checker_config.json`` in :func:`home`."""
    return Path(os.environ.get("STREAMFLOW_CONFIG") or home() / "stream_checker_config.json")


def parse(data: Any, origin: str = "stream_checker_config.json") -> Config:
    """Return the settings in ``data``, as JSON gives them.

    :param origin: the file's name for error messages.
    :raises ConfigError: the message names the path of each wrong key; for an unknown key, the nearest known one too.
    """
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, e['loc'])) or '(top level)'}: {_fault(e)}" for e in error.errors())
        raise ConfigError(f"{origin}: " + "; ".join(faults)) from error


def _fault(error: Any) -> str:
    if error["type"] != "extra_forbidden":
        return str(error["msg"]).removeprefix("Value error, ")
    *section, key = map(str, error["loc"])
    known = _keys(section)
    nearest = get_close_matches(key, known, n=1)
    advice = f"did you mean {nearest[0]}?" if nearest else f"known here: {', '.join(known)}"
    return f"unknown setting; {advice}"


def _keys(section: Sequence[str]) -> list[str]:
    """Return the keys that the section at a path knows."""
    kind: Any = Config
    for part in section:
        # A part that names no field is the key of a mapping, which the user chose, or the place in a list.
        fields = _fields(kind)
        kind = fields[part].annotation if part in fields else _item(kind)
    return list(_fields(kind))


def _fields(kind: Any) -> dict[str, FieldInfo]:
    return kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}


def _item(kind: Any) -> Any:
    """Return the type of the items of a mapping or a list."""
    arguments = get_args(kind)
    return arguments[1] if get_origin(kind) is dict else arguments[0]


def load(file: Path | None = None) -> Config:
    """Return the settings that the file holds now; a missing file means all defaults.

    :param file: by default :func:`path`.
    :raises ConfigError: the file cannot be read, is not JSON, or holds a wrong setting.
    """
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
    """Write the settings; a reader sees the former file or the new one, never a part.

    :param file: by default :func:`path`.
    """
    with replacing(file or path()) as new:
        new.write(config.model_dump_json(indent=2).encode() + b"\n")
