"""``bench``: run the benchmarks."""

from __future__ import annotations

import subprocess
import sys

import click


@click.command(
    short_help="Run the benchmarks.", context_settings={"ignore_unknown_options": True, "help_option_names": []}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run the named benchmarks, or all but the long ones. Each prints one JSON object a line."""
    sys.exit(subprocess.run([sys.executable, "-m", "bench", *arguments]).returncode)
