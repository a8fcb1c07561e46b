"""What commands show while they work: steps, a run's progress, and where the UI is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.status import Status

from streamflow import names
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.stack import Stack

API = "/api/stream-checker"
POLL_SECONDS = 0.5
# Wider than any table: where no terminal bounds a line, none is broken, so that each can be searched and cut.
UNBOUNDED_WIDTH = 1000
# How often a line is printed where no bar can move.
LINE_SECONDS = 5.0


def output(*, stderr: bool = False, markup: bool = True) -> Console:
    """A console that is as wide as its lines where no terminal bounds them.

    :param markup: False where what is printed may hold what would be markup: names.
    """
    console = Console(stderr=stderr, markup=markup, highlight=False)
    if not console.is_terminal:
        console.width = UNBOUNDED_WIDTH
    return console


class Steps:
    """Says what is going on: a spinner on a terminal, a line a step elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._status: Status | None = console.status("starting") if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.done()

    def say(self, what: str) -> None:
        if self._status:
            self._status.update(what)
        self._console.print(f"[dim]{time.monotonic() - self._started:5.1f} s[/]  {what}")

    def done(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None


def follow(api: AirflowApi, run_id: str, console: Console) -> Iterator[dict[str, Any]]:
    """Show the progress of a run, and of those its chain goes on with, until each ends; yields their last states."""
    following: str | None = run_id
    while following:
        _watch(api, following, console)
        state = _state(api, following)
        if state is None:
            console.print(f"[red]the run {following} ended before it had planned anything; see its log in Airflow[/]")
            return
        yield state
        following = state.get("next_run_id")


def _state(api: AirflowApi, run_id: str, **query: str) -> dict[str, Any] | None:
    """What the API tells of the run; None before it is planned."""
    state: dict[str, Any] | None = api.request(
        "GET", f"{API}/runs/{quote(run_id, safe='')}", missing_ok=True, params=query
    )
    return state


def _watch(api: AirflowApi, run_id: str, console: Console) -> None:
    """Show how far the run is until Airflow says that it has ended."""
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bar, console=console) as progress:
        line = progress.add_task("planning", total=None)
        last_shown = 0.0
        while True:
            ended = api.run(names.CHECK_DAG, run_id)["state"] in ("success", "failed")
            if state := _state(api, run_id, streams="false"):
                told = [f"{count} {verdict}" for verdict, count in state["verdicts"].items() if verdict != "pending"]
                shown = ", ".join(told)
                progress.update(line, total=state["total"], completed=state["done"], description=shown or "checking")
                if not console.is_terminal and time.monotonic() - last_shown > LINE_SECONDS:
                    console.print(f"{state['done']}/{state['total']} {shown}")
                    last_shown = time.monotonic()
            if ended:
                return
            time.sleep(POLL_SECONDS)


def measured(result: dict[str, Any]) -> str:
    """Size, rate, codec and bitrate of a result in one short line."""
    if not result.get("width"):
        return ""
    scan = "i" if result.get("interlaced") else "p"
    return f"{result['height']}{scan}{result.get('fps') or 0:g} {result['video_codec']} {result['bitrate_kbps']} kbit/s"


def serve(stack: Stack, console: Console, leave: bool) -> None:
    """Say where the UI is and, unless leaving, keep the stack until Ctrl-C; raises StackError when a part dies."""
    console.print(
        f"Airflow: {stack.address}  user {stack.username}, password in {stack.home}/airflow/passwords.json",
    )
    if leave:
        return
    console.print("Ctrl-C ends everything.")
    try:
        while True:
            stack.watch(console.print)
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("ending")
