"""``probe``: one URL, without Airflow and Redis."""

from __future__ import annotations

import json
import sys
import threading

import click

from streamflow import config

STATUS = {"ok": 0, "degraded": 1, "dead": 2, "unknown": 3, "skipped": 3}


@click.command(short_help="Probe one URL, without Airflow and Redis.")
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--sample-seconds", type=click.FloatRange(0, 600, min_open=True), help="How long to look at it.")
@click.option("--user-agent", help="What to call oneself, as configured by default.")
def command(url: str, as_json: bool, sample_seconds: float | None, user_agent: str | None) -> None:
    """Opens one connection to URL and says what it carries.

    Status 0 ok, 1 degraded, 2 dead, 3 unknown or skipped.
    """
    from streamflow.probing import ProbeTarget, probe, report

    settings = config.load().probe
    if sample_seconds is not None:
        settings = settings.model_copy(update={"sample_seconds": sample_seconds})
    stop = threading.Event()
    outcome = probe(ProbeTarget(url=url, user_agent=user_agent), settings, cancel=stop)
    if as_json:
        click.echo(json.dumps(outcome.result.model_dump(mode="json", exclude={"extra"})))
    else:
        click.echo(report(outcome))
    sys.exit(STATUS[outcome.result.verdict])
