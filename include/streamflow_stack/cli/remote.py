"""Finds the running stack that commands talk to: through its home, or by the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from streamflow import config
from streamflow.errors import ConfigError
from streamflow_stack import airflow
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.state import read_state


def connect() -> AirflowApi:
    """Return a client of the stack at ``STREAMFLOW_AIRFLOW_URL``, else of the one that this process belongs to.

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
    if state is None and (served := _in_service(os.environ)):
        return served
    if state is None:
        raise ConfigError(
            f"no stack runs in {home}: start one with ./streamflow up or demo, or set STREAMFLOW_AIRFLOW_URL"
        )
    return AirflowApi(state.address, *airflow.login(home))


def _in_service(env: Mapping[str, str]) -> AirflowApi | None:
    """Return a client of the API server, from within a service of ``docker-compose.yaml`` that sees the passwords."""
    address = env.get("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "").removesuffix("/execution/")
    passwords = Path(env.get("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", ""))
    if not address or not passwords.is_file():
        return None
    return AirflowApi(address, airflow.USER, json.loads(passwords.read_text())[airflow.USER])
