"""``connect``: make, show or remove Dispatcharr's webhooks to StreamFlow."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import click

from streamflow import sources
from streamflow.errors import ConfigError, UnknownRecord
from streamflow.sources.dispatcharr import Dispatcharr
from streamflow.sources.dispatcharr.webhooks import Webhook, Webhooks
from streamflow_stack import ports
from streamflow_stack.cli import remote
from streamflow_stack.cli.doctor import LEAST_SECRET_CHARACTERS

SECRET = "STREAMFLOW_WEBHOOK_SECRET"  # noqa: S105


@click.command(short_help="Make Dispatcharr report its events to StreamFlow.")
@click.option("--url", metavar="URL", help="The address at which Dispatcharr reaches Airflow's API server.")
@click.option("--show", is_flag=True, help="Show the present webhooks, and change nothing.")
@click.option("--remove", is_flag=True, help="Remove the webhooks.")
def command(url: str | None, show: bool, remove: bool) -> None:
    """Make the webhooks that the guide describes, by Dispatcharr's API, and let Dispatcharr send a test event.

    Existing webhooks to StreamFlow are replaced. The status is 1 when the test event does not arrive.
    """
    if show and remove:
        raise click.UsageError("give --show or --remove, not both")
    with _webhooks() as webhooks:
        present = webhooks.present()
        if show:
            click.echo("\n".join(map(describe, present)) or "Dispatcharr has no webhook to StreamFlow.")
            return
        # Checked before anything is removed.
        address, secret = ("", "") if remove else (own_address(url), _secret())
        for old in present:
            webhooks.remove(old.id)
            click.echo(f"removed: {describe(old)}")
        if not remove:
            made = webhooks.create(address, secret)
            click.echo(f"made: {describe(made)}")
            _test(webhooks, made)


@contextmanager
def _webhooks() -> Iterator[Webhooks]:
    with sources.opened() as source:
        if not isinstance(source, Dispatcharr):
            raise ConfigError(f"{source.name} sends no events: set DISPATCHARR_URL to connect Dispatcharr")
        yield source.webhooks


def describe(webhook: Webhook) -> str:
    """Return a webhook as one line."""
    state = "" if webhook.enabled else " (switched off in Dispatcharr)"
    return f"{webhook.url} on {', '.join(webhook.events) or 'no event'}{state}"


def own_address(url: str | None) -> str:
    """Return the address of the API server for Dispatcharr: the given one, else that of the running stack.

    :raises ConfigError: if it is no address, or if Dispatcharr cannot reach it.
    """
    if url:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigError("--url is not an http or https address; write for example http://192.0.2.5:8080")
        return url
    own = remote.connect().address
    dispatcharr = urlsplit(os.environ["DISPATCHARR_URL"]).hostname or ""
    if ports.is_loopback(urlsplit(own).hostname or "") and not ports.is_loopback(dispatcharr):
        raise ConfigError(
            f"Dispatcharr cannot reach {own}: give the address of this machine, for example "
            f"--url http://192.0.2.5:{urlsplit(own).port or 8080}"
        )
    return own


def _secret() -> str:
    secret = os.environ.get(SECRET, "")
    if len(secret) < LEAST_SECRET_CHARACTERS:
        state = "is too short" if secret else "is not set"
        raise ConfigError(
            f'{SECRET} {state}: run echo "{SECRET}=$(openssl rand -hex 32)" >> .env, and start the stack again'
        )
    return secret


def _test(webhooks: Webhooks, made: Webhook) -> None:
    try:
        problem = webhooks.test(made.id)
    except UnknownRecord:
        click.echo("not tested: this version of Dispatcharr sends no test events; see its page Connect")
        return
    if problem:
        click.echo(f"the test event failed: {problem}", err=True)
        sys.exit(1)
    click.echo("the test event arrived.")
