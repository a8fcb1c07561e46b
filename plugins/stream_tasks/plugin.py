"""Prepares the processes that fork the tasks: see :mod:`stream_tasks.preload`.

Airflow loads plugins in those processes at their start when ``core.lazy_load_plugins`` is off.
"""

from __future__ import annotations

import sys
from importlib import import_module

from airflow.plugins_manager import AirflowPlugin

FORKING = {"scheduler", "celery"}


class StreamTasksPlugin(AirflowPlugin):
    """Adds nothing to Airflow."""

    name = "stream_tasks"


if FORKING.intersection(sys.argv[1:2]):
    import_module("stream_tasks.preload")
