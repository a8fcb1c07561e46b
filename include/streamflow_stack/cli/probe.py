"""``probe``: check one URL without Airflow and Redis."""

from __future__ import annotations

import json
import sys
import threading

import click

from streamflow import config
from streamflow.plain_text import plain_text

STATUS = {"ok": 0, "degraded": 1, "dead": 2, "unknown": 3, "skipped": 3}


@click.command(short_help="Check one URL, without Airflow and Redis.")
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--sample-seconds", type=click.FloatRange(0, 600, min_open=True), help="The length of the whole sample.")
@click.option("--user-agent", help="The user agent to send; by default the one in the settings.")
def command(url: str, as_json: bool, sample_seconds: float | None, user_agent: str | None) -> None:
    """Open one connection to URL, measure the stream and print a report.

    The status is 0 for ok, 1 for degraded, 2 for dead, 3 for unknown or skipped.
    """
    from streamflow.probing import ProbeTarget, probe, report

    settings = config.load().probe
    if sample_seconds is not None:
        settings = settings.model_copy(update={"sample_seconds": sample_seconds, "min_sample_seconds": None})
    outcome = probe(ProbeTarget(url=url, user_agent=user_agent), settings, cancel=threading.Event())
    if as_json:
        click.echo(json.dumps(outcome.result.model_dump(mode="json", exclude={"extra"})))
    else:
        click.echo("\n".join(plain_text(line) for line in report(outcome).split("\n")))
    sys.exit(STATUS[outcome.result.verdict])
