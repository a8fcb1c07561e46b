"""``stop``: stop a run of a running stack."""

from __future__ import annotations

from urllib.parse import quote

import click

from streamflow.errors import UnknownRecord
from streamflow_stack.cli.console import API
from streamflow_stack.cli.remote import connect

RUNS = 20


@click.command(short_help="Stop the checks of a run.")
@click.argument("run_id", required=False)
def command(run_id: str | None) -> None:
    """Stop RUN_ID, or all runs that have not ended.

    No further check starts, running ones end, and the channels are finished by what is known.
    """
    api = connect()
    if run_id:
        running = [run_id]
    else:
        outcomes = api.request("GET", f"{API}/runs", params={"limit": RUNS})["outcomes"]
        running = [one["run_id"] for one in outcomes if one["finished_at"] is None]
    if not running:
        click.echo("No run is in progress.")
    for one in running:
        stopped = api.request("POST", f"{API}/runs/{quote(one, safe='')}/stop", missing_ok=True)
        if stopped is None:
            raise UnknownRecord(f"Airflow has no run {one}")
        click.echo(f"{one}: stopped, {stopped['cancelled']} streams have no verdict")
