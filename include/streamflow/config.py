"""The settings in ``stream_checker_config.json``: sections, defaults, reading, and atomic writing."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import time, timedelta
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import available_timezones

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
from streamflow.policies.patterns import NamePattern
from streamflow.policies.policy import DegradedReason, Policy
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
ReleaseSeconds = Annotated[float, Field(ge=0, le=60)]
Hours = Annotated[float, Field(ge=0, le=87_600)]
Share = Annotated[float, Field(ge=0, le=1)]
# Redis' Lua holds every number up to 2^53 exactly, and adds to these.
Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
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
    account_priority: dict[str, Priority] = Field(
        default_factory=dict, description="Priorities by account id or name; higher ones get slots first"
    )
    release_delay: dict[str, ReleaseSeconds] = Field(
        default_factory=dict,
        description="Seconds for which a provider counts a closed connection, by account id or name; the others are "
        "learned from refusals",
    )

    @property
    def limiter_settings(self) -> dict[str, float]:
        """The settings that the limiter enforces, by their names there."""
        return self.model_dump(include={"global_limit", "lease_ttl", "stale_after", "stagger_delay"})


def _cron(expression: str) -> str:
    from croniter import croniter

    if expression and (len(expression.split()) != 5 or not croniter.is_valid(expression)):
        raise ValueError("not a cron expression; write for example '0 3 * * *'")
    return expression


def _clock(text: str) -> str:
    try:
        is_valid = time.fromisoformat(text).strftime("%H:%M") == text
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError("not a time of day; write for example '06:30'")
    return text


Cron = Annotated[str, AfterValidator(_cron)]
Clock = Annotated[str, AfterValidator(_clock)]
# ``check_streams`` is the DAG that the entries start, ``check_before_events`` starts checks before programmes.
RESERVED_NAMES = frozenset({"streams", "before_events"})


class CheckSchedule(_Section):
    """One schedule of checks, which is the DAG ``check_<name>``.

    A pattern is an exact name, a name with ``*``, an expression (``re:…``) or an id.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,60}$", description="Name of the schedule; its DAG is `check_<name>`")
    cron: Cron = Field(min_length=1, description="Cron expression in the time zone of the schedules")
    until: Clock | None = Field(None, description="Time of day from which on no check starts; null: open end")
    groups: tuple[NamePattern, ...] | None = Field(None, description="Only channels of these groups; null: all")
    channels: tuple[NamePattern, ...] | None = Field(None, description="Only these channels; null: all")
    accounts: tuple[NamePattern, ...] | None = Field(None, description="Only streams of these accounts; null: all")
    force: bool = Field(False, description="Check fresh streams again")
    only_if_viewers_below: int | None = Field(
        None, ge=1, le=100_000, description="Checks start only while fewer viewers watch; null: always"
    )

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in RESERVED_NAMES:
            raise ValueError(f"the name of a DAG of StreamFlow's own; choose another one than {name!r}")
        return name


class BeforeEvents(_Section):
    """Checks of channels before a recording, or a programme whose title fits."""

    minutes: int = Field(20, ge=0, le=720, description="Minutes before the start; 0: no such checks")
    recordings: bool = Field(True, description="Check the channel of each scheduled recording")
    titles: tuple[NamePattern, ...] = Field((), description="Check before programmes with these titles (patterns)")
    groups: tuple[NamePattern, ...] | None = Field(
        None, description="Programmes of channels in these groups only; null: of all"
    )


