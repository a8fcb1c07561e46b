"""The report card of a provider: what its account delivered in the stored history."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from statistics import median, quantiles

from pydantic import BaseModel, Field

from streamflow.errors import UnknownRecord
from streamflow.records import DECIDED, Account, Channel, Result, Stream
from streamflow.reports.health import MOST_LISTED, Mislabelled, mislabelled
from streamflow.udi.ports import Store

# The newest results of each stream that are read, and the number of streams.
HISTORY = 30
MOST_STREAMS = 5000
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class PartOfTime(BaseModel):
    """The checks in an hour of the day, or on a day of the week."""

    name: str = Field(description="Hour or weekday", examples=["20:00"])
    checks: int = Field(description="Number of checks with a verdict about the stream")
    share_working: float | None = Field(description="Share of them that found a working stream; null without checks")


class Totals(BaseModel):
    """All checks of the account in the stored history."""

    streams: int = Field(description="Number of the account's streams")
    in_channels: int = Field(description="Number of its streams that channels hold")
    checked: int = Field(description="Number of its streams with results that were read")
    checks: int = Field(description="Number of checks with a verdict about the stream")
    share_working: float | None = Field(description="Share of them that found a working stream; null without checks")
    share_unstable: float | None = Field(description="Share of them that found stalls, losses or damage")
    refusals: int = Field(description="Number of connections that the provider refused as one too many")
    start_ms: int | None = Field(description="Median time until the first picture, in milliseconds")
    slow_start_ms: int | None = Field(description="Time within which nine of ten streams started, in milliseconds")


class Connections(BaseModel):
    """The connections that the account sells, and those that it gives."""

    sold: int = Field(description="Configured number of connections; 0: unlimited")
    believed: int | None = Field(description="Connections that the provider accepts as far as known; 0: unlimited")
    evidence: list[str] = Field(description="Reasons for the believed number")


class ReasonCount(BaseModel):
    """A reason why streams of the account do not work well."""

    verdict: str = Field(description="Verdict", examples=["dead"])
    reason: str = Field(description="Reason", examples=["http_404"])
    checks: int = Field(description="Number of checks with this reason")


class OnlySource(BaseModel):
    """A channel that only this account serves."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    name: str = Field(description="Name of the channel")
    working: int = Field(description="Number of its streams that work")


class Rival(BaseModel):
    """Another account that serves some of the same channels."""

    account_id: int = Field(description="Id of the other account")
    name: str = Field(description="Name of the other account")
    channels: int = Field(description="Number of channels that both serve")
    better: int = Field(description="Number of these channels in which this account has the higher best score")
    worse: int = Field(description="Number of these channels in which the other account has the higher best score")


class ProviderReport(BaseModel):
    """The report card of one account. Each list holds at most 100 entries."""

    account_id: int = Field(description="Id of the account")
    name: str = Field(description="Name of the account")
    since: datetime | None = Field(description="Time of the oldest check that was read")
    until: datetime | None = Field(description="Time of the newest check that was read")
    expires_at: datetime | None = Field(description="End of the subscription; null when it is unknown")
    limits: Connections = Field(description="Connections sold and given")
    total: Totals = Field(description="All checks")
    by_hour: list[PartOfTime] = Field(description="Checks by hour of the day")
    by_weekday: list[PartOfTime] = Field(description="Checks by day of the week")
    reasons: list[ReasonCount] = Field(description="Reasons, the most frequent first")
    only_source: list[OnlySource] = Field(description="Channels that no other account serves")
    rivals: list[Rival] = Field(description="Other accounts on the same channels")
    mislabelled: list[Mislabelled] = Field(description="Streams whose names promise other properties than measured")


@dataclass
class _Checks:
    """The sums over the results of an account."""

    zone: tzinfo
    streams: int = 0
    refusals: int = 0
    unstable: int = 0
    since: datetime | None = None
    until: datetime | None = None
    starts: list[int] = field(default_factory=list)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    # Checks and working ones, by hour and by weekday.
    hours: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in range(24)])
    weekdays: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in range(7)])

    def add(self, past: Sequence[Result]) -> None:
        """Add the results of one stream."""
        self.streams += 1
        for result in past:
            self.refusals += _refusals(result)
            if result.reason:
                self.reasons[result.verdict, result.reason] += result.verdict != "skipped"
            if result.verdict in DECIDED:
                self._add_decided(result)

    def _add_decided(self, result: Result) -> None:
        at = result.checked_at.astimezone(self.zone)
        for place in (self.hours[at.hour], self.weekdays[at.weekday()]):
            place[0] += 1
            place[1] += result.is_working
        self.since = min(self.since or result.checked_at, result.checked_at)
        self.until = max(self.until or result.checked_at, result.checked_at)
        self.unstable += result.reason == "unstable"
        if result.first_frame_ms is not None:
            self.starts.append(result.first_frame_ms)

    @property
    def decided(self) -> int:
        """The number of checks with a verdict about the stream."""
        return sum(checks for checks, _ in self.weekdays)


