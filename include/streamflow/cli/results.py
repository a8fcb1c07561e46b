"""``results``: the latest verdicts, as a table or a file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from streamflow import config, redis_client
from streamflow.cli.console import API, measured
from streamflow.cli.remote import connect
from streamflow.errors import UnknownRecord
from streamflow.stack.airflow_api import AirflowApi
from streamflow.udi import open_udi

Rows = Iterator[dict[str, Any]]

PAGE = 500
COLUMNS = (
    "stream_id", "name", "account", "verdict", "reason", "detail", "checked_at", "score", "width", "height", "fps",
    "interlaced", "hdr", "video_codec", "bitrate_kbps", "container", "first_frame_ms", "label_mismatch",
)  # fmt: skip


def rows(api: AirflowApi, channel_id: int | None) -> Rows:
    """All results, page by page."""
    query: dict[str, Any] = {"limit": PAGE} | ({} if channel_id is None else {"channel_id": channel_id})
    while True:
        page = api.request("GET", f"{API}/results", params=query)
        yield from page["results"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


def _table(found: Rows) -> None:
    table = Table()
    for column in ("stream", "account", "verdict", "measured", "score", "checked"):
        table.add_column(column, justify="right" if column == "score" else "left")
    for row in found:
        table.add_row(
            row["name"] or str(row["stream_id"]),
            row["account"] or "",
            f"{row['verdict']} {row['reason'] or ''}".strip(),
            measured(row),
            "" if row["score"] is None else f"{row['score']:.2f}",
            row["checked_at"][:16].replace("T", " "),
        )
    Console().print(table)


def _json(found: Rows) -> None:
    click.echo(json.dumps(list(found), indent=2))


def _csv(found: Rows) -> None:
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(found)


def _m3u(found: Rows) -> None:
    working = {row["stream_id"]: row for row in found if row["verdict"] in ("ok", "degraded")}
    streams = open_udi(redis_client.from_env(), config.home()).streams(working)
    if working and not streams:
        raise UnknownRecord(f"the UDI of {config.home()} holds none of these streams: ask where the stack runs")
    click.echo("#EXTM3U")
    for stream_id, row in working.items():
        if (stream := streams.get(stream_id)) and stream.url:
            group = (row["account"] or "").replace('"', "'")
            click.echo(f'#EXTINF:-1 tvg-id="{stream.tvg_id or ""}" group-title="{group}",{stream.name}\n{stream.url}')


FORMATS: dict[str, Callable[[Rows], None]] = {"table": _table, "json": _json, "csv": _csv, "m3u": _m3u}


@click.command(short_help="The latest verdicts.")
@click.option("--channel", "channel_id", type=int, help="Only the streams of this channel.")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="table", show_default=True)
def command(channel_id: int | None, form: str) -> None:
    """Prints the latest result of each stream.

    `m3u` is a playlist of those that work: it holds their addresses, with their passwords, from the UDI of this home.
    """
    FORMATS[form](rows(connect(), channel_id))
