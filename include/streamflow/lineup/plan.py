"""The plan of a search: the streams that each channel may get, the candidates to try, and the channels to hide."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from streamflow.config import Config
from streamflow.lineup.addition import Addition
from streamflow.lineup.choice import chosen
from streamflow.lineup.dark_channels import DarkChannels, was_shown_by_a_person
from streamflow.lineup.decisions import Pair, decisions
from streamflow.lineup.offer import Offer
from streamflow.matching.decision import Candidate
from streamflow.policies.fitting import policy_of
from streamflow.records import Channel, Decision
from streamflow.udi.ports import Store

# Candidates of one dead channel that a run tries.
MOST_TRIED = 10


class Plan(BaseModel):
    """The plan of one search.

    ``additions`` are the streams that channels may get. ``trials`` are the candidates of dead channels, which are
    checked first. ``hide`` and ``show`` are channels. ``candidates`` are all pairs that fit, also those for which there
    is no room.
    """

    additions: list[Addition] = Field(default_factory=list)
    trials: list[Addition] = Field(default_factory=list)
    hide: list[int] = Field(default_factory=list)
    show: list[int] = Field(default_factory=list)
    candidates: set[Pair] = Field(default_factory=set, exclude=True)


@dataclass(frozen=True)
class _Bounds:
    """The number of streams that each channel may reach; 0 for a channel that a policy leaves alone."""

    settings: Config
    groups: Mapping[int, str]

    def of(self, channel: Channel) -> int:
        policy = policy_of(self.settings.policies, channel, self.groups)
        most = self.settings.matching.most_per_channel
        return min(most, policy.max_streams or most) if policy.check else 0


def plan(store: Store, settings: Config, channel_ids: Sequence[int] | None = None) -> Plan:
    """Return what a search would change, by the rules and the decisions of persons.

    :param channel_ids: only these channels; None for all.
    """
    offer = Offer.read(store.library)
    decided = decisions(store)
    wanted = offer.channels.keys() if channel_ids is None else offer.channels.keys() & set(channel_ids)
    removed = store.results.removed_of_channels(wanted)
    candidates = _candidates(offer, settings, decided, wanted, removed)
    _leave_out_dead(store, settings, candidates)
    dark = DarkChannels.find(store, (offer.channels[id] for id in sorted(wanted)), settings)
    bounds = _Bounds(settings, offer.groups)
    action = settings.matching.dead_channels.action
    additions, trials = [], []
    for id in sorted(wanted):
        channel, found = offer.channels[id], candidates.get(id, {})
        if id in dark.dead and action == "replace" and bounds.of(channel):
            restorable = set(dark.dead[id]) & offer.free
            found |= {
                stream: "it was removed while it was dead"
                for stream in sorted(restorable)
                if not _is_kept_out(decided, (id, stream)) and not _rests(store, settings, [stream])
            }
            # The dead streams of the channel take no place.
            picked = chosen((), found, offer.streams, settings.matching, MOST_TRIED)
            trials += [Addition(channel_id=id, stream_id=stream, why=found[stream]) for stream in picked]
        elif found:
            picked = chosen(channel.stream_ids, found, offer.streams, settings.matching, bounds.of(channel))
            additions += [Addition(channel_id=id, stream_id=stream, why=found[stream]) for stream in picked]
    return Plan(
        additions=additions,
        trials=trials[: settings.max_streams_per_run],
        hide=[
            id
            for id in dark.dead
            if action == "hide"
            and not offer.channels[id].is_hidden
            and bounds.of(offer.channels[id])
            and not was_shown_by_a_person(store, offer.channels[id])
        ],
        show=list(dark.revived),
        candidates={
            *((channel, stream) for channel, found in candidates.items() for stream in found),
            *((trial.channel_id, trial.stream_id) for trial in trials),
        },
    )


def replacements(store: Store, trials: Iterable[Addition]) -> list[Addition]:
    """Return those of the tried candidates that work, the best first."""
    trials = list(trials)
    results = store.results.latest_of({trial.stream_id for trial in trials})

    def rank(trial: Addition) -> tuple[bool, float]:
        result = results[trial.stream_id]
        return result.verdict != "ok", -(result.score or result.quality or 0)

    working = [trial for trial in trials if trial.stream_id in results and results[trial.stream_id].is_working]
    return sorted(working, key=rank)


def digest(settings: Config) -> str:
    """Return a digest of the settings that decide what a search finds; a change of them makes the next search dry."""
    section = settings.matching.model_dump_json(exclude={"enabled", "approve", "refresh_providers", "refresh_hours"})
    return hashlib.sha256(section.encode()).hexdigest()


def _is_kept_out(decided: Mapping[Pair, Decision], pair: Pair) -> bool:
    return pair in decided and decided[pair].keeps_out


def _rests(store: Store, settings: Config, stream_ids: Iterable[int]) -> set[int]:
    """Return the streams that were found dead a short while ago; they are not tried again yet."""
    now, pause = datetime.now(UTC), settings.freshness_hours.pause("dead")
    results = store.results.latest_of(stream_ids)
    return {id for id, result in results.items() if result.verdict == "dead" and result.checked_at + pause > now}


def _leave_out_dead(store: Store, settings: Config, candidates: dict[int, dict[int, str]]) -> None:
    dead = _rests(store, settings, {stream for found in candidates.values() for stream in found})
    for found in candidates.values():
        for stream in dead.intersection(found):
            del found[stream]


def _candidates(
    offer: Offer,
    settings: Config,
    decided: Mapping[Pair, Decision],
    wanted: Iterable[int],
    removed: Mapping[int, Mapping[int, int]],
) -> dict[int, dict[int, str]]:
    """Return the candidates of each channel with the evidence: those that stronger ways found first.

    The policy for dead streams brings the streams back that it removed from a channel.
    """
    channels = set(wanted)
    found: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    rules = settings.matching.rules
    for outcome in offer.outcomes(rules):
        if isinstance(outcome, Candidate) and outcome.channel_id in channels:
            pair = outcome.channel_id, outcome.stream_id
            if not _is_kept_out(decided, pair) and outcome.stream_id not in removed.get(outcome.channel_id, {}):
                strength = rules[outcome.rule].by.index(outcome.by)
                found[outcome.channel_id].append((strength, outcome.stream_id, outcome.evidence))
    return {channel: {stream: why for _, stream, why in sorted(listed)} for channel, listed in found.items()}
