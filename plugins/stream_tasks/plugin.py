"""Registers the daily cleaning, and prepares the processes that fork the tasks.

Airflow loads plugins in those processes at their start when ``core.lazy_load_plugins`` is off.
"""

from __future__ import annotations

import sys

from airflow.plugins_manager import AirflowPlugin

from stream_tasks import cleaning, preload

FORKING_COMMANDS = {"scheduler", "celery"}


class StreamTasksPlugin(AirflowPlugin):
    """The part of the checks that runs in Airflow's own processes."""

    name = "stream_tasks"
    listeners = [cleaning]  # noqa: RUF012 - Airflow declares it so


if FORKING_COMMANDS.intersection(sys.argv[1:2]):
    preload.prepare()
