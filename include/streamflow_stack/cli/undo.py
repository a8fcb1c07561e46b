"""``undo``: put channels back as they were before a check changed them."""

from __future__ import annotations

from urllib.parse import quote

import click

from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.cli.channel import by_api, channel_id
from streamflow_stack.cli.console import API
from streamflow_stack.cli.remote import connect


@click.command(short_help="Undo the changes of a run or of a channel.")
@click.option("--run", "run_id", help="All channels that this run changed.")
@click.option("--channel", help="The last change of this channel; its name or id.")
@click.option("--partial", is_flag=True, help="With --run: leave channels alone that were changed since.")
def command(run_id: str | None, channel: str | None, partial: bool) -> None:
    """Put the order of channels, and the streams that left them, back as they were.

    A channel that somebody has changed since stays as it is, and the command ends with an error that names it.
    """
    if (run_id is None) == (channel is None):
        raise click.UsageError("give either --run or --channel")
    api = connect()
    if run_id is not None:
        path = f"{API}/runs/{quote(run_id, safe='')}/undo"
        undone = api.request("POST", path, params={"partial": partial})
        click.echo(f"{len(undone['undone'])} channels are as they were before {run_id}")
        for one in undone["conflicts"]:
            click.echo(f"unchanged: {one['name'] or one['channel_id']}: {one['reason']}")
    elif channel is not None:
        _undo_channel(api, channel)


def _undo_channel(api: AirflowApi, channel: str) -> None:
    id = channel_id(channel, by_api(api))
    changes = api.request("GET", f"{API}/channels/{id}/changes")["changes"]
    if not changes:
        click.echo(f"No check has changed the channel {channel}.")
        return
    api.request("POST", f"{API}/channels/{id}/changes/{changes[0]['n']}/undo")
    click.echo(f"The channel {channel} is as it was before {changes[0]['at'][:16].replace('T', ' ')}.")
