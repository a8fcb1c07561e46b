"""The permission of a run to write to the source of the channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamflow import names
from streamflow.config import Config


def may_write(params: Mapping[str, Any], dag_run: Any, settings: Config) -> bool:
    """Return whether a run may write its changes.

    A scheduled run, or one before an event, also needs ``safety.scheduled_write_back`` to be ``always``, because nobody
    looked at its changes.

    :param dag_run: the run in Airflow.
    """
    is_scheduled = str(getattr(dag_run, "run_id", "")).startswith((names.SCHEDULED_RUN, names.EVENT_RUN))
    return bool(params["write_back"]) and (not is_scheduled or settings.safety.scheduled_write_back == "always")
