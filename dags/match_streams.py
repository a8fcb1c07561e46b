"""Finds streams that belong to channels, asks a person, adds them behind the streams that are there, and checks them.

It follows each refresh of the library while `matching.enabled` is set. The settings are `matching`. The first run, and
the first one after a change of the rules, is dry: it only shows its proposals on the page. What a person rejects or
takes out of a channel stays out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, Param, TriggerRule, dag, task

from stream_tasks.matching import AskMatches
from stream_tasks.resources import settings
from streamflow import names

# Airflow passes these to a task by the names of its arguments.
Injected = Any
IDS: dict[str, Any] = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}}
RETRIED: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=30)}


@dag(
    dag_id=names.MATCH_DAG,
    description="Finds streams that belong to channels, and replaces or hides channels without a working stream",
    # Airflow reads the settings with this file, so that a change is in force within two minutes.
    schedule=Asset(names.UDI_ASSET) if settings().matching.enabled else None,
    catchup=False,
    # Runs that wait for an answer hold no worker and must not hold back the next search.
    max_active_runs=16,
    # Longer than the longest `safety.approval_hours`.
    dagrun_timeout=timedelta(days=32),
    default_args={"execution_timeout": timedelta(minutes=30)},
    params={
        "dry": Param(False, type="boolean", description="Only propose, also while matching is not enabled"),
        "channel_ids": Param(
            None, **IDS | {"type": ["null", "array"]}, description="Channels to find streams for; null = all, [] = none"
        ),
    },
    tags=["streamflow"],
    doc_md=__doc__,
)
def match_streams() -> None:
    """Search, try, ask, and change."""

    @task(retries=1, retry_delay=timedelta(seconds=30))
    def refresh_providers() -> dict[int, str]:
        """Return the accounts whose refresh failed, with the reasons."""
        from stream_tasks.matching import refresh_providers

        return refresh_providers()

    @task(trigger_rule=TriggerRule.ALL_DONE, **RETRIED)
    def search(params: Injected = None, run_id: Injected = None) -> dict[str, Any]:
        """Return what may change."""
        from stream_tasks.matching import search

        return search(params, run_id)

    @task
    def trials(found: Injected) -> list[dict[str, Any]]:
        """Return the run that checks the candidates of dead channels."""
        from stream_tasks.matching import trials

        return trials(found)

    @task(trigger_rule=TriggerRule.NONE_FAILED, **RETRIED)
    def conclude(found: Injected, run_id: Injected = None) -> dict[str, Any]:
        """Return what may change, with those candidates that work."""
        from stream_tasks.matching import conclude

        return conclude(found, run_id)

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def asks(found: Injected) -> bool:
        """Return whether a person decides."""
        from stream_tasks.matching import asks

        return asks(found)

    @task(trigger_rule=TriggerRule.NONE_FAILED, **RETRIED)
    def apply(found: Injected, answer: Injected, run_id: Injected = None) -> list[dict[str, Any]]:
        """Change the channels, and return the run that checks their new streams."""
        from stream_tasks.matching import apply

        return apply(found, answer, run_id)

    found = search()
    refresh_providers() >> found
    # The candidates are checked within all limits, like any other streams.
    tried = TriggerDagRunOperator.partial(
        task_id="try",
        trigger_dag_id=names.CHECK_DAG,
        wait_for_completion=True,
        deferrable=True,
        poke_interval=5,
        execution_timeout=timedelta(days=8),
    ).expand_kwargs(trials(found))
    concluded = conclude(found)
    tried >> concluded
    chosen_streams = Param([], **IDS, description="Ids of the accepted streams")
    chosen_channels = Param([], **IDS, description="Ids of the channels to hide")
    ask = AskMatches(
        task_id="ask", concluded="conclude", params={"stream_ids": chosen_streams, "channel_ids": chosen_channels}
    )
    asks(concluded) >> ask
    changed = apply(concluded, ask.output)
    TriggerDagRunOperator.partial(task_id="check", trigger_dag_id=names.CHECK_DAG).expand_kwargs(changed)


match_streams()
