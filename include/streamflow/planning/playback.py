"""The playback of a channel, followed by Dispatcharr's events. Pure: events in, playbacks out.

Dispatcharr sends an event once, without a repetition, and events may overtake each other. So the events of a channel
are kept in the order of their times, and read again with each further one. A session counts as evidence only when all
that is known about it agrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from streamflow.records import Playback
from streamflow.records.record import Record

Kind = Literal["channel_start", "stream_switch", "channel_reconnect", "channel_stop"]
# Dispatcharr has reported an event twice when two of one kind about one stream are at most this far apart.
SAME = timedelta(seconds=2)
# The events of a channel that are kept. A session that has more, or lasts longer, is no evidence.
MOST_EVENTS = 100
KEPT = timedelta(days=2)
# The order of events of one second: a channel is often stopped and started at once.
RANKS: tuple[Kind, ...] = ("channel_stop", "channel_start", "stream_switch", "channel_reconnect")
# Dispatcharr counts the length of a session from its preparation, some seconds before the event of its start.
TOLERANCE = timedelta(seconds=30)
EVENTS: frozenset[str] = frozenset(RANKS)


class PlaybackEvent(Record):
    """An event of a channel that is watched.

    :param at: the time at which Dispatcharr sent it.
    :param stream_id: the stream that plays from now on; None where the event does not name it.
    :param url_hash: the hash of that stream's present URL; at the end, of the stream that played last.
    :param runtime: seconds for which the channel was played, at its end; None where Dispatcharr does not tell.
    :param total_bytes: the bytes that the provider sent meanwhile; None where Dispatcharr does not tell.
    """

    kind: Kind
    at: datetime
    stream_id: int | None = None
    url_hash: str = ""
    runtime: float | None = None
    total_bytes: int | None = None

    def is_repeated(self, other: PlaybackEvent) -> bool:
        """Return whether another event is a second report of this one."""
        same = (self.kind, self.stream_id) == (other.kind, other.stream_id)
        return same and abs(self.at - other.at) <= SAME


class Watched(Record):
    """The last events of a channel, in the order of their times."""

    channel_id: int
    events: tuple[PlaybackEvent, ...] = ()

    @property
    def stream_id(self) -> int | None:
        """Return the stream that played last, as far as it is known."""
        named = (one.stream_id for one in reversed(self.events) if one.kind in ("channel_start", "stream_switch"))
        return next(named, None)

    def playbacks(self) -> list[Playback]:
        """Return the playbacks that the events prove."""
        found: list[Playback] = []
        # The present session: its start, and its playbacks so far, the last one without its end.
        begun_at, parts = None, list[Playback]()
        for event in self.events:
            match event.kind:
                case "channel_start":
                    # A session without an end was lost: nobody knows how long its last stream was played.
                    found += parts[:-1]
                    begun_at, parts = event.at, [self._part(event)] if event.stream_id is not None else []
                case "stream_switch" if parts:
                    parts[-1] = _ended(parts[-1], event.at, breaks=1)
                    if event.stream_id is None:
                        # Nobody knows which stream plays now.
                        found += parts
                        parts = []
                    else:
                        parts.append(self._part(event))
                case "channel_reconnect" if parts:
                    parts[-1] = _ended(parts[-1], event.at, breaks=1)
                case "channel_stop" if parts and begun_at:
                    found += (
                        [*parts[:-1], _ended(parts[-1], event.at)] if _is_whole(event, begun_at, parts) else parts[:-1]
                    )
                    parts = []
        return [*found, *parts[:-1]]

    def _part(self, event: PlaybackEvent) -> Playback:
        """Return the playback that an event begins."""
        return Playback(
            stream_id=event.stream_id,
            channel_id=self.channel_id,
            url_hash=event.url_hash,
            begun_at=event.at,
            ended_at=event.at,
        )


def after(watched: Watched, event: PlaybackEvent) -> tuple[Watched, list[Playback]]:
    """Return the events of a channel with a further one, and the playbacks that are new or changed by it.

    A playback with the stream and the start of an earlier one replaces it. One that turns out to be none has no length.
    """
    if any(event.is_repeated(known) for known in watched.events):
        return watched, []
    events = sorted((*watched.events, event), key=lambda one: (one.at, RANKS.index(one.kind)))
    kept = tuple(one for one in events if events[-1].at - one.at <= KEPT)[-MOST_EVENTS:]
    new = watched.model_copy(update={"events": kept})
    before, now = ({(one.stream_id, one.begun_at): one for one in each.playbacks()} for each in (watched, new))
    gone = [] if kept[0] != events[0] else [one for key, one in before.items() if key not in now]
    void = [one.model_copy(update={"ended_at": one.begun_at, "breaks": 0}) for one in gone]
    return new, [*(one for key, one in now.items() if before.get(key) != one), *void]


def _ended(playback: Playback, at: datetime, *, breaks: int = 0) -> Playback:
    return playback.model_copy(update={"ended_at": at, "breaks": playback.breaks + breaks})


def _is_whole(stop: PlaybackEvent, begun_at: datetime, parts: Sequence[Playback]) -> bool:
    """Return whether what Dispatcharr tells at the end agrees with what the events before it say."""
    is_same = stop.url_hash in ("", parts[-1].url_hash)
    if stop.runtime is None:
        return is_same and stop.total_bytes != 0
    # Dispatcharr leaves a number of zero out.
    length = timedelta(seconds=stop.runtime)
    return is_same and bool(stop.total_bytes) and abs(stop.at - begun_at - length) <= TOLERANCE
