"""Many probes at once, in processes of their own, since the test's own process is the provider."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

from streamflow import config
from streamflow.probing import ProbeOutcome, ProbeTarget, probe

# Two cores cannot decode 2160 lines and everything else in real time at once.
AT_ONCE, PROCESSES = 16, 2

Asked = list[tuple[str, ProbeTarget, config.Probe]]


def probe_all(asked: Mapping[str, tuple[ProbeTarget, config.Probe]]) -> dict[str, ProbeOutcome]:
    """Probe each target with its settings; return the outcomes by name."""
    listed = [(name, *what) for name, what in asked.items()]
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawned, initializer=os.nice, initargs=(5,)) as pool:
        parts = pool.map(_probe_here, [listed[first::PROCESSES] for first in range(PROCESSES)])
        return {name: outcome for part in parts for name, outcome in part.items()}


def _probe_here(asked: Asked) -> dict[str, ProbeOutcome]:
    with ThreadPoolExecutor(AT_ONCE // PROCESSES) as pool:
        outcomes = pool.map(lambda one: probe(one[1], one[2]), asked)
        return dict(zip((name for name, _, _ in asked), outcomes, strict=True))
