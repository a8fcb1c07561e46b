"""How runs ended, kept in memory: what an ended run found does not change any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, Field

from streamflow.records import Mode, RunState
from streamflow.udi.ports import Store

# The UDI keeps fewer; then those asked for last are kept.
MOST_KEPT = 1000


class RunOutcome(BaseModel):
    """A run in short; ``verdicts`` counts its streams, those without one yet as ``pending``."""

    run_id: str
    mode: Mode
    started_at: datetime
    finished_at: datetime | None
    verdicts: dict[str, int] = Field(examples=[{"ok": 40, "dead": 2}])


class RunOutcomes:
    """Thread-safe. Only runs that have not ended are read again."""

    def __init__(self) -> None:
        self._ended: dict[str, RunOutcome] = {}

    def of(self, store: Store, run_ids: Iterable[str]) -> list[RunOutcome]:
        """The outcomes of the runs that the UDI holds, in the given order. Raises UdiUnavailable."""
        known, found = self._ended, []
        for run_id in run_ids:
            if (outcome := known.get(run_id)) is None and (state := store.runs.state(run_id)):
                outcome = _outcome(state)
            if outcome:
                found.append(outcome)
        ended = {outcome.run_id: outcome for outcome in found if outcome.finished_at}
        self._ended = known | ended if len(known) < MOST_KEPT else ended
        return found


def _outcome(state: RunState) -> RunOutcome:
    return RunOutcome(
        run_id=state.run.run_id,
        mode=state.run.mode,
        started_at=state.run.started_at,
        finished_at=state.finished_at,
        verdicts=dict(Counter(state.streams.values())),
    )