def report(
    store: Store,
    account_id: int,
    *,
    believed: int | None = None,
    evidence: Sequence[str] = (),
    zone: tzinfo = UTC,
) -> ProviderReport:
    """Return the report card of an account.

    :param believed: the limit that the limiter believes in; 0 = unlimited, None = unknown.
    :param evidence: the limiter's reasons for it, as sentences.
    :param zone: the time zone of hours and weekdays.
    :raises UnknownRecord: the UDI holds no such account.
    :raises UdiUnavailable: the store cannot be read.
    """
    accounts = {account.id: account for account in store.library.accounts()}
    account = accounts.get(account_id)
    if account is None:
        raise UnknownRecord(f"the UDI holds no account {account_id}")
    ids = set(store.library.streams_of_account(account_id))
    checks = _Checks(zone)
    last_checks = store.results.last_checks()
    newest = sorted(ids & last_checks.keys(), key=lambda stream: last_checks[stream], reverse=True)
    for past in store.results.histories(newest[:MOST_STREAMS], HISTORY).values():
        checks.add(past)
    channels = [channel for channel in store.library.channels() if not ids.isdisjoint(channel.stream_ids)]
    members = {stream for channel in channels for stream in channel.stream_ids}
    streams, latest = store.library.streams(members), store.results.latest_of(members)
    return ProviderReport(
        account_id=account_id,
        name=account.name,
        since=checks.since,
        until=checks.until,
        expires_at=account.expires_at,
        limits=Connections(sold=account.max_streams, believed=believed, evidence=list(evidence)),
        total=_totals(checks, len(ids), len(ids & members)),
        by_hour=[_part(f"{hour:02}:00", place) for hour, place in enumerate(checks.hours)],
        by_weekday=[_part(name, place) for name, place in zip(WEEKDAYS, checks.weekdays, strict=True)],
        reasons=[
            ReasonCount(verdict=verdict, reason=reason, checks=number)
            for (verdict, reason), number in checks.reasons.most_common(MOST_LISTED)
            if number
        ],
        only_source=_only_source(channels, ids, latest),
        rivals=_rivals(account_id, channels, streams, latest, accounts),
        mislabelled=mislabelled(
            {stream: result for stream, result in latest.items() if stream in ids}, streams, {account_id: account.name}
        ),
    )


def _refusals(result: Result) -> int:
    """Return how many tries of a check the provider refused as one connection too many."""
    tries = result.extra.get("tries")
    if isinstance(tries, list):
        return sum(isinstance(one, dict) and one.get("reason") == "provider_busy" for one in tries)
    return int(result.reason == "provider_busy")


def _totals(checks: _Checks, streams: int, in_channels: int) -> Totals:
    decided, starts = checks.decided, checks.starts
    working = sum(number for _, number in checks.weekdays)
    return Totals(
        streams=streams,
        in_channels=in_channels,
        checked=checks.streams,
        checks=decided,
        share_working=_share(working, decided),
        share_unstable=_share(checks.unstable, decided),
        refusals=checks.refusals,
        start_ms=round(median(starts)) if starts else None,
        slow_start_ms=round(quantiles(starts, n=10)[-1]) if len(starts) > 1 else None,
    )


def _part(name: str, place: Sequence[int]) -> PartOfTime:
    checks, working = place
    return PartOfTime(name=name, checks=checks, share_working=_share(working, checks))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _only_source(channels: Iterable[Channel], ids: set[int], latest: Mapping[int, Result]) -> list[OnlySource]:
    only = [channel for channel in channels if ids.issuperset(channel.stream_ids)]
    return [
        OnlySource(
            channel_id=channel.id,
            name=channel.name,
            working=sum(stream in latest and latest[stream].is_working for stream in channel.stream_ids),
        )
        for channel in only[:MOST_LISTED]
    ]


def _rivals(
    account_id: int,
    channels: Iterable[Channel],
    streams: Mapping[int, Stream],
    latest: Mapping[int, Result],
    accounts: Mapping[int, Account],
) -> list[Rival]:
    # Shared channels, and those in which this or the other account is better.
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for channel in channels:
        best: dict[int, float] = {}
        for stream_id in channel.stream_ids:
            stream, result = streams.get(stream_id), latest.get(stream_id)
            if stream is None or stream.account_id is None:
                continue
            score = result.score or 0.0 if result and result.is_working else 0.0
            best[stream.account_id] = max(best.get(stream.account_id, 0.0), score)
        own = best.pop(account_id, 0.0)
        for other, score in best.items():
            shared = counts[other]
            shared[0] += 1
            shared[1] += own > score
            shared[2] += score > own
    rivals = [
        Rival(
            account_id=other,
            name=accounts[other].name if other in accounts else str(other),
            channels=number,
            better=better,
            worse=worse,
        )
        for other, (number, better, worse) in counts.items()
    ]
    return sorted(rivals, key=lambda one: (-one.channels, one.account_id))[:MOST_LISTED]
