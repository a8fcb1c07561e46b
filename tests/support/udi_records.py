"""Records for the tests of the UDI."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from streamflow.records import Account, Channel, ChannelChange, Group, Playback, Result, Run, Stream
from streamflow.udi.snapshot import Snapshot

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def stream(stream_id: int, **fields: Any) -> Stream:
    given = {"name": f"Stream {stream_id}", "url": f"http://provider/{stream_id}", "account_id": 1, "group_id": 7}
    return Stream(id=stream_id, **(given | fields))


def library(*streams: Stream, channels: dict[int, tuple[int, ...]] | None = None) -> Snapshot:
    """Return a snapshot with streams in one account and group, and channels of the given streams in group 8."""
    members = {1: (10, 11), 2: (11, 12)} if channels is None else channels
    return Snapshot(
        accounts=[Account(id=1, name="One", max_streams=2), Account(id=2, name="Two")],
        groups=[Group(id=7, name="Streams"), Group(id=8, name="Channels")],
        streams=list(streams or (stream(10), stream(11), stream(12))),
        channels=[Channel(id=key, name=f"Channel {key}", group_id=8, stream_ids=ids) for key, ids in members.items()],
    )


def result(stream_id: int, verdict: str = "ok", *, minutes: float = 0, **fields: Any) -> Result:
    """Return a result of ``minutes`` after :data:`NOW`."""
    given = {"run_id": "run", "account_id": 1, "width": 1920, "height": 1080}
    at = NOW + timedelta(minutes=minutes)
    return Result(stream_id=stream_id, checked_at=at, verdict=verdict, **(given | fields))


def planned(run_id: str = "run", channels: dict[int, tuple[int, ...]] | None = None, *, minutes: float = 0) -> Run:
    """Return a run over the given channels, or over channels 1 and 2, which share stream 11."""
    # Runs expire, so that these must have started near the present time.
    started_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=minutes)
    members = {1: (10, 11), 2: (11, 12)} if channels is None else channels
    ids = tuple(dict.fromkeys(i for streams in members.values() for i in streams))
    return Run(run_id=run_id, started_at=started_at, mode="concurrent", stream_ids=ids, channels=members)


def change(channel_id: int, run_id: str | None = "run", *, minutes: float = 0, **fields: Any) -> ChannelChange:
    given = {"before": (10, 11), "after": (11, 10), "written": True}
    return ChannelChange(channel_id=channel_id, run_id=run_id, at=NOW + timedelta(minutes=minutes), **(given | fields))


def playback(stream_id: int, minutes: float = 0, **fields: Any) -> Playback:
    """Return a playback of twenty minutes that began ``minutes`` after :data:`NOW`."""
    begin = NOW + timedelta(minutes=minutes)
    given = {"channel_id": 1, "url_hash": "hash", "begun_at": begin, "ended_at": begin + timedelta(minutes=20)}
    return Playback.model_validate({"stream_id": stream_id} | given | fields)
