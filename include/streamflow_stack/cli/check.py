"""``check``: start a run of a running stack."""

from __future__ import annotations

import sys
from typing import Any

import click

from streamflow_stack.cli.console import API, follow, output
from streamflow_stack.cli.remote import connect


@click.command(short_help="Start a check of a running stack.")
@click.option("--channel", "channels", multiple=True, help="Only this channel, by name or id; may be repeated.")
@click.option("--group", "groups", multiple=True, help="Only channels of this group, by name or id; may be repeated.")
@click.option(
    "--account", "accounts", multiple=True, help="Only streams of this account, by name or id; may be repeated."
)
@click.option("--stream", "streams", multiple=True, help="Only this stream, by name or id; may be repeated.")
@click.option("--force", is_flag=True, help="Check again the streams that were checked a short time ago.")
@click.option("--dry-run", is_flag=True, help="Write no change to Dispatcharr.")
@click.option("--estimate", "only_estimate", is_flag=True, help="Start nothing; show how long the check would take.")
@click.option("--schedule", help="With --estimate: the next start of this schedule.")
@click.option("--wait", is_flag=True, help="Show the progress until the end; status 1 when a check got no verdict.")
def command(
    channels: tuple[str, ...],
    groups: tuple[str, ...],
    accounts: tuple[str, ...],
    streams: tuple[str, ...],
    force: bool,
    dry_run: bool,
    only_estimate: bool,
    schedule: str | None,
    wait: bool,
) -> None:
    """Start a run and print its id."""
    if schedule and not only_estimate:
        raise click.UsageError("--schedule needs --estimate; a schedule starts by itself")
    api = connect()
    named = {"channels": channels, "groups": groups, "accounts": accounts, "streams": streams}
    if only_estimate:
        query = {field: list(names) for field, names in named.items() if names} | {"force": str(force).lower()}
        show_estimate(
            api.request("GET", f"{API}/estimate", params=query | ({"schedule": schedule} if schedule else {}))
        )
        return
    request: dict[str, Any] = {field: [_reference(one) for one in names] or None for field, names in named.items()}
    started = api.request("POST", f"{API}/checks", json=request | {"force": force, "write_back": not dry_run})
    run_id = started["run_id"]
    if started["paused"]:
        click.echo("The DAG check_streams is paused in Airflow: the run waits until you resume it.", err=True)
    click.echo(run_id)
    if wait:
        console = output(stderr=True)
        runs = list(follow(api, run_id, console))
        for run in runs:
            counts = ", ".join(f"{count} {verdict}" for verdict, count in run["verdicts"].items())
            console.print(f"{run['run_id']}: {counts or 'nothing to check'}")
        sys.exit(0 if runs and not any(run["verdicts"].get("pending") for run in runs) else 1)


def _reference(text: str) -> int | str:
    """Return an id for a text of digits, else the name."""
    return int(text) if text.isdecimal() else text


def show_estimate(estimate: dict[str, Any]) -> None:
    """Print an estimate: the whole time, each login, and whether the check fits its window."""
    console = output(markup=False)
    console.print(
        f"{estimate['streams']} streams in {_time(estimate['seconds'])}, until {estimate['ends_at'][:16]} UTC"
    )
    for login in estimate["logins"]:
        limit = f"{login['limit']} at once" if login["limit"] else "no limit"
        names = ", ".join(login["accounts"])
        console.print(f"  {names}: {login['streams']} streams, {limit}, {_time(login['seconds'])}")
    if estimate["streams"]:
        console.print(f"decisive: {estimate['decides'] or 'the global limit'}")
    if estimate["fits"] is not None:
        console.print("fits the window" if estimate["fits"] else "does not fit the window")


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
