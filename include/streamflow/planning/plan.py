"""The plan of a run: its channels and streams, the order of the checks, and their mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from streamflow.config import Config
from streamflow.planning.last_checks import LastChecks
from streamflow.planning.params import CheckParams
from streamflow.planning.radio import radio_streams
from streamflow.planning.rounds import in_rounds
from streamflow.planning.selection import Selection, select
from streamflow.policies.fitting import policy_of
from streamflow.records import Account, Mode, Run, Stream
from streamflow.udi.ports import Store


@dataclass(frozen=True)
class Request:
    """The request for a run.

    :param since: when the chain of runs began: streams that were checked since then are done.
    :param redis_up: Redis is there to limit concurrent checks.
    """

    run_id: str
    params: CheckParams
    now: datetime
    since: datetime | None = None
    redis_up: bool = True


@dataclass(frozen=True)
class Triage:
    """The selected streams: those that are due, and the reason to skip each of the others.

    ``watched`` maps those that were played for long enough since their last check to the end of that playback.
    """

    due: frozenset[int]
    skipped: dict[int, str]
    watched: dict[int, datetime]


def plan(store: Store, settings: Config, request: Request) -> Run:
    """Plan one run of at most ``max_streams_per_run`` streams.

    :raises UnknownRecord: for an id that the UDI does not hold.
    """
    selection, excluded = _without_excluded(store, select(store, request.params), settings)
    checks = LastChecks.load(store, selection.stream_ids)
    accounts = {account.id: account for account in store.library.accounts()}
    triage = _triage(selection, checks, _active(store, accounts.values()), settings, request)
    chosen = _bounded(_by_urgency(selection, triage, checks, request), settings.max_streams_per_run)
    probed, twins = _probed(store, chosen)
    mode = _mode(settings, request)
    radio = radio_streams(selection, store.library.groups())
    return Run(
        run_id=request.run_id,
        started_at=request.now,
        mode=mode,
        params=request.params.model_dump(mode="json"),
        stream_ids=tuple(_ordered(probed, accounts, settings, mode)),
        channels=_members(selection, chosen),
        twins=twins,
        skipped=_skipped(triage, excluded, is_first=request.since is None),
        watched=triage.watched if request.since is None else {},
        accounts=_by_account(probed),
        alive=_by_account(stream for stream in probed if checks.was_alive(store, stream.id)),
        radio_stream_ids=tuple(stream.id for stream in probed if stream.is_radio or stream.id in radio),
        remaining=len(triage.due) - len(chosen),
    )


def chain_of_runs(store: Store, settings: Config, request: Request) -> list[list[Stream]]:
    """Return the streams that each run of a chain would probe, in the order of their checks.

    :raises UnknownRecord: for an id that the UDI does not hold.
    """
    selection, _ = _without_excluded(store, select(store, request.params), settings)
    checks = LastChecks.load(store, selection.stream_ids)
    accounts = {account.id: account for account in store.library.accounts()}
    triage = _triage(selection, checks, _active(store, accounts.values()), settings, request)
    batches, mode, runs = _by_urgency(selection, triage, checks, request), _mode(settings, request), []
    while chosen := _bounded(batches, settings.max_streams_per_run):
        probed = {stream.id: stream for stream in _probed(store, chosen)[0]}
        runs.append([probed[stream] for stream in _ordered(list(probed.values()), accounts, settings, mode)])
        batches = [[stream for stream in batch if stream not in chosen] for batch in batches]
    return runs


def _probed(store: Store, chosen: Iterable[int]) -> tuple[list[Stream], dict[int, tuple[int, ...]]]:
    """Return those of the chosen streams that are probed, and the twins that share their results."""
    streams = store.library.streams(chosen)
    twins = _twins(streams[stream] for stream in chosen if stream in streams)
    shared = {twin for others in twins.values() for twin in others}
    return [streams[stream] for stream in chosen if stream in streams and stream not in shared], twins


def _without_excluded(store: Store, selection: Selection, settings: Config) -> tuple[Selection, set[int]]:
    """Return the selection without the channels that a policy excludes, and the streams that are in no other one."""
    if all(policy.check for policy in settings.policies):
        return selection, set()
    names = {group.id: group.name for group in store.library.groups()}
    checked = [one for one in selection.channels if policy_of(settings.policies, one, names).check]
    streams = {one.id: selection.streams[one.id] for one in checked}
    narrowed = replace(selection, channels=tuple(checked), streams=streams)
    return narrowed, set(selection.stream_ids).difference(narrowed.stream_ids)


def _by_account(streams: Iterable[Stream]) -> dict[int, tuple[int, ...]]:
    """Return the streams of each account."""
    accounts: dict[int, list[int]] = {}
    for stream in streams:
        if stream.account_id is not None:
            accounts.setdefault(stream.account_id, []).append(stream.id)
    return {account: tuple(ids) for account, ids in accounts.items()}


def _active(store: Store, accounts: Iterable[Account]) -> set[int]:
    """Return the streams that can be checked; Dispatcharr leaves those of inactive accounts in their channels."""
    inactive = [store.library.streams_of_account(account.id) for account in accounts if not account.is_active]
    return set(store.library.stream_ids()).difference(*inactive)


def _skipped(triage: Triage, excluded: Iterable[int], *, is_first: bool) -> dict[int, str]:
    """Return the reason to skip each stream. The first run of a chain counts them for all its runs."""
    if is_first:
        return {**dict.fromkeys(excluded, "excluded"), **triage.skipped}
    return {stream: reason for stream, reason in triage.skipped.items() if reason == "window_closed"}


def _triage(selection: Selection, checks: LastChecks, active: set[int], settings: Config, request: Request) -> Triage:
    due, skipped, watched = set(), {}, {}
    window = request.params.window
    is_closed = window is not None and window.is_closed(request.now)
    for stream in selection.stream_ids:
        if request.since and stream in checks.times and checks.times[stream] >= request.since:
            continue
        if not request.params.force and checks.is_fresh(stream, settings.freshness_hours, request.now):
            skipped[stream] = "fresh"
            if checks.is_watched(stream, settings.freshness_hours, request.now):
                watched[stream] = checks.watched[stream].ended_at
        elif stream not in active:
            skipped[stream] = "account_inactive"
        elif is_closed:
            skipped[stream] = "window_closed"
        else:
            due.add(stream)
    return Triage(frozenset(due), skipped, watched)


def _by_urgency(selection: Selection, triage: Triage, checks: LastChecks, request: Request) -> list[list[int]]:
    """Return the streams that are due, channel by channel, the most urgent first.

    A run that may be cut off checks single streams instead, those first that have waited longest. Otherwise it would
    begin with the same streams of each channel every night.
    """
    batches = [[stream for stream in batch if stream in triage.due] for batch in selection.batches]
    window = request.params.window
    if window is None or window.until is None:
        return sorted(batches, key=lambda batch: checks.urgency(batch, request.now))
    singles = [[stream] for stream in dict.fromkeys(chain.from_iterable(batches))]
    return sorted(singles, key=lambda single: checks.urgency(single, request.now, by_age=True))


def _bounded(batches: Iterable[list[int]], most: int) -> dict[int, None]:
    """Return the streams of the whole channels that fit into one run, or a part of the first channel."""
    chosen: dict[int, None] = {}
    for batch in batches:
        new = [stream for stream in batch if stream not in chosen]
        if len(chosen) + len(new) <= most:
            chosen.update(dict.fromkeys(new))
        elif not chosen:
            return dict.fromkeys(new[:most])
    return chosen


def _twins(streams: Iterable[Stream]) -> dict[int, tuple[int, ...]]:
    """Return the first stream of each URL that an account has several times, with the others."""
    same: dict[tuple[int | None, str], list[int]] = {}
    for stream in streams:
        if stream.url:
            same.setdefault((stream.account_id, stream.url), []).append(stream.id)
    return {first: tuple(others) for first, *others in same.values() if others}


def _members(selection: Selection, chosen: Mapping[int, None]) -> dict[int, tuple[int, ...]]:
    """Return the chosen streams of each channel that has any."""
    members = {
        channel: tuple(stream for stream in streams if stream in chosen)
        for channel, streams in selection.streams.items()
    }
    return {channel: streams for channel, streams in members.items() if streams}


def _mode(settings: Config, request: Request) -> Mode:
    if request.params.mode == "sequential" or not request.redis_up:
        return "sequential"
    is_concurrent = request.params.mode == "concurrent" or settings.concurrent_streams.enabled
    return "concurrent" if is_concurrent else "sequential"


def _ordered(streams: list[Stream], accounts: Mapping[int, Account], settings: Config, mode: Mode) -> list[int]:
    if mode == "concurrent":
        return in_rounds(streams, accounts, settings.concurrent_streams.global_limit)
    return [stream.id for stream in streams]
