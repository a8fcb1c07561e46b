"""The state of the limiter, the library and the last run as metrics of Prometheus."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from account_limiter import Limiter, LimiterUnavailable
from account_limiter.core.records import Snapshot
from streamflow.records import RunState, Verdict
from streamflow.reports.alerts import of_run
from streamflow.udi.ports import Store
from streamflow.version import VERSION

# Finished runs that are looked through for the last one; the others are running.
RUNS = 20
VERDICTS: tuple[str, ...] = get_args(Verdict)
# The verdict of a stream that was never checked.
UNCHECKED = "unchecked"
# The account of streams without one, as the limiter knows it.
CUSTOM = ("custom", "without account")


class LastRun:
    """The last finished run with the states that alerts are about, kept until another run has finished. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: RunState | None = None
        self._alerts: dict[str, int] = {}

    def get(self, store: Store) -> tuple[RunState | None, dict[str, int]]:
        """Return the last finished run, and the number of subjects in the state of each kind of alert at its end.

        :raises UdiUnavailable: when the UDI cannot be read.
        """
        with self._lock:
            for run_id in store.runs.newest(RUNS):
                if self._state and self._state.run.run_id == run_id:
                    break
                state = store.runs.state(run_id)
                if state and state.finished_at:
                    self._alerts = {one.kind: len(one.holding) for one in of_run(store, state)}
                    self._state = state
                    break
            return self._state, self._alerts


class Metrics(Collector):
    """The metrics at one moment.

    :param limiter: read once a scrape; while it is away its metrics are missing.
    """

    def __init__(self, store: Store, limiter: Limiter, last_run: LastRun) -> None:
        self._store = store
        self._limiter = limiter
        self._last_run = last_run

    def text(self) -> bytes:
        """Return the metrics in the text format of Prometheus.

        :raises UdiUnavailable: when the UDI cannot be read.
        """
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def describe(self) -> list[Metric]:
        """Return nothing, so that the registry does not collect the metrics twice."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield InfoMetricFamily("streamflow", "Version of StreamFlow", {"version": VERSION})
        try:
            snapshot = self._limiter.snapshot()
        except LimiterUnavailable:
            snapshot = None
        yield _gauge("streamflow_redis_up", "Whether Redis is reachable (1) or not (0)", snapshot is not None)
        if snapshot:
            yield from _limits(snapshot)
        yield self._streams()
        yield from self._run()

    def _streams(self) -> Metric:
        family = GaugeMetricFamily(
            "streamflow_streams",
            "Streams by account and verdict of the latest check; unchecked for none",
            labels=("account_id", "account", "verdict"),
        )
        library, results = self._store.library, self._store.results
        of_verdict = {verdict: set(results.streams_of_verdict(verdict)) for verdict in VERDICTS}  # type: ignore[arg-type]
        rest = set(library.stream_ids())
        owners: list[tuple[str, str, set[int]]] = []
        for account in library.accounts():
            streams = set(library.streams_of_account(account.id))
            rest -= streams
            owners.append((str(account.id), account.name, streams))
        for account_id, name, streams in [*owners, (*CUSTOM, rest)]:
            counts = {verdict: len(streams & ids) for verdict, ids in of_verdict.items()}
            counts[UNCHECKED] = len(streams) - sum(counts.values())
            for verdict, count in counts.items():
                family.add_metric((account_id, name, verdict), count)
        return family

    def _run(self) -> Iterator[Metric]:
        state, raised = self._last_run.get(self._store)
        family = GaugeMetricFamily(
            "streamflow_alerts",
            "Subjects in the state of a kind of alert, as the last run found them",
            labels=("kind",),
        )
        for kind, count in raised.items():
            family.add_metric((kind,), count)
        yield family
        if state is None or state.finished_at is None:
            return
        ended, began = state.finished_at.timestamp(), state.run.started_at.timestamp()
        yield _gauge("streamflow_last_run_end_timestamp_seconds", "Time at which the last finished run ended", ended)
        yield _gauge("streamflow_last_run_duration_seconds", "Length of the last finished run", ended - began)
        family = GaugeMetricFamily(
            "streamflow_last_run_streams", "Streams of the last finished run by verdict", labels=("verdict",)
        )
        counts = Counter(state.streams.values())
        for verdict in VERDICTS:
            family.add_metric((verdict,), counts[verdict])
        yield family


def _limits(snapshot: Snapshot) -> Iterable[Metric]:
    labels = ("account_id", "account")
    in_use = GaugeMetricFamily("streamflow_slots_in_use", "Connections of running checks", labels=labels)
    limit = GaugeMetricFamily(
        "streamflow_slots_limit", "Checks that the account allows now, after viewers; +Inf: unlimited", labels=labels
    )
    sold = GaugeMetricFamily(
        "streamflow_account_max_streams", "Configured connections of the account; +Inf: unlimited", labels=labels
    )
    viewers = GaugeMetricFamily("streamflow_viewers", "Connections of viewers", labels=labels)
    waiting = GaugeMetricFamily("streamflow_waiting", "Checks that wait for a slot", labels=labels)
    for account in snapshot.accounts:
        key = (str(account.account_id), account.name)
        in_use.add_metric(key, account.active)
        limit.add_metric(key, math.inf if account.effective_limit is None else account.effective_limit)
        sold.add_metric(key, account.limit or math.inf)
        viewers.add_metric(key, account.viewers)
        waiting.add_metric(key, account.waiting)
    whole = snapshot.global_limit or math.inf
    return [
        in_use,
        limit,
        sold,
        viewers,
        waiting,
        _gauge("streamflow_global_slots_in_use", "Connections of running checks over all accounts", snapshot.active),
        _gauge("streamflow_global_slots_limit", "Checks that may run over all accounts; +Inf: unlimited", whole),
        _gauge("streamflow_global_waiting", "Checks over all accounts that wait for a slot", snapshot.waiting),
    ]


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)
