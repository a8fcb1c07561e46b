"""``status``: show the slots in use."""

from __future__ import annotations

import click
from rich.table import Table

from streamflow_stack.cli.console import API, output
from streamflow_stack.cli.remote import connect


@click.command(short_help="Show the slots in use.")
def command() -> None:
    """Show the slots in use and the waiting tasks, in all and for each account."""
    status = connect().request("GET", f"{API}/concurrency/status")
    console = output(markup=False)
    console.print(f"mode {status['mode']}, Redis {status['redis']}")
    table = Table()
    for column in ("account", "limit", "now", "viewers", "active", "waiting"):
        table.add_column(column, justify="left" if column == "account" else "right")
    total = status["global"]
    table.add_row("all", str(total["limit"] or "none"), "", "", str(total["active"]), str(total["waiting"]))
    for account in status["accounts"]:
        table.add_row(
            account["name"],
            str(account["max_streams"] or "none"),
            str(account["effective_limit"] if account["max_streams"] else "none"),
            *(str(account[key]) for key in ("viewers", "active", "waiting")),
        )
    console.print(table)
    for account in status["accounts"]:
        limit, believed = account["max_streams"], account["believed_limit"]
        if believed != limit:
            shown = f"{believed} of {limit}" if limit else believed
            console.print(f"{account['name']}: believed {shown}: {'; '.join(account['evidence'])}")
