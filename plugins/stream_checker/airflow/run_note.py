"""The outcome of a run as the run's note in Airflow's UI.

A task cannot write the note of its run. A listener in the scheduler receives the run inside the transaction that ends
it. The listener reads the return value of the task ``summary``, so the scheduler needs only its own database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.listeners import hookimpl

from streamflow import names

SUMMARY_TASK = "summary"
# The size of the column in Airflow's table.
MAX_LENGTH = 1000


@hookimpl
def on_dag_run_success(dag_run: Any) -> None:
    """Write the note of a run that succeeded."""
    write_note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: Any) -> None:
    """Write the note of a run that failed."""
    write_note(dag_run)


def write_note(dag_run: Any) -> None:
    """Write the note of a finished run of the checks, unless a user wrote one."""
    if dag_run.dag_id != names.CHECK_DAG or dag_run.note:
        return
    # Every Airflow process loads this module, but only the scheduler and the API server get here.
    from airflow.models.xcom import XCOM_RETURN_KEY, XComModel
    from sqlalchemy.orm import object_session

    if (session := object_session(dag_run)) is None:
        return
    query = XComModel.get_many(
        run_id=dag_run.run_id, dag_ids=names.CHECK_DAG, task_ids=SUMMARY_TASK, key=XCOM_RETURN_KEY
    )
    row = session.scalars(query).first()
    summary = XComModel.deserialize_value(row) if row else None
    # A user's own XCom backend may keep values elsewhere.
    if isinstance(summary, Mapping):
        dag_run.note = note_text(summary)[:MAX_LENGTH]


def note_text(summary: Mapping[str, Any]) -> str:
    """Return the summary of a run in a few lines."""
    reasons = sorted(summary["reasons"].items(), key=lambda item: -item[1])
    lines = [
        f"{_count(summary['streams'], 'stream')} of {_count(summary['channels'], 'channel')} "
        f"in {summary['elapsed_s']:.0f} s: {_listed(summary['verdicts'].items()) or 'nothing to check'}",
        f"Reasons: {_listed(reasons)}" if reasons else "",
        f"Changed the order of {_count(summary['channels_changed'], 'channel')}" if summary["channels_changed"] else "",
        f"Not written, because edited during the check: {_count(summary['conflicts'], 'channel')}"
        if summary["conflicts"]
        else "",
        f"{_count(summary['remaining'], 'stream')} left for the run {summary['next_run_id']}"
        if summary["remaining"]
        else "",
    ]
    return "\n".join(filter(None, lines))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts)
