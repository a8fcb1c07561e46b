"""``match``: propose streams for channels by their names, or start the search of the stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
from pydantic import ValidationError
from rich.table import Table

from streamflow.errors import ConfigError
from streamflow.lineup.offer import Offer
from streamflow.matching.decision import Candidate
from streamflow.matching.rule import Rule
from streamflow.names import MATCH_DAG
from streamflow.reports.csv_export import csv_parts
from streamflow.udi.ports import Store
from streamflow_stack.cli.console import API, output
from streamflow_stack.cli.local_udi import open_local
from streamflow_stack.cli.remote import connect

COLUMNS = ("channel", "stream", "account", "evidence")

Row = dict[str, Any]


def rule_of(**patterns: tuple[str, ...]) -> Rule:
    """Return the rule of the command's options; an option that was not given keeps the rule's default.

    :raises ConfigError: if a pattern is invalid.
    """
    try:
        return Rule.model_validate({name: value for name, value in patterns.items() if value})
    except ValidationError as error:
        fault = error.errors()[0]
        raise ConfigError(f"--{str(fault['loc'][0]).removesuffix('s')}: {fault['msg']}") from None


def proposals(store: Store, rule: Rule, *, nearly: bool) -> Iterator[Row]:
    """Yield the streams outside of channels that fit a channel, with the evidence.

    :param nearly: yield those that nearly fit instead, with the reason why they do not.
    """
    offer = Offer.read(store.library)
    for outcome in offer.outcomes([rule]):
        if isinstance(outcome, Candidate) == nearly or outcome.channel_id is None:
            continue
        stream = offer.streams[outcome.stream_id]
        yield {
            "channel_id": outcome.channel_id,
            "channel": offer.channels[outcome.channel_id].name,
            "stream_id": stream.id,
            "stream": stream.name,
            "account": offer.account_name(stream),
            "evidence": outcome.evidence if isinstance(outcome, Candidate) else outcome.reason,
        }


def run_search() -> None:
    """Start the DAG that matches, and print where its proposals are."""
    api = connect()
    settings = api.request("GET", f"{API}/settings")["matching"]
    run_id = api.trigger(MATCH_DAG, {"dry": not settings["enabled"]})
    click.echo(f"{MATCH_DAG} searches: run {run_id}")
    if not settings["enabled"]:
        click.echo("It is a dry search, because matching.enabled is false.")


@click.command(short_help="Propose streams for channels by their names.")
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME", help="Only these channels; * and re:… are allowed."
)
@click.option("--by", multiple=True, metavar="WAY", help="tvg_id, name or re:…; by default tvg_id and name.")
@click.option("--account", "accounts", multiple=True, metavar="NAME", help="Only streams of these accounts.")
@click.option("--exclude", multiple=True, metavar="NAME", help="Never these streams.")
@click.option("--nearly", is_flag=True, help="Show the streams that nearly fit, with the reason why they do not.")
@click.option(
    "--run", "is_search", is_flag=True, help="Start the search of the running stack, by the rules in the settings."
)
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def command(
    channels: tuple[str, ...],
    by: tuple[str, ...],
    accounts: tuple[str, ...],
    exclude: tuple[str, ...],
    nearly: bool,
    is_search: bool,
    form: str,
) -> None:
    """Show which streams outside of all channels belong to a channel, and why. Nothing is changed.

    Names are compared without case, accents, country prefixes and quality words; a time-shifted or foreign version is
    another channel. The library is that of the last refresh in this home, so the stack need not run.

    With --run, the running stack searches by the rules in the settings, and proposes, asks and adds as they say.
    """
    if is_search:
        run_search()
        return
    rows = sorted(
        proposals(open_local(), rule_of(channels=channels, by=by, accounts=accounts, exclude=exclude), nearly=nearly),
        key=lambda row: (row["channel"].casefold(), row["stream"].casefold()),
    )
    match form:
        case "json":
            click.echo(json.dumps(rows, indent=2))
        case "csv":
            for part in csv_parts(list(COLUMNS), [rows]):
                click.echo(part, nl=False)
        case _:
            table = Table(*COLUMNS)
            for row in rows:
                table.add_row(*(row[column] for column in COLUMNS))
            output(markup=False).print(table)
            click.echo(f"{len(rows)} streams {'nearly fit' if nearly else 'fit'} a channel.")
