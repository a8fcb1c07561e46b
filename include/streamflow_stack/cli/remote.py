"""The running stack that commands talk to: found through its home, or named by the environment."""

from __future__ import annotations

import json
import os

from streamflow import config
from streamflow.errors import ConfigError
from streamflow_stack import airflow
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.stack import state_file


def connect() -> AirflowApi:
    """The API of the stack of this home, or of ``STREAMFLOW_AIRFLOW_URL`` with its user and password."""
    if address := os.environ.get("STREAMFLOW_AIRFLOW_URL"):
        try:
            login = os.environ["STREAMFLOW_AIRFLOW_USERNAME"], os.environ["STREAMFLOW_AIRFLOW_PASSWORD"]
        except KeyError as missing:
            raise ConfigError(f"{missing.args[0]} is not set; STREAMFLOW_AIRFLOW_URL needs it") from None
        return AirflowApi(address, *login)
    home = config.home()
    try:
        state = json.loads(state_file(home).read_text())
    except FileNotFoundError:
        raise ConfigError(
            f"no stack runs in {home}: start one with ./streamflow up or demo, or set STREAMFLOW_AIRFLOW_URL"
        ) from None
    return AirflowApi(state["address"], state["username"], airflow.password(home))
