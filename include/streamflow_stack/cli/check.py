"""``check``: start a run of a running stack."""

from __future__ import annotations

import sys

import click

from streamflow import names
from streamflow_stack.cli.console import follow, output
from streamflow_stack.cli.remote import connect


@click.command(short_help="Start a check of a running stack.")
@click.option("--channel", "channel_ids", type=int, multiple=True, help="Only this channel; may be repeated.")
@click.option("--group", "group_ids", type=int, multiple=True, help="Only channels of this group; may be repeated.")
@click.option(
    "--account", "account_ids", type=int, multiple=True, help="Only streams of this account; may be repeated."
)
@click.option("--force", is_flag=True, help="Check again the streams that were checked a short time ago.")
@click.option("--wait", is_flag=True, help="Show the progress until the end; status 1 when a check got no verdict.")
def command(
    channel_ids: tuple[int, ...], group_ids: tuple[int, ...], account_ids: tuple[int, ...], force: bool, wait: bool
) -> None:
    """Start a run through Airflow's REST API and print its id."""
    api = connect()
    conf = {
        "channel_ids": list(channel_ids) or None,
        "group_ids": list(group_ids) or None,
        "account_ids": list(account_ids) or None,
        "force": force,
    }
    run_id = api.trigger(names.CHECK_DAG, conf)
    click.echo(run_id)
    if wait:
        console = output(stderr=True)
        runs = list(follow(api, run_id, console))
        for run in runs:
            counts = ", ".join(f"{count} {verdict}" for verdict, count in run["verdicts"].items())
            console.print(f"{run['run_id']}: {counts or 'nothing to check'}")
        sys.exit(0 if runs and not any(run["verdicts"].get("pending") for run in runs) else 1)
