"""The plan of a run: which channels, which of their streams, in which order, and in which mode."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from streamflow.config import Config
from streamflow.errors import UnknownRecord
from streamflow.records import Account, Channel, Mode, Run, Stream, Verdict
from streamflow.udi.ports import Store

# A chain checks a stream once, whatever came of it.
DECIDED: tuple[Verdict, ...] = ("ok", "degraded", "dead")
UNLIMITED = 1_000


class CheckParams(BaseModel):
    """What a run is asked for: the params of the DAG ``check_streams``. An empty list lets everything through."""

    model_config = ConfigDict(frozen=True)

    channel_ids: tuple[int, ...] = ()
    group_ids: tuple[int, ...] = ()
    account_ids: tuple[int, ...] = ()
    stream_ids: tuple[int, ...] = ()
    force: bool = False
    mode: Literal["auto", "concurrent", "sequential"] = "auto"
    sample_seconds: float | None = Field(default=None, gt=0, le=600)
    write_back: bool = True


def plan(
    store: Store,
    settings: Config,
    wanted: CheckParams,
    *,
    run_id: str,
    now: datetime,
    redis_up: bool,
    since: datetime | None = None,
) -> Run:
    """Plan one run of at most ``max_streams_per_run`` streams; raises UnknownRecord for an id the UDI does not know.

    :param since: when the chain of runs began: what was checked from then on is done.
    """
    channels = _channels(store, wanted)
    candidates = _candidates(store, channels, wanted)
    ids = dict.fromkeys([*(i for listed in candidates.values() for i in listed), *wanted.stream_ids])
    checked = store.results.last_checks()
    if since:
        ids = dict.fromkeys(i for i in ids if i not in checked or checked[i] < since)
    accounts = {account.id: account for account in store.library.accounts()}
    active = _active(store, accounts.values())
    changed = store.results.changed_urls(i for i in ids if i in checked)
    fresh: set[int] = set()
    if not wanted.force:
        for verdict in DECIDED:
            fresh_from = now - settings.freshness_hours.pause(verdict)
            decided = ids.keys() & set(store.results.streams_of_verdict(verdict))
            fresh |= {i for i in decided if i not in changed and checked[i] >= fresh_from}
    pending = {i for i in ids if i in active and i not in fresh}
    failing = set(store.results.streams_of_verdict("dead"))

    def need(channel_id: int) -> tuple[int, datetime]:
        """New and changed streams come first, then failing ones, then those that were checked longest ago."""
        due = [i for i in candidates[channel_id] if i in pending]
        if any(i not in checked or i in changed for i in due):
            return 0, now
        return (1 if any(i in failing for i in due) else 2), min((checked[i] for i in due), default=now)

    in_channels = {i for listed in candidates.values() for i in listed}
    due = [[i for i in candidates[channel_id] if i in pending] for channel_id in sorted(candidates, key=need)]
    due += [[i] for i in wanted.stream_ids if i in pending and i not in in_channels]
    chosen = _bounded(due, settings.max_streams_per_run)
    streams = store.library.streams(chosen)
    twins = _twins([streams[i] for i in chosen if i in streams])
    shared = {twin for others in twins.values() for twin in others}
    order = [i for i in chosen if i not in shared]
    mode = _mode(settings, wanted, redis_up)
    if mode == "concurrent":
        probed = [streams[i] for i in order if i in streams]
        order = in_rounds(probed, accounts, settings.concurrent_streams.global_limit)
    members = {channel.id: tuple(i for i in candidates[channel.id] if i in chosen) for channel in channels}
    return Run(
        run_id=run_id,
        started_at=now,
        mode=mode,
        params=wanted.model_dump(mode="json"),
        stream_ids=tuple(order),
        channels={channel: listed for channel, listed in members.items() if listed},
        twins=twins,
        # A chain's first run tells it for all of them.
        skipped={} if since else {i: "fresh" if i in fresh else "account_inactive" for i in ids if i not in pending},
        remaining=len(pending) - len(chosen),
    )


def _channels(store: Store, wanted: CheckParams) -> list[Channel]:
    """The channels that pass the filters of channels and groups, and hold a wanted stream."""
    known = {channel.id: channel for channel in store.library.channels(wanted.channel_ids or None)}
    _must_know("channel_ids", wanted.channel_ids, known)
    if wanted.group_ids:
        _must_know("group_ids", wanted.group_ids, {group.id for group in store.library.groups()})
    if wanted.account_ids:
        _must_know("account_ids", wanted.account_ids, {account.id for account in store.library.accounts()})
    found = list(known.values())
    if wanted.group_ids:
        found = [channel for channel in found if channel.group_id in wanted.group_ids]
    if wanted.stream_ids:
        _must_know("stream_ids", wanted.stream_ids, store.library.streams(wanted.stream_ids))
        holding = {channel for stream in wanted.stream_ids for channel in store.library.channels_of_stream(stream)}
        found = [channel for channel in found if channel.id in holding]
    return sorted(found, key=lambda channel: (channel.number is None, channel.number or 0, channel.id))


def _must_know(field: str, ids: Iterable[int], known: Iterable[int]) -> None:
    missing = sorted(set(ids) - set(known))
    if missing:
        raise UnknownRecord(
            f"{field}: the UDI holds no {', '.join(map(str, missing))}; correct the ids, or run refresh_udi first"
        )


def _candidates(store: Store, channels: list[Channel], wanted: CheckParams) -> dict[int, list[int]]:
    """Each channel's streams, and those that the dead-stream policy took out, as far as they are wanted."""
    removed = store.results.removed_of_channels([channel.id for channel in channels])
    wanted_streams = set(wanted.stream_ids)
    of_accounts = {i for account in wanted.account_ids for i in store.library.streams_of_account(account)}
    return {
        channel.id: [
            i
            for i in dict.fromkeys([*channel.stream_ids, *removed.get(channel.id, ())])
            if (not wanted_streams or i in wanted_streams) and (not wanted.account_ids or i in of_accounts)
        ]
        for channel in channels
    }


