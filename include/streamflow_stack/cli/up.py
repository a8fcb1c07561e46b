"""``up``: run the stack for the user's own Dispatcharr, Xtream login or playlist."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import click
from rich.console import Console

from streamflow import config, names, sources
from streamflow.errors import StreamFlowError
from streamflow.sources import m3u
from streamflow.sources.first_look import look
from streamflow_stack import stack, standby
from streamflow_stack.cli.console import Steps, output, serve
from streamflow_stack.ports import exposure
from streamflow_stack.processes import Processes


@click.command(short_help="Run the stack for your own Dispatcharr, Xtream login or playlist.")
@click.option("--port", default=8080, show_default=True, help="Airflow's port; the next free one when it is in use.")
@click.option("--bind", help="The address that Airflow listens on; by default the loopback address, 127.0.0.1 or ::1.")
@click.option(
    "--workers",
    type=click.IntRange(min=2),
    help="The number of tasks at once, about 100 MB each; by default global_limit and four more.",
)
@click.option("--lean", is_flag=True, help="Use less memory: fork Airflow's parts from one process.")
def command(port: int, bind: str | None, workers: int | None, lean: bool) -> None:
    """Start Redis (unless the environment names one) and Airflow, and serve until Ctrl-C.

    With STREAMFLOW_M3U=- the playlist is read from standard input and stored for the next time.
    """
    home = config.home()
    console = output()
    with stack.owned(home):
        env = _playlist(home)
        options = stack.Options(port, env, workers, lean, bind)
        # Wrong settings are reported before anything is started.
        sources.from_env(os.environ, home)
        if published := exposure(os.environ):
            console.print(f"[yellow]warning[/]: {published}")
        # A playlist may take minutes to read; the start does not wait for it.
        looking = threading.Thread(target=_look, args=(home, env, console), name="first look", daemon=True)
        looking.start()
        with (
            Processes(home) as processes,
            Steps(console) as steps,
            stack.running(home, options, processes, steps.say) as running,
        ):
            running.trigger(names.REFRESH_DAG, {}, steps.say)
            steps.done()
            if serve(running, console, lambda: not lean or looking.is_alive()):
                standby.become(processes)


def _look(home: Path, env: Mapping[str, str], console: Console) -> None:
    """Report whether the source can be read."""
    try:
        console.print(f"the source: {look(home, os.environ | dict(env))}", markup=False)
    except StreamFlowError as error:
        console.print(f"the source cannot be read: {error}", markup=False)


def _playlist(home: Path) -> Mapping[str, str]:
    """Store a playlist from standard input, and return the absolute path of one in a file.

    Processes of the stack work in other folders, where a relative path would be wrong.
    """
    location = os.environ.get("STREAMFLOW_M3U", "").strip()
    if location == m3u.STANDARD_INPUT:
        if not sys.stdin.isatty():
            m3u.store_playlist(sys.stdin.buffer, home)
        return {}
    is_file = location and "://" not in location
    return {"STREAMFLOW_M3U": str(Path(location).expanduser().absolute())} if is_file else {}
