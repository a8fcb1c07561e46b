"""The alerts about what runs and refreshes find. They name no stream's URL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol, TypeAlias

from pydantic import BaseModel

from streamflow import names
from streamflow.checking.circuit import OUTAGE
from streamflow.checking.outages import LINE_DOWN
from streamflow.masking import mask
from streamflow.plain_text import inert_text
from streamflow.records import DECIDED, Result, RunState
from streamflow.udi.ports import Store

MOST_NAMED = 20
# Past checks that are searched for the last verdict that decided something.
SEARCHED = 10
EXPIRY_NOTICE: Final = timedelta(days=7)
Named: TypeAlias = tuple[int | None, str]
MACHINE: Final[Named] = (None, "this machine")

Kind = Literal[
    "stream_dead",
    "channel_dark",
    "channel_back",
    "provider_down",
    "provider_back",
    "provider_refresh_failed",
    "line_down",
    "limit_exceeded",
    "workers_down",
    "window_too_short",
    "approval_needed",
    "account_expires",
    "night_report",
    "test",
]


class Subject(BaseModel):
    """The stream, channel or account of an alert; ``id`` is None for streams without an account and whole machines."""

    id: int | None
    name: str


class Alert(BaseModel):
    """An alert about ``count`` subjects, of which ``subjects`` names at most 20."""

    kind: Kind
    text: str
    count: int
    subjects: list[Subject]


@dataclass(frozen=True)
class Condition:
    """A state that is reported once for each subject, until it is over.

    :param title: what the text says about the number of subjects.
    :param holding: the subjects that are in this state.
    :param over: the subjects that were looked at and are not in this state.
    :param end: the kind and the title of the alert about subjects that were reported and are over.
    """

    kind: Kind
    title: str
    holding: Sequence[Named]
    over: Sequence[Named] = ()
    end: tuple[Kind, str] | None = None


class Memory(Protocol):
    """Remembers which subjects were reported."""

    def news(self, kind: str, holding: Set[str], over: Set[str]) -> tuple[Set[str], Set[str]]:
        """Remember the subjects that are in a state, and forget those that are not.

        :returns: those of ``holding`` that were not remembered, and those of ``over`` that were.
        """


def alerts(conditions: Iterable[Condition], memory: Memory) -> list[Alert]:
    """Return the alerts about what has changed since the last call with the same memory."""
    raised = []
    for condition in conditions:
        new, ended = memory.news(condition.kind, _keys(condition.holding), _keys(condition.over))
        raised.append(alert(condition.kind, condition.title, _chosen(condition.holding, new)))
        if condition.end:
            raised.append(alert(*condition.end, _chosen(condition.over, ended)))
    return [one for one in raised if one]


def of_run(
    store: Store, state: RunState, exceeded: Mapping[int, int] | None = None, unusable: Collection[str] = ()
) -> list[Condition]:
    """Return the states that a finished run found.

    :param exceeded: by account the number of connections above its limit.
    :param unusable: the reasons for which nobody can watch a degraded stream; such streams keep no channel alive.
    :raises UdiUnavailable: while the UDI is away.
    """
    results = _results(store, state)
    working = {result.stream_id for result in results.values() if result.is_working}
    died = [result.stream_id for result in results.values() if result.verdict == "dead" and _was_alive(store, result)]
    streams = store.library.streams([*died, *working])
    dark, lit = _dark(store, state, results, unusable)
    down, up = _outages(store, results)
    line_is_down = any(OUTAGE in result.extra and LINE_DOWN in (result.detail or "") for result in results.values())
    held, free = _held(store, state)
    refused, accepted = _by_account(store, results.values(), "provider_busy")
    lost, kept = _by_account(store, results.values(), "internal_error")
    left = _left(state)
    return [
        Condition(
            "line_down", "lines without a connection", [MACHINE] if line_is_down else [], [MACHINE] if working else []
        ),
        Condition(
            "provider_down",
            "providers that are down; nothing was held against their streams",
            [] if line_is_down else down,
            up,
            ("provider_back", "providers that work again"),
        ),
        Condition(
            "stream_dead",
            "newly dead streams",
            [(id, streams[id].name) for id in died if id in streams],
            [(id, streams[id].name) for id in working if id in streams],
        ),
        Condition(
            "channel_dark",
            "channels with no stream left that can be watched",
            dark,
            lit,
            ("channel_back", "channels that work again"),
        ),
        _limit_exceeded(store, refused, accepted, exceeded or {}),
        Condition("approval_needed", "channels keep dead streams: too many would be removed at once", held, free),
        Condition(
            "workers_down",
            "accounts with checks that ended without a verdict; are workers down? (checks)",
            lost,
            kept,
        ),
        Condition(
            "window_too_short",
            "schedules that did not get through in their window (streams left)",
            left,
            [] if left or state.run.remaining else [MACHINE],
        ),
    ]


def _limit_exceeded(
    store: Store, refused: Sequence[Named], accepted: Sequence[Named], exceeded: Mapping[int, int]
) -> Condition:
    names = {account.id: account.name for account in store.library.accounts()} if exceeded else {}
    above = [(id, f"{names.get(id, id)} ({count} above its limit)") for id, count in exceeded.items()]
    return Condition(
        "limit_exceeded",
        "accounts above their limit, or refused as using one connection too many (checks)",
        [*above, *(one for one in refused if one[0] not in exceeded)],
        [one for one in accepted if one[0] not in exceeded],
    )


def expiring(accounts: Iterable[tuple[int, str, datetime]], now: datetime) -> Condition:
    """Return which accounts end within a week.

    :param accounts: id, name and end of each account with an end.
    """
    named = [((id, f"{name} ({until:%Y-%m-%d})"), until - now <= EXPIRY_NOTICE) for id, name, until in accounts]
    return Condition(
        "account_expires",
        "accounts that end within a week",
        [one for one, is_near in named if is_near],
        [one for one, is_near in named if not is_near],
    )


def night_report(states: Sequence[RunState], now: datetime) -> Alert:
    """Return the digest of a night.

    :param states: the runs of the night's chain, in their order.
    """
    verdicts = Counter(verdict for state in states for verdict in state.streams.values())
    changed = {id for state in states for id, change in state.finished_channels.items() if change.moves}
    minutes = round((now - states[0].run.started_at).total_seconds() / 60)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    text = (
        f"Night report: {verdicts.total()} streams in {minutes // 60} h {minutes % 60} min"
        f"{': ' if counts else ''}{counts}; {len(changed)} channels changed"
    )
    return Alert(kind="night_report", text=text, count=verdicts.total(), subjects=[])


def _keys(subjects: Iterable[Named]) -> Set[str]:
    return {str(id) for id, _ in subjects}


def _chosen(subjects: Iterable[Named], keys: Set[str]) -> list[Named]:
    return [(id, name) for id, name in subjects if str(id) in keys]


def _results(store: Store, state: RunState) -> dict[int, Result]:
    """Return the run's own results; later runs may have replaced some."""
    ids = {*state.streams, *(twin for twins in state.run.twins.values() for twin in twins)}
    return {id: result for id, result in store.results.latest_of(ids).items() if result.run_id == state.run.run_id}