def _active(store: Store, accounts: Iterable[Account]) -> set[int]:
    """The streams that can be checked. Dispatcharr leaves out those of inactive accounts, but not from channels."""
    inactive = {
        i for account in accounts if not account.is_active for i in store.library.streams_of_account(account.id)
    }
    return set(store.library.stream_ids()) - inactive


def _bounded(due: Iterable[list[int]], most: int) -> dict[int, None]:
    """Whole channels as long as they fit, so that each is finished by one run; at least a part of the first."""
    chosen: dict[int, None] = {}
    for listed in due:
        new = [i for i in listed if i not in chosen]
        if len(chosen) + len(new) <= most:
            chosen.update(dict.fromkeys(new))
        elif not chosen:
            return dict.fromkeys(new[:most])
    return chosen


def _twins(streams: Iterable[Stream]) -> dict[int, tuple[int, ...]]:
    """The first stream of each URL and account that several have, with the others."""
    same: dict[tuple[int | None, str], list[int]] = {}
    for stream in streams:
        if stream.url:
            same.setdefault((stream.account_id, stream.url), []).append(stream.id)
    return {first: tuple(others) for first, *others in same.values() if others}


def _mode(settings: Config, wanted: CheckParams, redis_up: bool) -> Mode:
    if wanted.mode == "sequential" or not redis_up:
        return "sequential"
    return "concurrent" if wanted.mode == "concurrent" or settings.concurrent_streams.enabled else "sequential"


def in_rounds(streams: Iterable[Stream], accounts: dict[int, Account], global_limit: int) -> list[int]:
    """The order in which the run ends soonest, and in which as few tasks as possible start only to wait.

    What can be checked at once makes a round. In each the account with the most rounds to come is served first, since
    the run lasts as long as that one does; the others share what the global limit leaves.
    """
    waiting: dict[str, deque[int]] = {}
    widths: dict[str, int] = {}
    for stream in streams:
        account = accounts.get(stream.account_id) if stream.account_id is not None else None
        budget = (account.budget or str(account.id)) if account else ""
        waiting.setdefault(budget, deque()).append(stream.id)
        widths[budget] = min(_connections(account) if account else UNLIMITED, widths.get(budget, UNLIMITED))
    order: list[int] = []
    while waiting:
        room = global_limit or UNLIMITED
        for budget in sorted(waiting, key=lambda budget: -len(waiting[budget]) / widths[budget]):
            listed = waiting[budget]
            served = min(room, widths[budget], len(listed))
            order += [listed.popleft() for _ in range(served)]
            room -= served
            if not listed:
                del waiting[budget]
    return order


def _connections(account: Account) -> int:
    """How many streams of the account can be open at once, by all its active profiles."""
    limits = [profile.max_streams for profile in account.profiles if profile.is_active] or [account.max_streams]
    return sum(limits) if all(limits) else UNLIMITED
