"""The outcome of a run as its note in Airflow's UI.

A task cannot write its run's note; a listener in the scheduler gets the run itself, in the very transaction that ends
it. It reads what the task ``summary`` has told, so that the scheduler asks nobody but its own database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.listeners import hookimpl

from streamflow import names

SUMMARY = "summary"
# What Airflow's table holds.
LENGTH = 1000


@hookimpl
def on_dag_run_success(dag_run: Any) -> None:
    note_outcome(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: Any) -> None:
    note_outcome(dag_run)


def note_outcome(dag_run: Any) -> None:
    """Set the note of an ended run of the checks; a note that somebody wrote stays."""
    if dag_run.dag_id != names.CHECK_DAG or dag_run.note:
        return
    # Every process of Airflow loads this module, but only the scheduler and the API server come here.
    from airflow.models.xcom import XCOM_RETURN_KEY, XComModel
    from sqlalchemy.orm import object_session

    if (session := object_session(dag_run)) is None:
        return
    told = XComModel.get_many(run_id=dag_run.run_id, dag_ids=names.CHECK_DAG, task_ids=SUMMARY, key=XCOM_RETURN_KEY)
    summary = XComModel.deserialize_value(found) if (found := session.scalars(told).first()) else None
    # A backend of the user's own may keep values elsewhere.
    if isinstance(summary, Mapping):
        dag_run.note = text(summary)[:LENGTH]


def text(summary: Mapping[str, Any]) -> str:
    """The summary in a few lines."""
    reasons = sorted(summary["reasons"].items(), key=lambda one: -one[1])
    lines = [
        f"{_counted(summary['streams'], 'stream')} of {_counted(summary['channels'], 'channel')} "
        f"in {summary['elapsed_s']:.0f} s: {_told(summary['verdicts'].items()) or 'nothing to check'}",
        f"Reasons: {_told(reasons)}" if reasons else "",
        f"Order changed in {_counted(summary['channels_changed'], 'channel')}" if summary["channels_changed"] else "",
        f"Not written, changed meanwhile: {_counted(summary['conflicts'], 'channel')}" if summary["conflicts"] else "",
        f"{_counted(summary['remaining'], 'stream')} left to {summary['next_run_id']}" if summary["remaining"] else "",
    ]
    return "\n".join(filter(None, lines))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _told(counts: Any) -> str:
    return ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in counts)
