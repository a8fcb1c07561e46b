"""Runs: their plans and their progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from streamflow.records.change import ChannelChange

Mode = Literal["concurrent", "sequential"]


class Run(BaseModel):
    """A planned run: the streams that it probes and the channels that it finishes.

    ``channels`` maps each channel to those of its streams that this run checks (perhaps none). ``twins`` maps a stream
    of ``stream_ids`` to other streams with the same URL in the same account, which share its result without a probe of
    their own. ``skipped`` maps each skipped stream to the reason.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    started_at: datetime
    mode: Mode
    params: dict[str, Any] = Field(default_factory=dict)
    stream_ids: tuple[int, ...]
    channels: dict[int, tuple[int, ...]]
    twins: dict[int, tuple[int, ...]] = Field(default_factory=dict)
    skipped: dict[int, str] = Field(default_factory=dict)
    # The end of the playback that made a skipped stream fresh.
    watched: dict[int, datetime] = Field(default_factory=dict)
    # Streams of radio channels: no video is expected of them.
    radio_stream_ids: tuple[int, ...] = ()
    # Streams left for the next run of the chain.
    remaining: int = 0
    # The streams of ``stream_ids`` by their account.
    accounts: dict[int, tuple[int, ...]] = Field(default_factory=dict)
    # Those of them that worked at their last decided check.
    alive: dict[int, tuple[int, ...]] = Field(default_factory=dict)

    @property
    def waits(self) -> dict[int, tuple[int, ...]]:
        """Return for each channel those of ``stream_ids`` whose results it waits for."""
        probed = {twin: stream for stream, twins in self.twins.items() for twin in twins}
        return {
            channel: tuple(dict.fromkeys(probed.get(stream, stream) for stream in streams))
            for channel, streams in self.channels.items()
        }


class AccountShare(BaseModel):
    """The streams of some accounts in a run, and those of them that worked at their last decided check."""

    stream_ids: tuple[int, ...] = ()
    alive: tuple[int, ...] = ()


class RunState(BaseModel):
    """The progress of a run.

    ``streams`` maps each planned stream to its verdict, or ``pending``. ``verdicts`` and ``reasons`` count the settled
    streams.
    """

    run: Run
    streams: dict[int, str]
    verdicts: dict[str, int]
    reasons: dict[str, int]
    finished_channels: dict[int, ChannelChange]
    finished_at: datetime | None = None
    summary: dict[str, Any] | None = None

    @classmethod
    def of(
        cls,
        run: Run,
        *,
        streams: Mapping[int, tuple[str | None, str | None]],
        finished_channels: Iterable[ChannelChange],
        finished_at: datetime | None,
        summary: dict[str, Any] | None,
    ) -> RunState:
        """Return the state of a run from what a store keeps.

        :param streams: verdict and reason of each stream, both empty for a stream that is not settled.
        """
        return cls(
            run=run,
            streams={stream: verdict or "pending" for stream, (verdict, _) in streams.items()},
            verdicts=dict(Counter(verdict for verdict, _ in streams.values() if verdict)),
            reasons=dict(Counter(reason for _, reason in streams.values() if reason)),
            finished_channels={change.channel_id: change for change in finished_channels},
            finished_at=finished_at,
            summary=summary,
        )
