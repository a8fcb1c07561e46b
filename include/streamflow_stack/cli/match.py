"""``match``: propose streams for channels by their names. It changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
from pydantic import ValidationError
from rich.table import Table

from streamflow.errors import ConfigError
from streamflow.matching import Candidate, ChannelName, Rule, StreamName, match
from streamflow.records import Channel, Stream
from streamflow.reports.csv_export import csv_parts
from streamflow.udi.ports import Store
from streamflow_stack.cli.console import output
from streamflow_stack.cli.local_udi import open_local

COLUMNS = ("channel", "stream", "account", "evidence")
CHUNK = 5000

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
    groups = {group.id: group.name for group in store.library.groups()}
    accounts = {account.id: account.name for account in store.library.accounts()}
    channels = store.library.channels()
    names = {channel.id: channel.name for channel in channels}
    assigned = {stream for channel in channels for stream in channel.stream_ids}
    streams = {stream.id: stream for stream in _read(store, store.library.stream_ids())}

    def guide_id(channel: Channel) -> str:
        first = streams.get(channel.stream_ids[0]) if channel.stream_ids else None
        return (first.tvg_id if first else None) or ""

    wanted = [
        ChannelName(channel.id, channel.name, guide_id(channel), groups.get(channel.group_id or 0, ""))
        for channel in channels
    ]
    offered = [
        StreamName(
            stream.id,
            stream.name,
            stream.tvg_id or "",
            groups.get(stream.group_id or 0, ""),
            stream.account_id,
            accounts.get(stream.account_id or 0, ""),
        )
        for stream in streams.values()
        if stream.id not in assigned
    ]
    for outcome in match(wanted, offered, [rule]):
        if isinstance(outcome, Candidate) == nearly or outcome.channel_id is None:
            continue
        stream = streams[outcome.stream_id]
        yield {
            "channel_id": outcome.channel_id,
            "channel": names[outcome.channel_id],
            "stream_id": stream.id,
            "stream": stream.name,
            "account": accounts.get(stream.account_id or 0, ""),
            "evidence": outcome.evidence if isinstance(outcome, Candidate) else outcome.reason,
        }


def _read(store: Store, stream_ids: list[int]) -> Iterator[Stream]:
    for start in range(0, len(stream_ids), CHUNK):
        yield from store.library.streams(stream_ids[start : start + CHUNK]).values()


@click.command(short_help="Propose streams for channels by their names.")
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME", help="Only these channels; * and re:… are allowed."
)
@click.option("--by", multiple=True, metavar="WAY", help="tvg_id, name or re:…; by default tvg_id and name.")
@click.option("--account", "accounts", multiple=True, metavar="NAME", help="Only streams of these accounts.")
@click.option("--exclude", multiple=True, metavar="NAME", help="Never these streams.")
@click.option("--nearly", is_flag=True, help="Show the streams that nearly fit, with the reason why they do not.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def command(
    channels: tuple[str, ...],
    by: tuple[str, ...],
    accounts: tuple[str, ...],
    exclude: tuple[str, ...],
    nearly: bool,
    form: str,
) -> None:
    """Show which streams outside of all channels belong to a channel, and why. Nothing is changed.

    Names are compared without case, accents, country prefixes and quality words; a time-shifted or foreign version is
    another channel. The library is that of the last refresh in this home, so the stack need not run.
    """
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