class Schedule(_Section):
    """The schedules, by the wall clock of a time zone.

    A cron expression in ``check_streams``, as older versions wrote it, is read as one entry of ``checks``.
    """

    timezone: str | None = Field(
        None, description="Time zone of the schedules; null: the machine's `TZ`, or Dispatcharr's, or UTC"
    )
    refresh_udi: Cron = Field("*/30 * * * *", description="Cron expression of the library's refresh; empty: never")
    checks: tuple[CheckSchedule, ...] = Field(
        (CheckSchedule(name="night", cron="0 3 * * *"),), max_length=50, description="Schedules of checks"
    )
    before_events: BeforeEvents = Field(BeforeEvents(), description="Checks before recordings and programmes")

    @model_validator(mode="before")
    @classmethod
    def _single(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(cron := value.get("check_streams"), str):
            if "checks" in value:
                raise ValueError("both check_streams and checks; leave check_streams out")
            entries = [{"name": "night", "cron": cron}] if cron else []
            return {key: one for key, one in value.items() if key != "check_streams"} | {"checks": entries}
        return value

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None and name not in available_timezones():
            raise ValueError("not a time zone; write for example 'Europe/Berlin'")
        return name

    @field_validator("checks")
    @classmethod
    def _have_different_names(cls, checks: tuple[CheckSchedule, ...]) -> tuple[CheckSchedule, ...]:
        names = [entry.name for entry in checks]
        if len(set(names)) < len(names):
            raise ValueError("two entries have the same name")
        return checks


class _ProbeSettings(_Section):
    sample_seconds: float = Field(10, gt=0, le=600, description="Seconds that a stream is watched")
    min_sample_seconds: float | None = Field(
        4.2, gt=0, le=600, description="Seconds after which the sample of a healthy stream may end; empty: never early"
    )
    connect_timeout: float = Field(10, gt=0, le=120, description="Longest wait for a connection in seconds")
    read_timeout: float = Field(10, gt=0, le=120, description="Longest wait for the next data in seconds")
    retries: int = Field(2, ge=0, le=10, description="Further tries before a stream is dead")
    retry_delay: Seconds = Field(10, description="Seconds between two tries; no slot is held meanwhile")
    user_agent: str = Field("VLC/3.0.20 LibVLC/3.0.20", description="User agent that providers see")
    thumbnails: bool = Field(True, description="Keep a picture of each stream")
    proxy: Proxy | None = Field(None, repr=False, description="Proxy for all streams: HTTP, HTTPS or SOCKS5")
    tls: Literal["verify", "report", "ignore"] = Field(
        "report",
        description="A certificate that is not trusted makes the stream dead (`verify`), is noted (`report`), or is "
        "ignored (`ignore`)",
    )


class AccountProbe(_ProbeSettings):
    """The probe settings that one account has of its own: any of those in :class:`Probe`, none is required."""

    @model_serializer(mode="wrap")
    def _only_own(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if name in self.model_fields_set}


class Probe(_ProbeSettings):
    """How one stream is probed; times in seconds.

    The sample of a healthy stream may end after ``min_sample_seconds``, once its figures have settled, and still sooner
    when they are those of its last good check; null takes each sample in whole.
    ``tls`` decides about a certificate that is not trusted: ``verify`` makes the stream dead, ``report`` measures the
    stream and marks its result, ``ignore`` measures it without a mark.

    ``by_account`` maps an account's id or name to probe settings of its own. ``account_proxies`` maps it to a proxy
    alone, null for none.
    """

    account_proxies: dict[str, Proxy | None] = Field(
        default_factory=dict, repr=False, description="Proxies by account id or name; `null` for none"
    )
    by_account: dict[str, AccountProbe] = Field(
        default_factory=dict, repr=False, description="Probe settings of single accounts, by account id or name"
    )

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

    bitrate: Share = Field(0.40, description="Weight of the bitrate")
    resolution: Share = Field(0.35, description="Weight of the number of lines")
    fps: Share = Field(0.15, description="Weight of the frame rate")
    codec: Share = Field(0.10, description="Weight of the video codec")
    hdr: Share = Field(0.05, description="Extra for high dynamic range")
    audio: Share = Field(0.05, description="Extra for more than two sound channels")
    start: Share = Field(0, description="Extra for a fast first picture")


class Scoring(_Section):
    """How results become scores, and scores an order.

    ``prefer_accounts`` maps an account's id or name to an addend of the score. ``bitrate_by_codec`` counts bitrates in
    H.264 equivalents. ``reliability_weight`` is the share of the score that a stream loses which failed in all of its
    stored checks; a check counts half after ``reliability_half_life_days``. Two working streams change places only
    when their scores differ by more than ``switch_margin``.
    """

    weights: Weights = Field(Weights(), description="Parts of the score; only their proportions matter")
    prefer_h265: bool = Field(True, description="Whether HEVC and AV1 score above H.264")
    prefer_accounts: dict[str, float] = Field(
        default_factory=dict, description="Addends to the score by account id or name"
    )
    bitrate_by_codec: bool = Field(True, description="Count bitrates in H.264 equivalents")
    reliability_weight: Share = Field(0.2, description="Share of the score that a stream loses which always failed")
    reliability_half_life_days: float = Field(14, gt=0, le=3650, description="Days after which a check counts half")
    switch_margin: Share = Field(
        0.05, description="Two working streams change places only when their scores differ by more than this"
    )
    unusable_reasons: tuple[DegradedReason, ...] = Field(
        ("black_video", "frozen_video", "not_live"),
        max_length=10,
        description="Reasons for which a degraded stream is unusable: it makes no channel whole, and is in no playlist",
    )


class DeadStreams(_Section):
    """The treatment of streams that were dead at ``after_failures`` checks in a row."""

    after_failures: int = Field(2, ge=1, description="Failed checks in a row after which the action applies")
    action: Literal["move_last", "remove", "none"] = Field(
        "move_last",
        description="A dead stream comes last (`move_last`), leaves the channel (`remove`), or stays (`none`)",
    )
    keep_at_least: int = Field(1, ge=0, description="Streams that stay in a channel at least")


class Safety(_Section):
    """Bounds on the changes that a run makes on its own.

    A login is down when at least ``provider_down_least`` streams that were alive, and of these the share
    ``provider_down_share``, cannot be reached. ``canary`` lists ``host:port`` addresses that show whether the own line
    works. A run takes at most the share ``max_removed_share`` of the assigned streams out of their channels.
    ``custom_streams`` decides whether streams without an account keep their place (``pin``) or are ordered like all
    others (``order``). An approval lapses after ``approval_hours``. Scheduled runs write to the source always, never,
    or once the owner has agreed (``ask``).
    """

    provider_down_share: float = Field(
        0.9, gt=0, le=1, description="Share of a login's streams that fail when its provider is down"
    )
    provider_down_least: int = Field(5, ge=1, description="Streams of a login that decide whether its provider is down")
    canary: tuple[HostPort, ...] = Field(
        (), description="Addresses (`host:port`) that are always up; without any of them your own line is down"
    )
    max_removed_share: Share = Field(0.2, description="Share of the streams that one run may remove from its channels")
    custom_streams: Literal["pin", "order"] = Field(
        "pin", description="Streams without an account keep their place (`pin`) or are ordered (`order`)"
    )
    approval_hours: float = Field(72, ge=1, le=720, description="Hours after which an unanswered approval lapses")
    scheduled_write_back: Literal["ask", "always", "never"] = Field(
        "ask", description="Whether scheduled runs write their changes; `ask`: not until you have agreed once"
    )


class Network(_Section):
    """Private networks (CIDR) on which streams are probed also when a source on the public internet lists them."""

    allow: tuple[CidrNetwork, ...] = Field((), description="Private networks (CIDR) with streams")


class Webhooks(_Section):
    """What Dispatcharr's webhooks may start."""

    channel_cooldown: float = Field(
        300, ge=0, le=86_400, description="Seconds until a webhook starts the check of the same channel again"
    )


class Freshness(_Section):
    """How long a check of each verdict counts as fresh, in hours; ``dead_most`` bounds the pause of dead streams."""

    ok: Hours = Field(20, description="Hours after which a good stream is checked again")
    degraded: Hours = Field(20, description="Hours after which a degraded stream is checked again")
    dead: Hours = Field(20, description="Hours after which a dead stream is checked again; doubles with each failure")
    dead_most: Hours = Field(168, description="Longest pause of a dead stream in hours")

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

    concurrent_streams: ConcurrentStreams = Field(
        ConcurrentStreams(), description="How many streams are checked at the same time"
    )
    schedule: Schedule = Field(Schedule(), description="When checks and refreshes start; empty: never by itself")
    probe: Probe = Field(Probe(), description="How one stream is checked")
    scoring: Scoring = Field(Scoring(), description="How measurements become a score, and scores an order")
    dead_streams: DeadStreams = Field(DeadStreams(), description="What happens to dead streams")
    safety: Safety = Field(Safety(), description="Bounds on what a run may change by itself")
    network: Network = Field(Network(), description="Where streams may be on private networks")
    webhooks: Webhooks = Field(Webhooks(), description="What Dispatcharr's webhooks may start")
    freshness_hours: Freshness = Field(
        Freshness(), description="How long the last check of a stream counts, by its verdict"
    )
    policies: tuple[Policy, ...] = Field((), max_length=500, description="Rules for single groups and channels")
    # Airflow refuses mappings above core.max_map_length (1024).
    max_streams_per_run: int = Field(
        500, ge=1, le=1024, description="Streams of one run; a chain of runs checks the rest"
    )

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
        faults = tuple((".".join(map(str, e["loc"])), _fault(e)) for e in error.errors())
        told = "; ".join(f"{path or '(top level)'}: {message}" for path, message in faults)
        raise ConfigError(f"{origin}: {told}", faults) from error


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


@contextmanager
def changing(file: Path | None = None) -> Iterator[None]:
    """Exclude the changes of all other processes, between the reading of the settings and their saving.

    :param file: by default :func:`path`.
    """
    file = file or path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(file.with_name(f".{file.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def save(config: Config, file: Path | None = None) -> None:
    """Write the settings; a reader sees the former file or the new one, never a part.

    :param file: by default :func:`path`.
    """
    with replacing(file or path()) as new:
        new.write(config.model_dump_json(indent=2).encode() + b"\n")
