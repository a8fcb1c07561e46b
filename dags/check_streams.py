"""Checks the streams of channels: one mapped task a stream, within every limit, then orders the channels.

A run checks at most `max_streams_per_run` streams and starts the next run of its chain for the rest. A stream whose
concurrent check could not get a slot because Redis is away is checked one after another instead.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, Param, TriggerRule, dag, task

from stream_tasks.check import CheckStream
from stream_tasks.schedule import schedule
from streamflow import names

# What Airflow hands to a task by the name of its argument.
Context = Any
RESULTS = Asset(names.RESULTS_ASSET)
IDS: dict[str, Any] = {"type": "array", "items": {"type": "integer"}}


@dag(
    dag_id=names.CHECK_DAG,
    description="Checks streams concurrently within the accounts' limits and orders their channels",
    schedule=schedule(names.CHECK_DAG),
    max_active_runs=8,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
    params={
        "channel_ids": Param([], **IDS, description="Channels to check; empty = all"),
        "group_ids": Param([], **IDS, description="Channel groups to check; empty = all"),
        "account_ids": Param([], **IDS, description="Only streams of these accounts; empty = all"),
        "stream_ids": Param([], **IDS, description="Only these streams; empty = all"),
        "force": Param(False, type="boolean", description="Check again what was checked a short time ago"),
        "mode": Param("auto", enum=["auto", "concurrent", "sequential"]),
        "sample_seconds": Param(
            None, type=["null", "number"], exclusiveMinimum=0, maximum=600, description="Empty = as configured"
        ),
        "write_back": Param(True, type="boolean", description="Write order and statistics to Dispatcharr"),
        "chain": Param(None, type=["null", "object"], description="Set by the run before in a chain; leave empty"),
    },
    tags=["streamflow"],
    doc_md=__doc__,
)
def check_streams() -> None:
    @task
    def plan(params: Context = None, run_id: Context = None) -> list[int]:
        """The streams to check concurrently, in the order to start them."""
        from stream_tasks.plan import plan

        return plan(params, run_id)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def leftover(run_id: Context = None) -> list[int]:
        """The streams to check one after another: all in sequential mode, else those that no limiter could admit."""
        from stream_tasks.plan import leftover

        return leftover(run_id)

    @task(
        outlets=[RESULTS],
        trigger_rule=TriggerRule.ALL_DONE,
        retries=5,
        retry_delay=timedelta(seconds=15),
        retry_exponential_backoff=True,
    )
    def summary(params: Context = None, run_id: Context = None, outlet_events: Context = None) -> dict[str, object]:
        """Finish the channels that no check could, and tell the run's outcome, by the asset's event too."""
        from stream_tasks.finish import finish_channels, summarise

        finish_channels(run_id, write_back=params["write_back"])
        outcome = summarise(run_id, params)
        outlet_events[RESULTS].extra = {"run_id": run_id, **outcome}
        return outcome

    @task
    def next_in_chain(params: Context = None, run_id: Context = None) -> list[dict[str, object]]:
        """The chain's next run, or nothing when this was the last."""
        from stream_tasks.plan import next_in_chain

        return next_in_chain(run_id, params)

    check: dict[str, Any] = {"map_index_template": "{{ task.stream_label }}", "do_xcom_push": False}
    planned = plan()
    checks = CheckStream.partial(task_id=names.CHECK_TASK, pool=names.CHECK_POOL, **check).expand(stream_id=planned)
    rest = leftover()
    one_by_one = CheckStream.partial(
        task_id=names.SEQUENTIAL_CHECK_TASK, pool=names.SEQUENTIAL_POOL, sequential=True, **check
    ).expand(stream_id=rest)
    following = next_in_chain()
    next_run = TriggerDagRunOperator.partial(task_id="next_run", trigger_dag_id=names.CHECK_DAG)
    planned >> following
    checks >> rest
    one_by_one >> summary() >> next_run.expand_kwargs(following)


check_streams()
