"""Prepares the processes that fork the tasks (:mod:`stream_tasks.preload`), and lets schedulers clean up.

Airflow loads plugins in those processes at their start when ``core.lazy_load_plugins`` is off.
"""

from __future__ import annotations

import sys
from importlib import import_module

from airflow.plugins_manager import AirflowPlugin

from stream_tasks import cleaning

FORKING = {"scheduler", "celery"}


class StreamTasksPlugin(AirflowPlugin):
    """The checks' share in Airflow's own processes."""

    name = "stream_tasks"
    listeners = [cleaning]  # noqa: RUF012 - Airflow's own declaration


if FORKING.intersection(sys.argv[1:2]):
    import_module("stream_tasks.preload")
