"""Registers the daily cleaning and the order of runs, cares for homes, prepares forks of tasks, and rests a scheduler.

Airflow loads plugins in those processes at their start when ``core.lazy_load_plugins`` is off.
"""

from __future__ import annotations

import sys

from airflow.plugins_manager import AirflowPlugin

from stream_tasks import cleaning, preload
from stream_tasks.priority import RunPriority

FORKING_COMMANDS = {"scheduler", "celery"}


class StreamTasksPlugin(AirflowPlugin):
    """The part of the checks that runs in Airflow's own processes."""

    name = "stream_tasks"
    listeners = [cleaning]  # noqa: RUF012 - Airflow declares it so
    priority_weight_strategies = [RunPriority]  # noqa: RUF012 - Airflow declares it so


if sys.argv[1:2] == ["dag-processor"] or sys.argv[1:3] == ["celery", "worker"]:
    # Other processes need none of its modules.
    from stream_tasks import caretaker

    if "celery" in sys.argv:
        caretaker.start()
    else:
        caretaker.start_for_settings()

if FORKING_COMMANDS.intersection(sys.argv[1:2]):
    preload.prepare()

if sys.argv[1:2] == ["scheduler"]:
    # It loads the scheduler, which no other process needs.
    from stream_tasks import pacing

    pacing.install()
