"""The alerts that a finished run raises. They name no stream's URL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from pydantic import BaseModel

from streamflow.checking.circuit import OUTAGE
from streamflow.masking import mask
from streamflow.plain_text import inert_text
from streamflow.records import Result, RunState
from streamflow.udi.ports import Store

MOST_NAMED = 20
# Past checks that are searched for the last verdict that decided something.
SEARCHED = 10
# The results of an account that are compared with the check before.
MOST_ASKED = 5
Named: TypeAlias = tuple[int | None, str]

Kind = Literal[
    "streams_dead",
    "channel_dark",
    "account_over_limit",
    "checks_lost",
    "approval_needed",
    "provider_down",
    "provider_back",
]


class Subject(BaseModel):
    """The stream, channel or account of an alert; ``id`` is None for streams without an account."""

    id: int | None
    name: str


class Alert(BaseModel):
    """An alert about ``count`` subjects, of which ``subjects`` names at most 20."""

    kind: Kind
    text: str
    count: int
    subjects: list[Subject]


def alerts(store: Store, state: RunState) -> list[Alert]:
    """Return the alerts about what a run found changed.

    :raises UdiUnavailable: while the UDI is away.
    """
    results = _results(store, state)
    died = [result.stream_id for result in results.values() if result.verdict == "dead" and _was_alive(store, result)]
    streams = store.library.streams(died)
    refused = _by_account(store, results.values(), "provider_busy")
    lost = _by_account(store, results.values(), "internal_error")
    down, back = _outages(store, results)
    candidates = [
        _alert("provider_down", "providers that are down; nothing was held against their streams", down),
        _alert("provider_back", "providers that work again", back),
        _alert("streams_dead", "newly dead streams", [(id, streams[id].name) for id in died if id in streams]),
        _alert("channel_dark", "channels with no working stream left", _dark(store, state, set(died))),
        _alert("account_over_limit", "accounts refused as using one connection too many (checks)", refused),
        _alert("approval_needed", "channels keep dead streams: too many would be removed at once", _held(store, state)),
        _alert("checks_lost", "accounts with checks that ended without a verdict; are workers down? (checks)", lost),
    ]
    return [alert for alert in candidates if alert]


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
    """Return the accounts that are down since this run, and those that work again since this run."""
    out: dict[int, list[Result]] = {}
    working: dict[int, list[Result]] = {}
    for result in results.values():
        if result.account_id is not None and (OUTAGE in result.extra or result.is_working):
            found = out if OUTAGE in result.extra else working
            found.setdefault(result.account_id, []).append(result)
    down = {id for id, some in out.items() if not _were_out(store, some)}
    back = {id for id, some in working.items() if id not in out and _were_out(store, some)}
    names = {account.id: account.name for account in store.library.accounts()}
    return [(id, names.get(id, str(id))) for id in sorted(down)], [(id, names.get(id, str(id))) for id in sorted(back)]


def _were_out(store: Store, results: Sequence[Result]) -> bool:
    """Return whether one of the first results followed a check that was undecided because of an outage."""
    return any(_was_out(store, result) for result in results[:MOST_ASKED])


def _was_out(store: Store, result: Result) -> bool:
    """Return whether the check before, of another run, was undecided because of an outage."""
    past = store.results.history(result.stream_id, SEARCHED)
    before = next((one for one in past if one.run_id != result.run_id), None)
    return before is not None and OUTAGE in before.extra


def _dark(store: Store, state: RunState, died: set[int]) -> list[tuple[int, str]]:
    """Return the channels whose streams are all dead since this run."""
    channels = store.library.channels(state.run.channels)
    channels = [channel for channel in channels if died.intersection(channel.stream_ids)]
    results = store.results.latest_of({stream for channel in channels for stream in channel.stream_ids})
    return [
        (channel.id, channel.name)
        for channel in channels
        if all(stream in results and results[stream].verdict == "dead" for stream in channel.stream_ids)
    ]


def _held(store: Store, state: RunState) -> list[tuple[int, str]]:
    """Return the channels whose dead streams the run did not remove because they were too many."""
    held = [channel_id for channel_id, change in state.finished_channels.items() if change.held]
    return [(channel.id, channel.name) for channel in store.library.channels(held)] if held else []


def _by_account(store: Store, results: Iterable[Result], reason: str) -> list[tuple[int | None, str]]:
    """Return the accounts with results of this reason, named with their number, the most first."""
    names = {account.id: account.name for account in store.library.accounts()}
    counts = Counter(result.account_id for result in results if result.reason == reason)
    return [
        (id, f"{names.get(id, id) if id is not None else 'no account'} ({number})")
        for id, number in counts.most_common()
    ]


def _alert(kind: Kind, title: str, subjects: Sequence[tuple[int | None, str]]) -> Alert | None:
    if not subjects:
        return None
    named = [Subject(id=id, name=inert_text(mask(name))) for id, name in subjects[:MOST_NAMED]]
    rest = f" and {len(subjects) - len(named)} more" if len(subjects) > len(named) else ""
    text = f"{len(subjects)} {title}: {', '.join(one.name for one in named)}{rest}"
    return Alert(kind=kind, text=text, count=len(subjects), subjects=named)
