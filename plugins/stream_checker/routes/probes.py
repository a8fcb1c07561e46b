"""``/probes``: the checks that hold a slot now, and how far each is."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from account_limiter import LeaseState, Limiter, LimiterUnavailable
from stream_checker.http.access import Reader
from stream_checker.http.problems import responses
from stream_checker.queries.stream_names import NamedStream, StreamNames
from stream_checker.resources import Limits, Udi
from streamflow import config

router = APIRouter(prefix="/probes", tags=["probes"], dependencies=[Reader])


class RunningProbe(NamedStream):
    """``phase`` is ``granted`` until its task has come back for the slot, ``starting`` until the probe tells of itself.

    ``seconds`` is since the probe's start; ``bitrate_kbps`` and ``first_frame_ms`` are null until they are known. The
    run and its mapped task are null for a check that needs no slot, while Redis is away.
    """

    phase: str
    seconds: float = 0.0
    bytes: int = 0
    bitrate_kbps: int | None = None
    first_frame_ms: int | None = None
    run_id: str | None = None
    map_index: int | None = None


class RunningProbes(BaseModel):
    """``sample_seconds`` is how long a probe measures, unless its run asked for something else."""

    sample_seconds: float
    probes: list[RunningProbe]


@router.get("", responses=responses(401, 403, 503))
def probes(store: Udi, limiter: Limits) -> RunningProbes:
    """Every check under way with its progress, in the order of the streams' ids."""
    running, leases = store.progress.running(), leased(limiter)
    ids = sorted({*running, *leases})
    labels = StreamNames(store, ids)
    listed = []
    for id in ids:
        lease = leases.get(id)
        told = {"phase": "starting" if lease and lease.state == "held" else "granted"} | running.get(id, {})
        task = {name: lease.labels.get(name) for name in ("run_id", "map_index")} if lease else {}
        listed.append(RunningProbe(**dict(labels.of(id)), **told, **task))
    return RunningProbes(sample_seconds=config.load().probe.sample_seconds, probes=listed)


def leased(limiter: Limiter) -> dict[int, LeaseState]:
    """The leases by the stream that each is held for; none while Redis is away."""
    try:
        leases = limiter.snapshot().leases
    except LimiterUnavailable:
        return {}
    return {lease.labels["stream_id"]: lease for lease in leases if lease.labels.get("stream_id") is not None}
