"""The commands of ``./streamflow``, one module each."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from dotenv import load_dotenv

from streamflow.errors import StreamFlowError

# Modules are imported when their command is called: `probe` must not wait for what `demo` needs.
COMMANDS = {
    "demo": "streamflow_stack.cli.demo",
    "up": "streamflow_stack.cli.up",
    "check": "streamflow_stack.cli.check",
    "status": "streamflow_stack.cli.status",
    "results": "streamflow_stack.cli.results",
    "probe": "streamflow_stack.cli.probe",
    "doctor": "streamflow_stack.cli.doctor",
    "healthcheck": "streamflow_stack.cli.healthcheck",
    "test": "streamflow_stack.cli.test",
    "bench": "streamflow_stack.cli.bench",
    "lint": "streamflow_stack.cli.lint",
}


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Checks the streams of Dispatcharr concurrently, within every account's limit."""


def _interrupt(_signum: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> Any:
    """Run a command; errors that a user can act on are printed without a trace, with status 2."""
    load_dotenv(Path.cwd() / ".env")
    os.environ["STREAMFLOW_HOME"] = str(Path(os.environ.get("STREAMFLOW_HOME") or ".streamflow").absolute())
    # Both end a command the way Ctrl-C does, through its `finally` blocks.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        return cli.main(arguments, prog_name="streamflow", standalone_mode=True)
    except StreamFlowError as error:
        click.echo(f"streamflow: {error}", err=True)
        sys.exit(2)
