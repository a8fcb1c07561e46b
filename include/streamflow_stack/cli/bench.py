"""``bench``: the benchmarks, one JSON object a line."""

from __future__ import annotations

import subprocess
import sys

import click

MODULES = {
    "limiter": ["bench.limiter"],
    "probe": ["bench.probe"],
    "verdicts": ["bench.verdicts"],
    "check": ["bench.check"],
    "udi": ["bench.udi"],
    "run": ["bench.run"],
    "faults": ["bench.faults"],
}
# Longer than anybody would wait for unasked.
LONG_MODULES = {"scale": ["bench.run", "scale"]}


@click.command(short_help="Run the benchmarks.")
@click.argument("names", nargs=-1, type=click.Choice([*MODULES, *LONG_MODULES]))
def command(names: tuple[str, ...]) -> None:
    """Runs the named benchmarks, all but `scale` by default; each prints one JSON object a line."""
    commands = [(MODULES | LONG_MODULES)[name] for name in names or MODULES]
    statuses = [subprocess.run([sys.executable, "-m", *command]).returncode for command in commands]
    sys.exit(max(statuses))
