"""``test``: run the test suite."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from streamflow_stack.airflow import root

# The tests make homes and stacks of their own, so the caller's settings must not reach them.
CALLERS_SETTINGS = ("STREAMFLOW_CONFIG", "STREAMFLOW_HOME", "STREAMFLOW_AIRFLOW", "REDIS_", "DISPATCHARR_", "AIRFLOW")


@click.command(
    short_help="Run the test suite.", context_settings={"ignore_unknown_options": True, "help_option_names": []}
)
@click.option("--distributed", is_flag=True, help="Run only the test over many processes; it takes minutes.")
@click.option("--containers", is_flag=True, help="Run only the test of the containers; it needs a container engine.")
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def command(distributed: bool, containers: bool, pytest_args: tuple[str, ...]) -> None:
    """Run all tests but those of the two options, or the tests that the arguments of pytest select."""
    if distributed:
        sys.exit(_pytest("-m", "distributed", "tests/distributed", *pytest_args))
    if containers:
        sys.exit(_pytest("-m", "containers", "tests/containers", *pytest_args))
    if pytest_args:
        sys.exit(_pytest(*pytest_args))
    # The tests of the running stack measure time and need the whole machine, so they run alone after the others.
    statuses = [
        _pytest("-n", "2", "--dist", "loadgroup", "-m", "not stack and not distributed and not containers"),
        _pytest("-m", "stack and not distributed"),
    ]
    sys.exit(max(statuses))


def _pytest(*arguments: str) -> int:
    env = {name: value for name, value in os.environ.items() if not name.startswith(CALLERS_SETTINGS)}
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=root(), env=env).returncode
