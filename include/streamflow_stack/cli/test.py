"""``test``: the whole test suite."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from streamflow_stack.airflow import root


@click.command(
    short_help="Run the test suite.", context_settings={"ignore_unknown_options": True, "help_option_names": []}
)
@click.option("--distributed", is_flag=True, help="Only the test of many machines' worth of processes; minutes.")
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def command(distributed: bool, pytest_args: tuple[str, ...]) -> None:
    """Runs everything but the distributed test, or what the arguments select: they are handed to pytest."""
    if distributed:
        sys.exit(_pytest("-m", "distributed", "tests/distributed", *pytest_args))
    if pytest_args:
        sys.exit(_pytest(*pytest_args))
    # Tests of the running stack measure time and take the whole machine: they come alone, after the others.
    statuses = [
        _pytest("-n", "2", "--dist", "loadgroup", "-m", "not stack and not distributed"),
        _pytest("-m", "stack and not distributed"),
    ]
    sys.exit(max(statuses))


def _pytest(*arguments: str) -> int:
    # The suite makes homes and stacks of its own, whatever the caller's settings are.
    mine = ("STREAMFLOW_CONFIG", "STREAMFLOW_HOME", "REDIS_", "DISPATCHARR_", "AIRFLOW")
    env = {key: value for key, value in os.environ.items() if not key.startswith(mine)}
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=root(), env=env).returncode
