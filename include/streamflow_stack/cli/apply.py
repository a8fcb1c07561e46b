"""``apply``: show the changes that the last scheduled run planned, and let scheduled runs write from now on."""

from __future__ import annotations

from typing import Any

import click

from streamflow import config, names
from streamflow.ordering.moves import explain
from streamflow.records import ChannelChange
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.cli.console import API, output
from streamflow_stack.cli.remote import connect

RUNS = 100


def last_scheduled(api: AirflowApi) -> dict[str, Any] | None:
    """Return the newest scheduled run that has ended, or None."""
    ids = api.request("GET", f"{API}/runs", params={"limit": RUNS})["runs"]
    runs = (api.request("GET", f"{API}/runs/{run_id}") for run_id in ids if run_id.startswith(names.SCHEDULED_RUN))
    return next((dict(run) for run in runs if run["finished_at"]), None)


def show(run: dict[str, Any], api: AirflowApi) -> int:
    """Print the planned changes of a run, and return the number of changed channels."""
    console, changed = output(markup=False), 0
    for change in (ChannelChange.model_validate(one) for one in run["finished_channels"]):
        if not change.moves:
            continue
        channel = api.request("GET", f"{API}/channels/{change.channel_id}")
        console.print(f"{channel['name']}{'' if change.written else ' (not written)'}:")
        for sentence in explain(change, {int(stream): name for stream, name in channel["names"].items()}):
            console.print(f"  {sentence}")
        changed += 1
    return changed


@click.command(short_help="Let scheduled runs write, after a look at their changes.")
@click.option("--yes", is_flag=True, help="Agree without a question.")
def command(yes: bool) -> None:
    """Show the changes of the last scheduled run, and set `safety.scheduled_write_back` to `always` if you agree."""
    settings = config.load()
    if settings.safety.scheduled_write_back == "always":
        click.echo("Scheduled runs write their changes already.")
        return
    api = connect()
    run = last_scheduled(api)
    if run:
        click.echo(f"Channels that change by the run {run['run_id']}: {show(run, api)}")
    else:
        click.echo("No scheduled run has ended yet, so there are no changes to show.")
    if yes or click.confirm("Shall scheduled runs write their changes from now on?"):
        safety = settings.safety.model_copy(update={"scheduled_write_back": "always"})
        config.save(settings.model_copy(update={"safety": safety}))
        click.echo(f"Scheduled runs write from now on. Set in {config.path()}: safety.scheduled_write_back = always")
