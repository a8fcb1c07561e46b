"""A small library with passwords in its URLs: three accounts, two channels, results of every verdict, one run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import account_limiter
from account_limiter import Granted, Lease, Limiter, Request
from streamflow.records import (
    Account,
    AudioTrack,
    Channel,
    ChannelChange,
    DeadMemory,
    Group,
    Move,
    Profile,
    Result,
    Run,
    Stream,
)
from streamflow.udi import Udi
from streamflow.udi.snapshot import Snapshot

SECRET = "hunter2-secret"
RUN = "manual__2026-01-02T03:04:05+00:00"
NOW = datetime.now(UTC).replace(microsecond=0)
STREAMS = 30

ACCOUNTS = [
    Account(id=1, name="Provider A", max_streams=3, budget="a", profiles=(Profile(id=1, name=SECRET),)),
    Account(id=2, name="Provider B", account_type="XC", max_streams=1, budget="b"),
    Account(id=3, name="Endless", budget="c"),
]


def url(stream_id: int) -> str:
    """Return the URL of a stream, which contains a password."""
    return f"http://provider.invalid:8080/live/user/{SECRET}/{stream_id}.ts"


def snapshot() -> Snapshot:
    """Return the accounts, streams and channels."""
    streams = [
        Stream(
            id=id,
            name=f"Channel {(id - 1) % 10 + 1} {'HD' if id % 2 else 'UHD'}",
            url=url(id),
            account_id=(id - 1) % 3 + 1,
            group_id=1,
        )
        for id in range(1, STREAMS + 1)
    ]
    channels = [
        Channel(id=1, name="Das Erste", number=1, group_id=1, uuid="u-1", stream_ids=(2, 1, 3)),
        Channel(id=2, name="Second", own_name="Zweites", number=2.5, group_id=1, stream_ids=(4, 5, 6)),
    ]
    return Snapshot(accounts=ACCOUNTS, groups=[Group(id=1, name="News")], streams=streams, channels=channels)


def result(stream_id: int, **more: Any) -> Result:
    """Return a good result with other values for the fields in ``more``."""
    good: dict[str, Any] = {
        "account_id": (stream_id - 1) % 3 + 1,
        "checked_at": NOW - timedelta(minutes=stream_id),
        "verdict": "ok",
        "elapsed_s": 10.2,
        "first_frame_ms": 420,
        "width": 1920,
        "height": 1080,
        "fps": 25.0,
        "video_codec": "h264",
        "bitrate_kbps": 6120,
        "container": "mpegts",
        "audio": (AudioTrack(codec="aac", channels=2, sample_rate=48000, language="eng"),),
        "score": 0.83,
    }
    return Result.model_validate(good | {"stream_id": stream_id} | more)


def fill(store: Udi) -> None:
    """Publish the library with results and a half-finished run."""
    store.publish(snapshot(), force=True)
    for id in range(7, 21):
        measured = {
            "score": round(0.9 - id / 50, 2),
            "quality": 2 + id * 5 % 13 / 10,
            "bitrate_kbps": 2000 + 137 * id % 1000,
        }
        store.runs.settle("no run", result(id, **measured))
    store.runs.settle("no run", result(21, verdict="degraded", reason="frozen_video", frozen_ratio=0.9))
    store.runs.settle("no run", result(22, verdict="unknown", reason="provider_busy"))
    store.runs.settle("no run", result(1, checked_at=NOW - timedelta(days=2), score=0.4))
    store.runs.open(
        Run(
            run_id=RUN,
            started_at=NOW - timedelta(seconds=60),
            mode="concurrent",
            params={"force": True},
            stream_ids=(1, 2, 3, 4, 5, 6),
            channels={1: (1, 2, 3), 2: (4, 5, 6)},
            skipped={7: "fresh"},
        )
    )
    store.runs.settle(RUN, result(1, run_id=RUN, checked_at=NOW))
    store.runs.settle(RUN, result(2, run_id=RUN, checked_at=NOW, verdict="dead", reason="http_404", score=0.0))
    store.runs.settle(RUN, result(3, run_id=RUN, checked_at=NOW, score=0.7))
    store.results.remember_dead({2: DeadMemory(failures=2, first_dead=NOW - timedelta(days=1))})
    store.results.remember_dead({9: DeadMemory(failures=3, removed_from={1: 1})})
    store.runs.finish_channel(
        ChannelChange(
            channel_id=1,
            run_id=RUN,
            at=NOW,
            before=(2, 1, 3, 9),
            after=(1, 3, 2),
            moves=(
                Move(stream_id=1, before=1, after=0, why="best score 0.83"),
                Move(stream_id=2, before=0, after=2, why="dead: http_404"),
                Move(stream_id=9, before=3, after=None, why="dead 3 times in a row"),
            ),
            stays=(Move(stream_id=3, before=1, after=1, why="score 0.70 is within 0.05 of 0.72"),),
            held=(2,),
            written=True,
        )
    )
    store.library.reorder(1, (1, 3, 2))
    store.progress.publish(
        4, {"seconds": 3.2, "bytes": 2_400_000, "bitrate_kbps": 6000, "first_frame_ms": 300, "phase": "sampling"}
    )


def limits(limiter: Limiter) -> Lease:
    """Configure the accounts, take a slot of the first two, and queue a waiter.

    :returns: the lease of the first account.
    """
    limiter.configure(
        accounts=[account_limiter.AccountLimit(one.id, one.name, one.max_streams) for one in ACCOUNTS],
        global_limit=10,
        stagger_delay=0,
    )
    limiter.open_now()
    limiter.set_viewers({"account-1": 1})
    labels = {"stream_id": 4, "dag_id": "check_streams", "run_id": RUN, "map_index": 3}
    granted = limiter.acquire(Request("lease-4", 1, expected_seconds=10, labels=labels), "holder")
    assert isinstance(granted, Granted)
    limiter.acquire(Request("lease-5", 2, labels={"stream_id": 5}), "holder")
    limiter.acquire(Request("lease-6", 2, labels={"stream_id": 6}), "holder")
    return granted.lease
