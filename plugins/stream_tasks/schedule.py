"""The DAGs' schedules, as configured."""

from __future__ import annotations

from typing import Literal

from streamflow import config


def schedule(dag_id: Literal["check_streams", "refresh_udi"]) -> str | None:
    """The DAG's cron expression, None where it is switched off. Read at each parse, so no restart is needed."""
    return getattr(config.load().schedule, dag_id) or None
