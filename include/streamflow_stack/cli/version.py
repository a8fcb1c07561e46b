"""``version``: the version of StreamFlow and of the programs that it runs on."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from streamflow.version import VERSION


@click.command(short_help="Print the version.")
@click.option("--all", "with_libraries", is_flag=True, help="Print those of the native libraries in the packages too.")
def command(with_libraries: bool) -> None:
    """Print the version of StreamFlow, then those of Python, Airflow and PyAV."""
    click.echo(f"streamflow {VERSION}")
    click.echo(f"python {platform.python_version()}")
    for package in ("apache-airflow", "av"):
        click.echo(f"{package} {metadata.version(package)}")
    if with_libraries:
        from streamflow_stack import bundled

        for library in bundled.libraries():
            click.echo(library)
