"""The summary of a run."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from streamflow.records import RunState


def run_summary(state: RunState, now: datetime, *, next_run_id: str | None) -> dict[str, Any]:
    """Return counts by verdict and reason, channels finished and changed, and the seconds the run took.

    :param next_run_id: the next run of the chain; None where this run is the last.
    """
    changes = state.finished_channels.values()
    return {
        "mode": state.run.mode,
        "streams": len(state.streams),
        "verdicts": dict(Counter(state.streams.values())),
        "reasons": state.reasons,
        "skipped": dict(Counter(state.run.skipped.values())),
        "channels": len(state.run.channels),
        "channels_changed": sum(bool(change.moves) for change in changes),
        "conflicts": sum(change.conflict is not None for change in changes),
        "elapsed_s": round((now - state.run.started_at).total_seconds(), 1),
        "remaining": state.run.remaining,
        "next_run_id": next_run_id,
    }
