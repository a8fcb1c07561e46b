"""Checks the streams of channels, one mapped task a stream, within every limit, and orders the channels.

A run checks at most `max_streams_per_run` streams and starts the next run of its chain for the rest. A stream whose
concurrent check got no slot, because Redis is away, is checked one after another instead.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, Param, TriggerRule, dag, task

from stream_tasks.check import CheckStream
from stream_tasks.choices import choices
from streamflow import names

# Airflow passes these to a task by the names of its arguments.
Injected = Any
RESULTS = Asset(names.RESULTS_ASSET)
IDS: dict[str, Any] = {"type": ["null", "array"], "items": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}}
# Names to choose from in Airflow's form, for each parameter that has some.
NAMES = choices()
LABELLED: dict[str, Any] = {"map_index_template": "{{ task.stream_label }}", "do_xcom_push": False}


@dag(
    dag_id=names.CHECK_DAG,
    description="Checks streams concurrently within the accounts' limits and orders their channels",
    # Schedules are DAGs of their own, which start this one.
    schedule=None,
    max_active_runs=8,
    # The largest run of long samples on one connection ends within it; a run that hangs does not.
    dagrun_timeout=timedelta(days=7),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        # Of one stay in a worker: the time that a check is deferred does not count.
        "execution_timeout": timedelta(minutes=30),
        # A run that a person asked for does not wait behind hundreds of tasks of a nightly one.
        # Airflow 3.3 loses an instance of the class in mapped tasks.
        "weight_rule": "stream_tasks.priority.RunPriority",
    },
    params={
        "channel_ids": Param(
            None, **IDS, **NAMES.get("channel_ids", {}), description="Channels to check; null = all, [] = none"
        ),
        "group_ids": Param(
            None, **IDS, **NAMES.get("group_ids", {}), description="Channel groups to check; null = all, [] = none"
        ),
        "account_ids": Param(
            None,
            **IDS,
            **NAMES.get("account_ids", {}),
            description="Only streams of these accounts; null = all, [] = none",
        ),
        "stream_ids": Param(None, **IDS, description="Only these streams; null = all of channels, [] = none"),
        "force": Param(False, type="boolean", description="Check fresh streams again"),
        "mode": Param("auto", enum=["auto", "concurrent", "sequential"]),
        "sample_seconds": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            maximum=600,
            description="Length of each sample, in whole; empty = as configured",
        ),
        "write_back": Param(True, type="boolean", description="Write order and statistics to Dispatcharr"),
        "window": Param(
            None,
            type=["null", "object"],
            description="`until` (time): no check starts later; `viewers_below`: pause while as many watch",
        ),
        "chain": Param(None, type=["null", "object"], description="Set by the run before in a chain; leave empty"),
    },
    tags=["streamflow"],
    doc_md=__doc__,
)
def check_streams() -> None:
    """Plan, check concurrently, check the rest one after another, and finish."""

    @task
    def plan(params: Injected = None, run_id: Injected = None) -> list[dict[str, Any]]:
        """Return the streams to check concurrently, in the order to start them."""
        from stream_tasks.plan import plan

        return plan(params, run_id)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def leftover(run_id: Injected = None, params: Injected = None) -> list[dict[str, Any]]:
        """Return the streams to check one after another: those without a result."""
        from stream_tasks.plan import leftover

        return leftover(run_id, params)

    @task(
        outlets=[RESULTS],
        trigger_rule=TriggerRule.ALL_DONE,
        retries=5,
        retry_delay=timedelta(seconds=15),
        retry_exponential_backoff=True,
    )
    def summary(
        params: Injected = None, run_id: Injected = None, dag_run: Injected = None, outlet_events: Injected = None
    ) -> dict[str, Any]:
        """Finish the channels that no check finished, and publish the run's outcome with the asset's event."""
        from stream_tasks.finish import finish_run, summarise
        from stream_tasks.resources import settings
        from stream_tasks.write_back import may_write

        finish_run(run_id, params, write_back=may_write(params, dag_run, settings()))
        outcome = summarise(run_id, params)
        outlet_events[RESULTS].extra = {"run_id": run_id, **outcome}
        return outcome

    @task
    def next_in_chain(
        params: Injected = None, run_id: Injected = None, dag_run: Injected = None
    ) -> list[dict[str, Any]]:
        """Return the chain's next run, or nothing when this run is the last."""
        from stream_tasks.plan import next_in_chain

        return next_in_chain(run_id, params, dag_run)

    @task
    def removals(params: Injected = None, run_id: Injected = None, dag_run: Injected = None) -> list[dict[str, Any]]:
        """Return the removals that need an approval, as the arguments of the run that asks for it."""
        from stream_tasks.removals import requests
        from stream_tasks.resources import settings
        from stream_tasks.write_back import may_write

        return requests(run_id, write_back=may_write(params, dag_run, settings()))

    planned, rest, following, held = plan(), leftover(), next_in_chain(), removals()
    concurrent = CheckStream.partial(task_id=names.CHECK_TASK, pool=names.CHECK_POOL, **LABELLED)
    sequential = CheckStream.partial(
        task_id=names.SEQUENTIAL_CHECK_TASK, pool=names.SEQUENTIAL_POOL, sequential=True, **LABELLED
    )
    next_run = TriggerDagRunOperator.partial(task_id="next_run", trigger_dag_id=names.CHECK_DAG)
    # The same question is asked once.
    ask = TriggerDagRunOperator.partial(task_id="ask", trigger_dag_id=names.REMOVAL_DAG, skip_when_already_exists=True)

    planned >> following
    concurrent.expand_kwargs(planned) >> rest
    summarised = summary()
    sequential.expand_kwargs(rest) >> summarised >> next_run.expand_kwargs(following)
    summarised >> held
    ask.expand_kwargs(held)


check_streams()
