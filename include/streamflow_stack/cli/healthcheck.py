"""``healthcheck``: one line and an exit status, for a container to call."""

from __future__ import annotations

import os
import socket
import sys
from functools import partial

import click

from streamflow.errors import StreamFlowError
from streamflow_stack import health
from streamflow_stack.ports import LOOPBACK

# Parts that listen are asked on loopback, others by the name under which they are known.
LISTENING: dict[str, health.Check] = {"stack": health.stack, "api-server": health.api_server}
KNOWN: dict[str, health.Check] = {**{part: partial(health.job, part) for part in health.JOBS}, "worker": health.worker}


@click.command(short_help="Whether one part of a deployment is alive: status 0 or 1.")
@click.argument("part", type=click.Choice([*LISTENING, *KNOWN]), default="stack")
@click.option("--host", help="The host it runs on; this one by default.")
def command(part: str, host: str | None) -> None:
    """Asks PART (the whole stack by default) on this host, from the environment that it runs with."""
    check = LISTENING.get(part) or KNOWN[part]
    try:
        wrong = check(host or (LOOPBACK if part in LISTENING else socket.gethostname()), os.environ)
    except StreamFlowError as error:
        wrong = str(error)
    click.echo(f"{part}: {wrong or 'healthy'}")
    sys.exit(1 if wrong else 0)
