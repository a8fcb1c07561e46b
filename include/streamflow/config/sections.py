"""The sections of the settings, with the default and the meaning of each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from streamflow.config.values import (
    CidrNetwork,
    Clock,
    Cron,
    HostPort,
    Hours,
    Priority,
    Proxy,
    ReleaseSeconds,
    Seconds,
    Section,
    Share,
)
from streamflow.matching.rule import Rule
from streamflow.policies.patterns import NamePattern
from streamflow.policies.policy import DegradedReason, Policy
from streamflow.records import Verdict

# ``check_streams`` is the DAG that the entries start, ``check_before_events`` starts checks before programmes.
RESERVED_NAMES = frozenset({"streams", "before_events"})


class ConcurrentStreams(Section):
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


class CheckSchedule(Section):
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


class BeforeEvents(Section):
    """Checks of channels before a recording, or a programme whose title fits."""

    minutes: int = Field(20, ge=0, le=720, description="Minutes before the start; 0: no such checks")
    recordings: bool = Field(True, description="Check the channel of each scheduled recording")
    titles: tuple[NamePattern, ...] = Field((), description="Check before programmes with these titles (patterns)")
    groups: tuple[NamePattern, ...] | None = Field(
        None, description="Programmes of channels in these groups only; null: of all"
    )


class Schedule(Section):
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


class _ProbeSettings(Section):
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


class Weights(Section):
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


class Scoring(Section):
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


class DeadStreams(Section):
    """The treatment of streams that were dead at ``after_failures`` checks in a row."""

    after_failures: int = Field(2, ge=1, description="Failed checks in a row after which the action applies")
    action: Literal["move_last", "remove", "none"] = Field(
        "move_last",
        description="A dead stream comes last (`move_last`), leaves the channel (`remove`), or stays (`none`)",
    )
    keep_at_least: int = Field(1, ge=0, description="Streams that stay in a channel at least")


class Safety(Section):
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


class Network(Section):
    """Private networks (CIDR) on which streams are probed also when a source on the public internet lists them."""

    allow: tuple[CidrNetwork, ...] = Field((), description="Private networks (CIDR) with streams")


class Webhooks(Section):
    """What Dispatcharr's webhooks may start."""

    channel_cooldown: float = Field(
        300, ge=0, le=86_400, description="Seconds until a webhook starts the check of the same channel again"
    )


class Freshness(Section):
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


class DeadChannels(Section):
    """The treatment of channels whose streams were all dead at ``after_failures`` checks in a row."""

    action: Literal["none", "replace", "hide"] = Field(
        "none",
        description="`none` leaves a dead channel unchanged, `replace` gives it other streams that work, `hide` takes "
        "it out of every output until one of its streams works again",
    )
    after_failures: int = Field(
        2, ge=1, le=1000, description="Failed checks in a row of every stream after which a channel is dead"
    )


class Matching(Section):
    """The search for streams that belong to channels."""

    enabled: bool = Field(False, description="Search after each refresh of the library")
    approve: bool = Field(True, description="Ask a person before a channel changes")
    refresh_providers: bool = Field(False, description="Let Dispatcharr refresh its providers before the search")
    refresh_hours: float = Field(12, ge=1, le=720, description="Hours until a provider is refreshed again")
    most_per_channel: int = Field(12, ge=1, le=100, description="Streams that a channel may reach by this")
    most_per_account: int | None = Field(
        None, ge=1, le=100, description="Streams of one account that a channel may reach by this; null: no limit"
    )
    rules: tuple[Rule, ...] = Field((Rule(),), max_length=500, description="Which channels look for which streams")
    dead_channels: DeadChannels = Field(DeadChannels(), description="What happens to channels without a working stream")


class Config(Section):
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
    matching: Matching = Field(Matching(), description="Which streams are added to channels")
    policies: tuple[Policy, ...] = Field((), max_length=500, description="Rules for single groups and channels")
    # Airflow refuses mappings above core.max_map_length (1024).
    max_streams_per_run: int = Field(
        500, ge=1, le=1024, description="Streams of one run; a chain of runs checks the rest"
    )
