"""``results``: print the latest verdicts, as a table or a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.table import Table

from streamflow import config
from streamflow.ordering.moves import explain
from streamflow.records import ChannelChange
from streamflow.reports.csv_export import csv_parts
from streamflow.sources.m3u import export
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.cli.channel import by_api, channel_id, in_udi
from streamflow_stack.cli.console import API, measured, output
from streamflow_stack.cli.local_udi import open_local
from streamflow_stack.cli.remote import connect

Rows = Iterator[dict[str, Any]]

PAGE = 500
COLUMNS = (
    "stream_id", "name", "account", "verdict", "reason", "detail", "checked_at", "score", "quality", "width", "height",
    "fps", "interlaced", "hdr", "video_codec", "bitrate_kbps", "container", "first_frame_ms", "label_mismatch",
)  # fmt: skip


def rows(api: AirflowApi, channel_id: int | None) -> Rows:
    """Yield the latest result of each stream, or of those of one channel in its order."""
    if channel_id is None:
        yield from _pages(api)
        return
    streams = api.request("GET", f"{API}/channels/{channel_id}")["streams"]
    places = {stream["stream_id"]: place for place, stream in enumerate(streams)}
    yield from sorted(_pages(api, channel_id=channel_id), key=lambda row: places.get(row["stream_id"], len(places)))


def _pages(api: AirflowApi, **filters: Any) -> Rows:
    """Yield the results of all pages, with one request a page."""
    query: dict[str, Any] = {"limit": PAGE, **filters}
    while True:
        page = api.request("GET", f"{API}/results", params=query)
        yield from page["results"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


def _table(results: Rows) -> None:
    table = Table()
    for column in ("stream", "account", "verdict", "measured", "score", "quality", "checked"):
        table.add_column(column, justify="right" if column in ("score", "quality") else "left")
    for row in results:
        table.add_row(
            row["name"] or str(row["stream_id"]),
            row["account"] or "",
            f"{row['verdict']} {row['reason'] or ''}".strip(),
            measured(row),
            "" if row["score"] is None else f"{row['score']:.2f}",
            "" if row["quality"] is None else f"{row['quality']:.1f}",
            row["checked_at"][:16].replace("T", " "),
        )
    output(markup=False).print(table)


def _json(results: Rows) -> None:
    click.echo(json.dumps(list(results), indent=2))


def _csv(results: Rows) -> None:
    for part in csv_parts(list(COLUMNS), ([row] for row in results)):
        click.echo(part, nl=False)


FORMATS: dict[str, Callable[[Rows], None]] = {"table": _table, "json": _json, "csv": _csv}


def _m3u(channel: str | None, with_dead: bool) -> None:
    store, unusable = open_local(), config.load().scoring.unusable_reasons
    only = None if channel is None else channel_id(channel, in_udi(store))
    for line in export.lines(export.library(store, only, with_dead=with_dead, unusable=unusable)):
        click.echo(line)


def _last_change(api: AirflowApi, channel_id: int) -> None:
    """Print the moves of a channel's last check, with their reasons."""
    channel = api.request("GET", f"{API}/channels/{channel_id}")
    if channel["last_change"]:
        change = ChannelChange.model_validate(channel["last_change"])
        state, console = "" if change.written else ", not written", output(markup=False)
        console.print(f"Last change of {channel['name']}, {change.at:%Y-%m-%d %H:%M}{state}:")
        names = {int(stream): name for stream, name in channel["names"].items()}
        for sentence in explain(change, names):
            console.print(f"  {sentence}")


@click.command(short_help="Print the latest verdicts.")
@click.option("--channel", help="Only the streams of this channel, by name or id, with its last moves.")
@click.option("--format", "form", type=click.Choice([*FORMATS, "m3u"]), default="table", show_default=True)
@click.option(
    "--dead/--no-dead",
    "with_dead",
    default=None,
    help="With or without dead streams; by default only `m3u` is without them.",
)
def command(channel: str | None, form: str, with_dead: bool | None) -> None:
    """Print the latest result of each stream.

    `m3u` is a playlist of the library with the best stream of each channel first; names mark dead streams. It contains
    the addresses with their passwords. It comes from the UDI of this home, so the stack need not run.
    """
    if form == "m3u":
        _m3u(channel, bool(with_dead))
        return
    api = connect()
    only = None if channel is None else channel_id(channel, by_api(api))
    results = rows(api, only)
    FORMATS[form](row for row in results if with_dead is not False or row["verdict"] != "dead")
    if form == "table" and only is not None:
        _last_change(api, only)
