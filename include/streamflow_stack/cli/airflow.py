"""``airflow``: call a command of Airflow on the stack of this home."""

from __future__ import annotations

import os

import click

from streamflow import config
from streamflow_stack import airflow


@click.command(
    short_help="Call a command of Airflow on the stack of this home, for example to add a user.",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Call Airflow with ARGUMENTS, and with the settings and the database of the embedded stack."""
    home = config.home()
    (home / "airflow").mkdir(parents=True, exist_ok=True, mode=0o700)
    # The port and the number of workers matter to the parts of a running stack alone.
    env = airflow.environment(home, 8080, workers=1)
    program = airflow.executable()
    os.execve(program, [program, *arguments], env)  # noqa: S606
