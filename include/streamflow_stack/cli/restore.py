"""``restore``: bring a backup back, also into a Dispatcharr with other ids."""

from __future__ import annotations

from pathlib import Path

import click

from streamflow import backup, config, names, shared_settings
from streamflow.config import Config
from streamflow.errors import ConfigError
from streamflow.udi import open_udi
from streamflow_stack import pools, redis_address
from streamflow_stack.airflow_api import AirflowError
from streamflow_stack.cli.remote import connect


@click.command(short_help="Bring a backup back.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--without-settings", is_flag=True, help="Leave the settings as they are.")
def command(file: Path, without_settings: bool) -> None:
    """Bring the backup in FILE back.

    Streams are found by the hash of their URL, and channels, groups and accounts by their names. Later results stay.
    """
    home = config.home()
    address = redis_address.locate(home=home)
    client = address.client() if address else None
    present = shared_settings.load(client) if client else config.load()
    report = backup.restore(open_udi(client, home), file, None if without_settings else present)
    if report.settings:
        if client:
            shared_settings.save(client, report.settings)
        else:
            config.save(report.settings)
        click.echo("restored the settings")
        _resize_pool(present, report.settings)
    click.echo(
        f"restored {report.results:,} results of {report.streams:,} streams, the failures of {report.memories:,} "
        f"streams, {report.removed:,} removals from channels and {report.changes:,} changes of channels"
    )
    for left_out in report.left_out:
        click.echo(f"left out: {left_out}")


def _resize_pool(before: Config, after: Config) -> None:
    """Give Airflow's pool of checks the size of the restored limit."""
    slots = pools.slots(after)
    if slots == pools.slots(before):
        return
    path = f"/api/v2/pools/{names.CHECK_POOL}"
    try:
        connect().request(
            "PATCH", path, params={"update_mask": "slots"}, json={"pool": names.CHECK_POOL, "slots": slots}
        )
    except (ConfigError, AirflowError) as error:
        click.echo(f"the pool {names.CHECK_POOL} gets its {slots} slots when the stack starts next: {error}")
