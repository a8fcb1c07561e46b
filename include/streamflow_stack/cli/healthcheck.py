"""``healthcheck``: check one part of a deployment, for a container's health check."""

from __future__ import annotations

import os
import socket
import sys
from functools import partial

import click

from streamflow.errors import StreamFlowError
from streamflow_stack import health
from streamflow_stack.ports import loopback

# Parts with a port are reached on loopback, the others are found by their host's name.
LISTENING: dict[str, health.Check] = {"stack": health.stack, "api-server": health.api_server}
NAMED: dict[str, health.Check] = {**{part: partial(health.job, part) for part in health.JOBS}, "worker": health.worker}


@click.command(short_help="Check one part of a deployment: status 0 or 1.")
@click.argument("part", type=click.Choice([*LISTENING, *NAMED]), default="stack")
@click.option("--host", help="The host of the part; by default this one.")
def command(part: str, host: str | None) -> None:
    """Check PART on this host (by default the whole stack) in the environment that it runs in."""
    check = LISTENING.get(part) or NAMED[part]
    try:
        fault = check(host or (loopback() if part in LISTENING else socket.gethostname()), os.environ)
    except StreamFlowError as error:
        fault = str(error)
    click.echo(f"{part}: {fault or 'healthy'}")
    sys.exit(1 if fault else 0)
