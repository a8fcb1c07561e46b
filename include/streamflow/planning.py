"""The plan of a run: which channels, which of their streams, in which order, and in which mode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from streamflow.config import Config
from streamflow.errors import UnknownRecord
from streamflow.udi.models import Account, Channel, Result, Stream
from streamflow.udi.store import Mode, Run, Store

# A chain checks a stream once, whatever came of it.
DECIDED = ("ok", "degraded", "dead")
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
    candidates = {channel.id: _candidates(store, channel, wanted) for channel in channels}
    ids = list(dict.fromkeys([*(i for listed in candidates.values() for i in listed), *wanted.stream_ids]))
    streams, results = store.streams(ids), store.results(ids)
    accounts = {account.id: account for account in store.accounts()}
    fresh_from = now - timedelta(hours=settings.freshness_hours)
    skipped: dict[int, str] = {}
    pending: dict[int, Stream] = {}
    for stream_id in ids:
        stream, result = streams.get(stream_id), results.get(stream_id)
        if since and result and result.checked_at >= since:
            continue
        # Dispatcharr leaves out the streams of inactive accounts, but not from their channels.
        if stream is None or not _is_active(stream, accounts):
            skipped[stream_id] = "account_inactive"
        elif not wanted.force and _is_fresh(stream, result, fresh_from):
            skipped[stream_id] = "fresh"
        else:
            pending[stream_id] = stream
    chosen = _bounded(candidates, pending, settings.max_streams_per_run)
    mode = _mode(settings, wanted, redis_up)
    order = list(chosen)
    if mode == "concurrent":
        order = interleaved([pending[i] for i in chosen], accounts, settings.concurrent_streams.global_limit)
    members = {channel.id: tuple(i for i in candidates[channel.id] if i in chosen) for channel in channels}
    return Run(
        run_id=run_id,
        started_at=now,
        mode=mode,
        params=wanted.model_dump(mode="json"),
        stream_ids=tuple(order),
        channels={channel: checked for channel, checked in members.items() if checked},
        skipped=skipped,
        remaining=len(pending) - len(chosen),
    )


def _channels(store: Store, wanted: CheckParams) -> list[Channel]:
    """The channels that pass the filters of channels and groups, and hold a wanted stream."""
    known = {channel.id: channel for channel in store.channels(wanted.channel_ids or None)}
    _must_know("channel_ids", wanted.channel_ids, known)
    if wanted.group_ids:
        _must_know("group_ids", wanted.group_ids, {group.id for group in store.groups()})
    if wanted.account_ids:
        _must_know("account_ids", wanted.account_ids, {account.id for account in store.accounts()})
    found = list(known.values())
    if wanted.group_ids:
        found = [channel for channel in found if channel.group_id in wanted.group_ids]
    if wanted.stream_ids:
        _must_know("stream_ids", wanted.stream_ids, store.streams(wanted.stream_ids))
        holding = {channel for stream in wanted.stream_ids for channel in store.channels_of_stream(stream)}
        found = [channel for channel in found if channel.id in holding]
    return sorted(found, key=lambda channel: (channel.number is None, channel.number or 0, channel.id))


def _must_know(field: str, ids: Iterable[int], known: Iterable[int]) -> None:
    missing = sorted(set(ids) - set(known))
    if missing:
        raise UnknownRecord(
            f"{field}: the UDI holds no {', '.join(map(str, missing))}; correct the ids, or run refresh_udi first"
        )


def _candidates(store: Store, channel: Channel, wanted: CheckParams) -> list[int]:
    """The channel's streams, and those that the dead-stream policy took out, as far as they are wanted."""
    ids: Iterable[int] = dict.fromkeys([*channel.stream_ids, *store.removed_streams(channel.id)])
    if wanted.stream_ids:
        ids = [i for i in ids if i in wanted.stream_ids]
    if wanted.account_ids:
        streams = store.streams(ids)
        ids = [i for i in ids if i in streams and streams[i].account_id in wanted.account_ids]
    return list(ids)


def _is_active(stream: Stream, accounts: dict[int, Account]) -> bool:
    account = accounts.get(stream.account_id) if stream.account_id is not None else None
    return account is None or account.is_active


def _is_fresh(stream: Stream, result: Result | None, fresh_from: datetime) -> bool:
    return (
        result is not None
        and result.verdict in DECIDED
        and result.checked_at >= fresh_from
        and result.url_hash == stream.url_hash
    )


def _bounded(candidates: dict[int, list[int]], pending: dict[int, Stream], most: int) -> dict[int, None]:
    """Whole channels as long as they fit, so that each is finished by one run; at least a part of the first."""
    chosen: dict[int, None] = {}
    in_channels = {i for listed in candidates.values() for i in listed}
    for listed in [*candidates.values(), *([i] for i in pending if i not in in_channels)]:
        new = [i for i in listed if i in pending and i not in chosen]
        if len(chosen) + len(new) <= most:
            chosen.update(dict.fromkeys(new))
        elif not chosen:
            return dict.fromkeys(new[:most])
    return chosen


def _mode(settings: Config, wanted: CheckParams, redis_up: bool) -> Mode:
    if wanted.mode == "sequential" or not redis_up:
        return "sequential"
    return "concurrent" if wanted.mode == "concurrent" or settings.concurrent_streams.enabled else "sequential"


def interleaved(streams: Iterable[Stream], accounts: dict[int, Account], global_limit: int) -> list[int]:
    """The order in which as few tasks as possible start only to wait.

    An account with ``n`` slots can start ``n`` streams at once and the next ``n`` when those have ended: each stream
    gets the number of its turn. Within a turn the account with the most turns to come is first, since it ends last.
    """
    listed = list(streams)
    counts = Counter(stream.account_id for stream in listed)

    def slots(account_id: int | None) -> int:
        account = accounts.get(account_id) if account_id is not None else None
        return (account.max_streams if account else 0) or global_limit or UNLIMITED

    turn: dict[int, tuple[int, float]] = {}
    started: Counter[int | None] = Counter()
    for stream in listed:
        account_id = stream.account_id
        turn[stream.id] = (
            started[account_id] // slots(account_id),
            -(counts[account_id] - started[account_id]) / slots(account_id),
        )
        started[account_id] += 1
    return [stream.id for stream in sorted(listed, key=lambda stream: turn[stream.id])]
