"""``backup``: write settings, results and the memory of streams into one file."""

from __future__ import annotations

from pathlib import Path

import click

from streamflow import backup, config
from streamflow.udi.sqlite.store import FileStore


@click.command(short_help="Write settings, results and memory into a file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def command(file: Path) -> None:
    """Write a backup of this home into FILE, which only its owner can read.

    It holds settings, policies, results, the memory of dead and removed streams, and the changes of channels; no
    address and no password. The stack may run meanwhile.
    """
    home = config.home()
    count = backup.write(FileStore(home / "udi" / "udi.db"), config.load(), file)
    click.echo(f"{file}: settings, and the results of {count:,} streams")
