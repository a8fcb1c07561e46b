"""``/probes``: the probes now running."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from stream_checker.access import Reader
from stream_checker.labels import Labelled, Labels
from stream_checker.problems import responses
from stream_checker.stores import Udi
from streamflow import config

router = APIRouter(prefix="/probes", tags=["probes"], dependencies=[Reader])


class RunningProbe(Labelled):
    """``seconds`` since its start; ``bitrate_kbps`` and ``first_frame_ms`` are null until they are known."""

    phase: str
    seconds: float
    bytes: int
    bitrate_kbps: int | None
    first_frame_ms: int | None


class RunningProbes(BaseModel):
    """``sample_seconds`` is how long a probe measures, unless its run asked for something else."""

    sample_seconds: float
    probes: list[RunningProbe]


@router.get("", responses=responses(401, 403, 503))
def probes(store: Udi) -> RunningProbes:
    """Every running probe with its progress, in the order of the streams' ids."""
    running = store.running()
    labels = Labels(store, running)
    listed = [RunningProbe(**state, **dict(labels.of(id))) for id, state in sorted(running.items())]
    return RunningProbes(sample_seconds=config.load().probe.sample_seconds, probes=listed)
