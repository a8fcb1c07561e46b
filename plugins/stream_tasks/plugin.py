"""Registers the daily cleaning, prepares the processes that fork the tasks, and lets an idle scheduler rest.

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

if sys.argv[1:2] == ["scheduler"]:
    # It loads the scheduler, which no other process needs.
    from stream_tasks import pacing

    pacing.install()
