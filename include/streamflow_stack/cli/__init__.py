"""The commands of ``./streamflow``, one module each."""

from __future__ import annotations

import errno
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from dotenv import load_dotenv

from streamflow.errors import StreamFlowError
from streamflow.version import VERSION
from streamflow_stack.airflow import root

# A module is imported when its command is called: `probe` must not wait for the imports of `demo`.
COMMANDS = {
    "demo": "streamflow_stack.cli.demo",
    "up": "streamflow_stack.cli.up",
    "check": "streamflow_stack.cli.check",
    "stop": "streamflow_stack.cli.stop",
    "undo": "streamflow_stack.cli.undo",
    "status": "streamflow_stack.cli.status",
    "results": "streamflow_stack.cli.results",
    "apply": "streamflow_stack.cli.apply",
    "connect": "streamflow_stack.cli.connect",
    "backup": "streamflow_stack.cli.backup",
    "restore": "streamflow_stack.cli.restore",
    "match": "streamflow_stack.cli.match",
    "probe": "streamflow_stack.cli.probe",
    "doctor": "streamflow_stack.cli.doctor",
    "airflow": "streamflow_stack.cli.airflow",
    "healthcheck": "streamflow_stack.cli.healthcheck",
    "version": "streamflow_stack.cli.version",
    "test": "streamflow_stack.cli.test",
    "bench": "streamflow_stack.cli.bench",
    "lint": "streamflow_stack.cli.lint",
}
# Errors of the file system that a user can correct.
CORRECTABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST,
}  # fmt: skip


class Commands(click.Group):
    """The group of all commands, each of which is imported at its call."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands in the order of the help text."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by its name; None for an unknown one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="streamflow", message="%(prog)s %(version)s")
def cli() -> None:
    """Check the streams of Dispatcharr concurrently, within every account's limit."""


def settings_files() -> list[Path]:
    """Return the ``.env`` files that a command reads: the home's, then the project's.

    A variable of the environment wins over both files, and the first file over the second.
    """
    home = Path(os.environ.get("STREAMFLOW_HOME") or root() / ".streamflow")
    return [home.absolute() / ".env", root() / ".env"]


def main(arguments: list[str] | None = None) -> Any:
    """Run a command; an error that a user can correct is printed without a traceback, and the status is 2."""
    for file in settings_files():
        load_dotenv(file)
    os.environ["STREAMFLOW_HOME"] = str(settings_files()[0].parent)
    # Both signals end a command as Ctrl-C does, through its `finally` blocks.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        return cli.main(arguments, prog_name="streamflow", standalone_mode=True)
    except StreamFlowError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno not in CORRECTABLE:
            raise
        _fail(f"{error.filename or 'a file'}: {error.strerror}")


def _interrupt(_signum: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _fail(message: str) -> None:
    click.echo(f"streamflow: {message}", err=True)
    sys.exit(2)
