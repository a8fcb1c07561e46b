"""``bench``: the benchmarks, one JSON object a line."""

from __future__ import annotations

import subprocess
import sys

import click

MODULES = {
    "limiter": "account_limiter.bench",
    "probe": "streamflow.bench.probe",
    "udi": "streamflow.bench.udi",
    "run": "streamflow.bench.run",
}


@click.command(short_help="Run the benchmarks.")
@click.argument("names", nargs=-1, type=click.Choice(list(MODULES)))
def command(names: tuple[str, ...]) -> None:
    """Runs the named benchmarks, all by default; each prints one JSON object a line."""
    statuses = [subprocess.run([sys.executable, "-m", MODULES[name]]).returncode for name in names or MODULES]
    sys.exit(max(statuses))
