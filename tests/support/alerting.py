"""A run whose end can raise alerts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from streamflow.records import Account, Run
from streamflow.udi.ports import Store
from support.library import NOW, result, stored, stream

PAST = NOW - timedelta(days=1)


def run_after_a_night(folder: Path) -> Store:
    """Return a store with a planned run over three channels, whose streams were checked a day before: 5 was dead."""
    streams = [stream(id, 1 if id < 5 else 2) for id in range(1, 7)]
    accounts = (Account(id=1, name="one"), Account(id=2, name="two"))
    store = stored(folder, {1: [1, 2], 2: [3, 4], 3: [5, 6]}, accounts=accounts, streams=streams)
    for id in (1, 2, 3, 4):
        store.runs.settle("no run", result(id, at=PAST, run_id="before"))
    store.runs.settle("no run", result(5, "dead", at=PAST, run_id="before"))
    store.runs.open(
        Run(
            run_id="r",
            started_at=NOW,
            mode="concurrent",
            stream_ids=(1, 2, 3, 4, 5, 6),
            channels={1: (1, 2), 2: (3, 4), 3: (5, 6)},
        )
    )
    return store


def settle(store: Store, **verdicts: tuple[Any, str | None]) -> None:
    """Settle streams of the run, by verdict and reason. ``s1`` names the stream 1."""
    for name, (verdict, reason) in verdicts.items():
        id = int(name.removeprefix("s"))
        store.runs.settle("r", result(id, verdict, run_id="r", reason=reason, account_id=1 if id < 5 else 2))