def _was_alive(store: Store, result: Result) -> bool:
    """Return whether the last check of another run that decided something found the stream alive, or there is none."""
    for past in store.results.history(result.stream_id, SEARCHED):
        if past.run_id != result.run_id and (past.is_working or past.verdict == "dead"):
            return past.is_working
    return True


def _outages(store: Store, results: Mapping[int, Result]) -> tuple[list[Named], list[Named]]:
    """Return the accounts that are down, and those with a stream that works."""
    down = {result.account_id for result in results.values() if OUTAGE in result.extra} - {None}
    up = {result.account_id for result in results.values() if result.is_working} - {None} - down
    names = {account.id: account.name for account in store.library.accounts()}
    return [(id, names.get(id or 0, str(id))) for id in sorted(down, key=str)], [
        (id, names.get(id or 0, str(id))) for id in sorted(up, key=str)
    ]


def _dark(
    store: Store, state: RunState, results: Mapping[int, Result], unusable: Collection[str]
) -> tuple[list[Named], list[Named]]:
    """Return the channels of the run without a usable stream, and those with one that the run found."""
    usable = {id for id, result in results.items() if result.is_usable(unusable)}
    lost = {id for id, result in results.items() if result.verdict in DECIDED} - usable
    channels = store.library.channels(state.run.channels)
    candidates = [channel for channel in channels if lost.intersection(channel.stream_ids)]
    latest = store.results.latest_of({stream for channel in candidates for stream in channel.stream_ids})
    lost = {id for id, result in latest.items() if result.verdict in DECIDED and not result.is_usable(unusable)}
    dark: list[Named] = [(channel.id, channel.name) for channel in candidates if lost.issuperset(channel.stream_ids)]
    return dark, [(channel.id, channel.name) for channel in channels if usable.intersection(channel.stream_ids)]


def _left(state: RunState) -> list[Named]:
    """Return the schedule whose window closed before the last run of its chain, named with the streams left."""
    left = state.reasons.get("window_closed", 0) + sum(why == "window_closed" for why in state.run.skipped.values())
    if not left or state.run.remaining:
        # The next run of the chain starts nothing any more, and counts all that is left.
        return []
    name = state.run.run_id.removeprefix(names.SCHEDULED_RUN).partition("__")[0]
    return [(None, f"{name} ({left})")]


def _held(store: Store, state: RunState) -> tuple[list[Named], list[Named]]:
    """Return the channels whose dead streams the run did not remove because they were too many, and the others."""
    held = {channel_id for channel_id, change in state.finished_channels.items() if change.held}
    channels = store.library.channels(list(state.finished_channels)) if state.finished_channels else []
    named: list[Named] = [(channel.id, channel.name) for channel in channels]
    return [one for one in named if one[0] in held], [one for one in named if one[0] not in held]


def _by_account(store: Store, results: Iterable[Result], reason: str) -> tuple[list[Named], list[Named]]:
    """Return the accounts with results of this reason, named with their number, the most first, and the others."""
    names = {account.id: account.name for account in store.library.accounts()}
    counts: Counter[int | None] = Counter()
    for result in results:
        counts[result.account_id] += result.reason == reason

    def name(id: int | None) -> str:
        return names.get(id, str(id)) if id is not None else "no account"

    return [(id, f"{name(id)} ({number})") for id, number in counts.most_common() if number], [
        (id, name(id)) for id, number in counts.items() if not number
    ]


def alert(kind: Kind, title: str, subjects: Sequence[Named]) -> Alert | None:
    """Return an alert about some subjects; None without any."""
    if not subjects:
        return None
    named = [Subject(id=id, name=inert_text(mask(name))) for id, name in subjects[:MOST_NAMED]]
    rest = f" and {len(subjects) - len(named)} more" if len(subjects) > len(named) else ""
    text = f"{len(subjects)} {title}: {', '.join(one.name for one in named)}{rest}"
    return Alert(kind=kind, text=text, count=len(subjects), subjects=named)
