"""Channels without a working stream: which ones are dead for certain, and which hidden ones work again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from streamflow.config import Config
from streamflow.records import Channel, DeadMemory, Result
from streamflow.udi.ports import Store

# The newest runs that are searched for unfinished ones, which may still withdraw results.
RUNS = 10


@dataclass(frozen=True)
class DarkChannels:
    """The channels that are dead, and the channels that StreamFlow has hidden and that work again.

    :param dead: dead channels, with the streams that the policy removed from each.
    :param revived: hidden channels with a stream that can be watched.
    """

    dead: dict[int, tuple[int, ...]]
    revived: tuple[int, ...]

    @classmethod
    def find(cls, store: Store, channels: Iterable[Channel], settings: Config) -> DarkChannels:
        """Judge channels by the latest results of their streams.

        A channel is dead when every stream was found dead at ``matching.dead_channels.after_failures`` checks in a
        row. While a run checks one of them, or while no stream of one of their accounts works, nothing is certain: a
        provider may be down.
        """
        action = settings.matching.dead_channels.action
        listed = list(channels)
        hidden = [channel for channel in listed if channel.is_hidden and was_hidden_by_streamflow(store, channel.id)]
        if action == "none" and not hidden:
            return cls({}, ())
        removed = store.results.removed_of_channels([channel.id for channel in listed])
        members = {channel.id: (*channel.stream_ids, *removed.get(channel.id, {})) for channel in listed}
        results = store.results.latest_of({stream for streams in members.values() for stream in streams})
        unusable = settings.scoring.unusable_reasons
        revived = tuple(
            channel.id
            for channel in hidden
            if action != "hide" or any(results[id].is_usable(unusable) for id in channel.stream_ids if id in results)
        )
        if action == "none":
            return cls({}, revived)
        dead = {
            id: streams
            for id, streams in members.items()
            if streams and all(stream in results and results[stream].verdict == "dead" for stream in streams)
        }
        certain = _certain(store, dead, results, settings)
        return cls({id: tuple(removed.get(id, {})) for id in certain}, revived)


def was_hidden_by_streamflow(store: Store, channel_id: int) -> bool:
    """Return whether the last change that hid or showed a channel was to hide it."""
    return next((change.hidden for change in store.runs.changes(channel_id) if change.hidden is not None), None) is True


def was_shown_by_a_person(store: Store, channel: Channel) -> bool:
    """Return whether a person has put a channel back that StreamFlow had hidden."""
    return not channel.is_hidden and was_hidden_by_streamflow(store, channel.id)


def _certain(
    store: Store, dead: Mapping[int, Sequence[int]], results: Mapping[int, Result], settings: Config
) -> list[int]:
    """Return those of the dead channels of which it is certain."""
    streams = {stream for one in dead.values() for stream in one}
    if not streams:
        return []
    least, memories = settings.matching.dead_channels.after_failures, store.results.dead_memory(streams)
    failing = {stream for stream in streams if memories.get(stream, DeadMemory()).failures >= least}
    busy = _unfinished_channels(store)
    suspects = {results[stream].account_id for stream in failing} - _working_accounts(store)
    return [
        id
        for id, members in dead.items()
        if id not in busy
        and failing.issuperset(members)
        and not any(results[stream].account_id in suspects for stream in members)
    ]


def _unfinished_channels(store: Store) -> set[int]:
    """Return the channels of the runs that have not ended."""
    states = (store.runs.state(run_id) for run_id in store.runs.newest(RUNS))
    return {channel for state in states if state and not state.finished_at for channel in state.run.channels}


def _working_accounts(store: Store) -> set[int | None]:
    """Return the accounts with a stream that worked at its last check, and those with one checked stream alone."""
    working = set(store.results.streams_of_verdict("ok")) | set(store.results.streams_of_verdict("degraded"))
    dead = set(store.results.streams_of_verdict("dead"))
    accounts: set[int | None] = {None}
    for account in store.library.accounts():
        own = set(store.library.streams_of_account(account.id))
        if own & working or len(own & dead) == 1:
            accounts.add(account.id)
    return accounts
