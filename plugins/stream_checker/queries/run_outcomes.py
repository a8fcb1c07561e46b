"""Outcomes of runs, cached because those of a finished run no longer change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, Field

from streamflow import names
from streamflow.records import Mode, RunState
from streamflow.udi.ports import Store

# More than the UDI keeps. When the cache is full, only the outcomes of the last request stay.
MAX_CACHED = 1000


class RunOutcome(BaseModel):
    """A summary of a run."""

    run_id: str = Field(description="Id of the run in Airflow", examples=["manual__2026-01-02T03:04:05+00:00"])
    mode: Mode = Field(description="Whether streams are checked at the same time or one after another")
    started_at: datetime = Field(description="Start of the run")
    finished_at: datetime | None = Field(description="End of the run; null while it runs")
    verdicts: Counter[str] = Field(
        description="Number of streams by verdict; those without a verdict are `pending`",
        examples=[{"ok": 40, "dead": 2}],
    )
    remaining: int = Field(description="Number of streams that are left for the next run of the chain")


class RunOutcomes:
    """Cache of run outcomes that reads unfinished runs each time. Thread-safe."""

    def __init__(self) -> None:
        self._finished: dict[str, RunOutcome] = {}

    def get(self, store: Store, run_ids: Iterable[str]) -> list[RunOutcome]:
        """Return the outcomes of the runs that the UDI holds, in the given order.

        :raises UdiUnavailable: when the UDI cannot be read.
        """
        cached, outcomes = self._finished, []
        for run_id in run_ids:
            if (outcome := cached.get(run_id)) is None and (state := store.runs.state(run_id)):
                outcome = _outcome(state)
            if outcome:
                outcomes.append(outcome)
        finished = {outcome.run_id: outcome for outcome in outcomes if outcome.finished_at}
        self._finished = cached | finished if len(cached) < MAX_CACHED else finished
        return outcomes

    def chain(self, store: Store, first: str, number: int) -> list[RunOutcome]:
        """Return the outcomes of the runs of a chain that the UDI holds, in their order.

        :param first: the id of its first run.
        :param number: the number of a run that the chain has.
        :raises UdiUnavailable: when the UDI cannot be read.
        """
        parts = self.get(store, (names.chain_part(first, part) for part in range(1, number + 1)))
        while following := self.get(store, [names.chain_part(first, number := number + 1)]):
            parts += following
        return parts


def _outcome(state: RunState) -> RunOutcome:
    return RunOutcome(
        run_id=state.run.run_id,
        mode=state.run.mode,
        started_at=state.run.started_at,
        finished_at=state.finished_at,
        verdicts=Counter(state.streams.values()),
        remaining=state.run.remaining,
    )
