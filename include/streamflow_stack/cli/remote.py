"""Finds the running stack that commands talk to: through its home, or by the environment."""

from __future__ import annotations

import os

from streamflow import config
from streamflow.errors import ConfigError
from streamflow_stack import airflow
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.state import read_state


def connect() -> AirflowApi:
    """Return a client of the stack at ``STREAMFLOW_AIRFLOW_URL``, else of the one that runs in this home.

    :raises ConfigError: There is no such stack, or its login is incomplete.
    """
    if address := os.environ.get("STREAMFLOW_AIRFLOW_URL"):
        try:
            login = os.environ["STREAMFLOW_AIRFLOW_USERNAME"], os.environ["STREAMFLOW_AIRFLOW_PASSWORD"]
        except KeyError as missing:
            raise ConfigError(f"{missing.args[0]} is not set; STREAMFLOW_AIRFLOW_URL needs it") from None
        return AirflowApi(address, *login)
    home = config.home()
    state = read_state(home)
    if state is None:
        raise ConfigError(
            f"no stack runs in {home}: start one with ./streamflow up or demo, or set STREAMFLOW_AIRFLOW_URL"
        )
    return AirflowApi(state.address, *airflow.login(home))
