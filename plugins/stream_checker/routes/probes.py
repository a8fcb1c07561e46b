"""``/probes``: the probes now running."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from stream_checker.access import Reader
from stream_checker.problems import responses
from stream_checker.stores import Udi
from streamflow import config

router = APIRouter(prefix="/probes", tags=["probes"], dependencies=[Reader])


class RunningProbe(BaseModel):
    """``seconds`` since its start; ``bitrate_kbps`` and ``first_frame_ms`` are null until they are known."""

    model_config = ConfigDict(extra="ignore")

    stream_id: int
    name: str | None
    account_id: int | None
    account: str | None
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
    streams = store.streams(running)
    accounts = {account.id: account.name for account in store.accounts()}
    listed = []
    for id, state in sorted(running.items()):
        stream = streams.get(id)
        account_id = stream.account_id if stream else None
        listed.append(
            RunningProbe(
                **state,
                stream_id=id,
                name=stream.name if stream else None,
                account_id=account_id,
                account=accounts.get(account_id) if account_id is not None else None,
            )
        )
    return RunningProbes(sample_seconds=config.load().probe.sample_seconds, probes=listed)
