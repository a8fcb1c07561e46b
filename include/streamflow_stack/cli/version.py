"""``version``: the version of StreamFlow and of the programs that it runs on."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from streamflow.version import VERSION


@click.command(short_help="Print the version.")
def command() -> None:
    """Print the version of StreamFlow, then those of Python, Airflow and PyAV."""
    click.echo(f"streamflow {VERSION}")
    click.echo(f"python {platform.python_version()}")
    for package in ("apache-airflow", "av"):
        click.echo(f"{package} {metadata.version(package)}")
