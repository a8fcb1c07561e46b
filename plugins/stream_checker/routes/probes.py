"""``/probes``: the checks that hold a slot now, and their progress."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from account_limiter import LeaseState, Limiter, LimiterUnavailable
from stream_checker.http.access import Reader
from stream_checker.http.problems import responses
from stream_checker.queries.stream_names import NamedStream, StreamNames
from stream_checker.resources import OpenLimiter, OpenStore
from streamflow import config

router = APIRouter(prefix="/probes", tags=["probes"], dependencies=[Reader])


class RunningProbe(NamedStream):
    """A check in progress."""

    phase: str = Field(
        description="`granted` until its task has returned for the slot, `starting` until the probe reports its first "
        "progress, then the phase of the probe",
        examples=["sampling"],
    )
    seconds: float = Field(default=0.0, description="Seconds since the start of the probe")
    bytes: int = Field(default=0, description="Bytes received")
    bitrate_kbps: int | None = Field(default=None, description="Bitrate so far; null until it is known")
    first_frame_ms: int | None = Field(
        default=None, description="Milliseconds until the first picture; null until there is one"
    )
    run_id: str | None = Field(
        default=None, description="Id of the run; null for a check without a slot, while Redis is unavailable"
    )
    map_index: int | None = Field(default=None, description="Index of the mapped task; null as `run_id`")


class RunningProbes(BaseModel):
    """All checks in progress."""

    sample_seconds: float = Field(description="Seconds that a probe measures, unless its run sets another time")
    probes: list[RunningProbe] = Field(description="Checks in the order of their stream ids")


@router.get("", responses=responses(401, 403, 503))
def list_probes(store: OpenStore, limiter: OpenLimiter) -> RunningProbes:
    """Return every check in progress in the order of the stream ids."""
    progress, leases = store.progress.running(), leases_by_stream(limiter)
    ids = sorted({*progress, *leases})
    names = StreamNames(store, ids)
    probes = []
    for id in ids:
        lease = leases.get(id)
        state = {"phase": "starting" if lease and lease.state == "held" else "granted"} | progress.get(id, {})
        task = {name: lease.labels.get(name) for name in ("run_id", "map_index")} if lease else {}
        probes.append(RunningProbe(**dict(names.named(id)), **state, **task))
    return RunningProbes(sample_seconds=config.load().probe.sample_seconds, probes=probes)


def leases_by_stream(limiter: Limiter) -> dict[int, LeaseState]:
    """Return the leases by the stream that each is held for; none while Redis is unavailable."""
    try:
        leases = limiter.snapshot().leases
    except LimiterUnavailable:
        return {}
    return {lease.labels["stream_id"]: lease for lease in leases if lease.labels.get("stream_id") is not None}
