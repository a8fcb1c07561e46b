"""A library and results for the tests of modules that use the UDI."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamflow.records import Account, Channel, Group, Result, Stream, Verdict
from streamflow.udi.ports import Store
from streamflow.udi.snapshot import Snapshot
from streamflow.udi.sqlite.store import FileStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def stream(stream_id: int, account_id: int | None = 1, **fields: Any) -> Stream:
    known = {"name": f"stream {stream_id}", "url": f"http://provider.test/live/u/p/{stream_id}.ts"}
    return Stream(id=stream_id, account_id=account_id, **(known | fields))


def result(stream_id: int, verdict: Verdict = "ok", at: datetime = NOW, **fields: Any) -> Result:
    known: dict[str, Any] = {"account_id": 1, "url_hash": stream(stream_id).url_hash}
    if verdict == "ok":
        known |= {"width": 1280, "height": 720, "fps": 25.0, "video_codec": "h264", "bitrate_kbps": 3000}
    return Result(stream_id=stream_id, verdict=verdict, checked_at=at, **(known | fields))


def stored(
    folder: Path,
    channels: dict[int, Iterable[int]],
    *,
    accounts: Iterable[Account] = (Account(id=1, name="one", max_streams=2, budget="account-1"),),
    streams: Iterable[Stream] | None = None,
) -> Store:
    """Return a file store with these channels of streams; channel 1 is in group 10, channel 2 in group 20 and so on."""
    listed = [
        Channel(id=i, name=f"channel {i}", number=i, group_id=i * 10, stream_ids=tuple(s)) for i, s in channels.items()
    ]
    known = streams if streams is not None else [stream(i) for i in {i for c in listed for i in c.stream_ids}]
    store = FileStore(folder / "udi.db")
    store.publish(
        Snapshot(
            accounts=list(accounts),
            groups=[Group(id=i * 10, name=f"group {i}") for i in channels],
            streams=list(known),
            channels=listed,
        )
    )
    return store
