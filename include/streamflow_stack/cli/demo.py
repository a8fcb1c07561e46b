"""``demo``: run the whole product against the bundled lab."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.table import Table

from streamflow import config, names
from streamflow_stack import ports, stack
from streamflow_stack.cli.console import Steps, announce, follow, measured, output, serve
from streamflow_stack.processes import Processes, StackError

SAMPLE_SECONDS = 5
LAB_SECONDS = 180.0
REFRESH_SECONDS = 120.0


@dataclass(frozen=True)
class Lab:
    """The addresses and the login of a running lab."""

    provider: str
    dispatcharr: str
    username: str
    password: str

    def record(self) -> dict[str, Any]:
        """Return the provider's own counters."""
        return dict(httpx.get(f"{self.provider}/lab/record").raise_for_status().json())

    def channels(self) -> dict[int, dict[str, Any]]:
        """Return Dispatcharr's channels as they are now, by id."""
        state = httpx.get(f"{self.dispatcharr}/lab/dispatcharr").raise_for_status().json()
        return {channel["id"]: channel for channel in state["channels"]}

    def change(self, **state: Any) -> None:
        """Change Dispatcharr's state as ``POST /lab/dispatcharr`` does."""
        httpx.post(f"{self.dispatcharr}/lab/dispatcharr", json=state).raise_for_status()


@contextmanager
def lab(processes: Processes, home: Path, library: str = "demo") -> Iterator[Lab]:
    """Run the lab as a process of the stack until the end of the block.

    :param library: the name of the library that it serves.
    :raises StackError: The lab did not start.
    """
    ready = home / "lab" / "ready.json"
    ready.unlink(missing_ok=True)
    env = {"PYTHONPATH": ":".join(p for p in sys.path if p.endswith("include")), "PATH": "/usr/bin:/bin"}
    arguments = ["--home", str(home / "lab"), "--ready-file", str(ready)]
    arguments += ["--library", library, "--host", ports.loopback()]
    log = processes.start("lab", [sys.executable, "-m", "lab", *arguments], env)
    deadline = time.monotonic() + LAB_SECONDS
    while not ready.exists():
        processes.check()
        if time.monotonic() > deadline:
            raise StackError(f"the lab did not start within {LAB_SECONDS:.0f} s; see {log}")
        time.sleep(0.1)
    yield Lab(**{key: json.loads(ready.read_text())[key] for key in Lab.__dataclass_fields__})


@click.command(short_help="Run the whole product against the bundled lab.")
@click.option("--exit", "leave", is_flag=True, help="End after the check instead of serving the UI.")
@click.option("--port", default=8080, show_default=True, help="Airflow's port; the next free one when it is in use.")
def command(leave: bool, port: int) -> None:
    """Start the lab, Redis and Airflow, check the lab's whole library, and print the results."""
    home = config.home()
    console = output()
    with stack.owned(home), Processes(home) as processes, Steps(console) as steps:
        steps.say("making the lab's media and starting its provider and Dispatcharr")
        with lab(processes, home) as provider:
            env = {
                "DISPATCHARR_URL": provider.dispatcharr,
                "DISPATCHARR_USERNAME": provider.username,
                "DISPATCHARR_PASSWORD": provider.password,
                "DISPATCHARR_API_KEY": "",
            }
            with stack.running(home, stack.Options(port, env), processes, steps.say) as running:
                good = _check_library(running, provider, console, steps)
                if leave:
                    announce(running, console)
                else:
                    serve(running, console)
    sys.exit(0 if good else 1)


def _check_library(running: stack.Stack, provider: Lab, console: Console, steps: Steps) -> bool:
    """Check the whole library, print the results, and return whether all checks and limits held."""

    def watch() -> None:
        running.watch(console.print)

    api = running.api()
    steps.say("bringing the library into the UDI")
    refresh = running.trigger(names.REFRESH_DAG, {}, steps.say)
    if api.wait(names.REFRESH_DAG, refresh, timeout=REFRESH_SECONDS, poll=0.5, check=watch) != "success":
        raise StackError(
            f"{names.REFRESH_DAG} failed; see its log at {running.address}/dags/{names.REFRESH_DAG}/runs/{refresh}"
        )
    before = provider.channels()
    httpx.post(f"{provider.provider}/lab/reset").raise_for_status()
    run_id = api.trigger(names.CHECK_DAG, {"force": True, "sample_seconds": SAMPLE_SECONDS})
    steps.done()
    runs = list(follow(api, run_id, console, watch))
    after = provider.channels()
    for run in runs:
        _show_channels(console, run, before, after)
    within = _show_record(console, provider.record())
    counts = [run["verdicts"] for run in runs]
    undecided = sum(count.get("pending", 0) for count in counts)
    total = sum(sum(count.values()) for count in counts)
    console.print(f"{total - undecided} of {total} checks got a verdict.", style="green" if not undecided else "red")
    return within and not undecided and total > 0


def _show_channels(
    console: Console, run: dict[str, Any], before: dict[int, dict[str, Any]], after: dict[int, dict[str, Any]]
) -> None:
    results = {item["stream_id"]: item for item in run["streams"]}
    for channel_id in run["channels"]:
        former = before[channel_id]["streams"]
        table = Table(title=before[channel_id]["name"], title_justify="left")
        for column in ("after", "before", "stream", "account", "verdict", "measured", "score"):
            table.add_column(column, justify="right" if column in ("after", "before", "score") else "left")
        for place, stream_id in enumerate(after[channel_id]["streams"], 1):
            item = results.get(stream_id, {})
            result = item.get("result") or {}
            verdict = item.get("state", "not checked")
            table.add_row(
                str(place),
                str(former.index(stream_id) + 1) if stream_id in former else "new",
                item.get("name", str(stream_id)),
                item.get("account", ""),
                f"{verdict} {result.get('reason') or ''}".strip(),
                measured(result),
                "" if result.get("score") is None else f"{result['score']:.2f}",
            )
        console.print(table)


def _show_record(console: Console, record: dict[str, Any]) -> bool:
    """Print the provider's counters and return whether every account stayed within its limit."""
    table = Table(title="Connections counted by the provider", title_justify="left")
    for column in ("account", "limit", "peak", "connections", "refused"):
        table.add_column(column, justify="left" if column == "account" else "right")
    within = True
    for account in record["accounts"]:
        limit, peak = account["max_streams"], account["peak"]
        exceeded = 0 < limit < peak or account["refused"] > 0
        within &= not exceeded
        table.add_row(
            account["name"],
            str(limit or "none"),
            f"[{'red' if exceeded else 'green'}]{peak}[/]",
            str(account["total"]),
            str(account["refused"]),
        )
    console.print(table)
    return within
