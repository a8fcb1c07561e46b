"""``up``: the stack against the user's own Dispatcharr, Xtream login or playlist."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from streamflow import config, names, sources
from streamflow.sources import m3u
from streamflow_stack import stack
from streamflow_stack.cli.console import Steps, output, serve
from streamflow_stack.ports import LOOPBACK
from streamflow_stack.processes import Processes


@click.command(short_help="The stack against your own Dispatcharr, Xtream login or playlist.")
@click.option("--port", default=8080, show_default=True, help="Airflow's port; the next free one when it is taken.")
@click.option("--bind", default=LOOPBACK, show_default=True, help="The address Airflow listens on.")
@click.option(
    "--workers", type=click.IntRange(min=2), help="Tasks at once, at about 100 MB each; by default global_limit and 4."
)
@click.option("--lean", is_flag=True, help="Take less memory: Airflow's parts are forked from one process.")
def command(port: int, bind: str, workers: int | None, lean: bool) -> None:
    """Starts Redis (unless REDIS_HOST names one) and Airflow, and serves until Ctrl-C.

    With STREAMFLOW_M3U=- the playlist comes from standard input, and is kept for the next time.
    """
    home = config.home()
    env = _playlist(home)
    sources.from_env(os.environ, home)
    console = output()
    with (
        stack.owned(home),
        Processes(home) as processes,
        Steps(console) as steps,
        stack.running(
            home, port, {**env, "AIRFLOW__API__HOST": bind}, steps.say, processes, at_once=workers, lean=lean
        ) as running,
    ):
        running.api().trigger(names.REFRESH_DAG, {})
        steps.done()
        serve(running, console, leave=False)


def _playlist(home: Path) -> Mapping[str, str]:
    """A playlist from standard input goes into the home; a file's path holds for processes in other folders too."""
    where = os.environ.get("STREAMFLOW_M3U", "").strip()
    if where == m3u.STANDARD_INPUT:
        if not sys.stdin.isatty():
            m3u.store_playlist(sys.stdin.buffer, home)
        return {}
    return {"STREAMFLOW_M3U": str(Path(where).expanduser().absolute())} if where and "://" not in where else {}
