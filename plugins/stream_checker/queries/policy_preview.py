"""The effect of policies on channels, computed from stored results without any connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import BaseModel, Field

from streamflow.config import Config
from streamflow.ordering.finish import arrange
from streamflow.ordering.replay import PastChannel, replay
from streamflow.policies.fitting import fits, place_of, policy_of
from streamflow.policies.policy import Policy
from streamflow.records import Channel, Move, Result, Stream
from streamflow.udi.ports import Store


class PolicyUse(BaseModel):
    """A policy, and the number of channels that it applies to."""

    name: str = Field(description="Name of the policy; its place in the list where it has none", examples=["Sports"])
    channels: int = Field(description="Number of channels that it applies to")


class PreviewedChannel(BaseModel):
    """A channel with its present order and the one by the policies."""

    channel_id: int = Field(description="Id of the channel in Dispatcharr")
    name: str = Field(description="Name of the channel", examples=["Das Erste"])
    policy: str | None = Field(description="Name of the policy that applies; null for the general settings")
    checked: bool = Field(description="Whether the channel is checked; false when its policy excludes it")
    before: list[int] = Field(description="Ids of the streams in the present order")
    after: list[int] = Field(description="Ids of the streams in the new order")
    removed: list[int] = Field(description="Ids of the streams that leave the channel")
    moves: list[Move] = Field(description="Moves of streams, with their reasons")


class NightTotals(BaseModel):
    """The figures of one night over all replayed channels."""

    moves: int = Field(description="Number of streams that change places")
    first_dead: int = Field(description="Number of channels whose first stream was dead when it was checked")


class ReplayedNight(BaseModel):
    """One night by the stored policies and by the proposed ones."""

    night: date = Field(description="Day of the checks (UTC)")
    before: NightTotals = Field(description="Figures by the stored policies")
    after: NightTotals = Field(description="Figures by the proposed policies")


@dataclass(frozen=True)
class PolicyEffects:
    """The effects of some settings on the channels of a store. Its methods raise UdiUnavailable."""

    store: Store
    settings: Config

    def uses(self, channels: Iterable[Channel]) -> list[PolicyUse]:
        """Return the number of channels that each policy applies to; of one that only pins, those that it fits."""
        groups, counts = self._groups(), Counter[int]()
        policies = self.settings.policies
        for channel in channels:
            place = place_of(policies, channel, groups)
            counts.update([] if place is None else [place])
            counts.update(place for place, one in enumerate(policies) if one.only_pins and fits(one, channel, groups))
        return [PolicyUse(name=label(policies, place), channels=counts[place]) for place in range(len(policies))]

    def preview(self, channels: Iterable[Channel]) -> list[PreviewedChannel]:
        """Return the order that each channel would get now."""
        groups = self._groups()
        return [self._previewed(channel, groups) for channel in channels]

    def _previewed(self, channel: Channel, groups: dict[int, str]) -> PreviewedChannel:
        place = place_of(self.settings.policies, channel, groups)
        new = arrange(self.store, channel.id, channel.stream_ids, self.settings)
        return PreviewedChannel(
            channel_id=channel.id,
            name=channel.name,
            policy=None if place is None else label(self.settings.policies, place),
            checked=place is None or self.settings.policies[place].check,
            before=list(channel.stream_ids),
            after=list(new.order.stream_ids),
            removed=list(new.order.removed),
            moves=list(new.moves()),
        )

    def _groups(self) -> dict[int, str]:
        return {group.id: group.name for group in self.store.library.groups()}


def replayed_nights(
    store: Store, channels: Sequence[Channel], stored: Config, proposed: Config, nights: int
) -> list[ReplayedNight]:
    """Return the last nights of the channels' history by the stored and by the proposed settings.

    :raises UdiUnavailable: when the UDI cannot be read.
    """
    groups = {group.id: group.name for group in store.library.groups()}
    accounts = {account.id: account for account in store.library.accounts()}
    totals: dict[date, tuple[Counter[str], Counter[str]]] = {}
    streams = store.library.streams({stream for channel in channels for stream in channel.stream_ids})
    histories = store.results.histories(streams)
    for channel in channels:
        past = _past(channel, streams, histories, nights)
        for side, settings in enumerate((stored, proposed)):
            policy = policy_of(settings.policies, channel, groups)
            for night, figures in replay(past, settings, policy, accounts).items():
                total = totals.setdefault(night, (Counter(), Counter()))[side]
                total.update(moves=figures.moves, first_dead=figures.first_dead)
    return [
        ReplayedNight(night=night, before=_total(totals[night][0]), after=_total(totals[night][1]))
        for night in sorted(totals)
    ]


def sum_of(nights: Iterable[NightTotals]) -> NightTotals:
    """Return the figures of several nights together."""
    total = Counter[str]()
    for night in nights:
        total.update(night.model_dump())
    return _total(total)


def label(policies: Sequence[Policy], place: int) -> str:
    """Return the name of a policy, or its place from 1 for one without a name."""
    return policies[place].name or f"Policy {place + 1}"


def _total(counts: Counter[str]) -> NightTotals:
    return NightTotals(moves=counts["moves"], first_dead=counts["first_dead"])


def _past(
    channel: Channel, streams: Mapping[int, Stream], histories: Mapping[int, list[Result]], nights: int
) -> PastChannel:
    """Return a channel with the results of its last nights."""
    own = {stream: histories.get(stream, []) for stream in channel.stream_ids}
    newest = max((past[0].checked_at for past in own.values() if past), default=None)
    if newest is not None:
        first = newest - timedelta(days=nights)
        own = {stream: [one for one in past if one.checked_at > first] for stream, past in own.items()}
    return PastChannel(channel.stream_ids, streams, own)
