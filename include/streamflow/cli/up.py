"""``up``: the stack against the user's own Dispatcharr."""

from __future__ import annotations

import os

import click
from rich.console import Console

from streamflow import config
from streamflow.cli.console import Steps, serve
from streamflow.errors import ConfigError
from streamflow.stack import stack
from streamflow.stack.processes import Processes


@click.command(short_help="The stack against your own Dispatcharr.")
@click.option("--port", default=8080, show_default=True, help="Airflow's port; the next free one when it is taken.")
def command(port: int) -> None:
    """Starts Redis (unless REDIS_HOST names one) and Airflow, and serves until Ctrl-C."""
    if not os.environ.get("DISPATCHARR_URL"):
        raise ConfigError(
            "DISPATCHARR_URL is not set: put it in .env, for example DISPATCHARR_URL=http://192.0.2.7:9191"
        )
    has_key = bool(os.environ.get("DISPATCHARR_API_KEY"))
    if not has_key and not (os.environ.get("DISPATCHARR_USERNAME") and os.environ.get("DISPATCHARR_PASSWORD")):
        raise ConfigError("set DISPATCHARR_API_KEY, or DISPATCHARR_USERNAME and DISPATCHARR_PASSWORD, in .env")
    home = config.home()
    console = Console()
    with (
        stack.owned(home),
        Processes(home) as processes,
        Steps(console) as steps,
        stack.running(home, port, {}, steps.say, processes) as running,
    ):
        running.api().trigger("refresh_udi", {})
        steps.done()
        serve(running, console, leave=False)
