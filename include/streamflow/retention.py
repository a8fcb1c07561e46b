"""How long Airflow's records and logs of runs are kept."""

from __future__ import annotations

import os
from typing import Final

from streamflow.errors import ConfigError

VARIABLE: Final = "STREAMFLOW_AIRFLOW_KEEP_DAYS"
DEFAULT_DAYS: Final = 30.0
MIN_DAYS, MAX_DAYS = 1, 3650


def keep_days() -> float | None:
    """Return the number of days that ``STREAMFLOW_AIRFLOW_KEEP_DAYS`` names.

    :returns: days; None where the variable is not set: that Airflow's records are not StreamFlow's to remove.
    :raises ConfigError: The value is no number of days from 1 to 3650.
    """
    value = os.environ.get(VARIABLE)
    if not value:
        return None
    try:
        days = float(value)
    except ValueError:
        days = 0
    if not MIN_DAYS <= days <= MAX_DAYS:
        raise ConfigError(f"{VARIABLE}: {value!r} is not a number of days from {MIN_DAYS} to {MAX_DAYS}")
    return days
