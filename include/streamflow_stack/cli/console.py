"""The output of commands while they work: steps, a run's progress, and the address of the UI."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.status import Status

from streamflow import names
from streamflow_stack.airflow import passwords_file
from streamflow_stack.airflow_api import ENDS, AirflowApi
from streamflow_stack.stack import Stack

API = "/api/stream-checker"
POLL_SECONDS = 0.5
WATCH_SECONDS = 1.0
# Wider than any table. Without a terminal no line is wrapped, so that programs can search and cut the lines.
UNBOUNDED_WIDTH = 1000
# The pause between two lines of progress where no bar can move.
LINE_SECONDS = 5.0


def output(*, stderr: bool = False, markup: bool = True) -> Console:
    """Return a console that wraps lines on a terminal only.

    :param markup: False where the printed names may look like markup.
    """
    console = Console(stderr=stderr, markup=markup, highlight=False)
    if not console.is_terminal:
        console.width = UNBOUNDED_WIDTH
    return console


class Steps:
    """Prints the steps of a command: a line for each one, and on a terminal a spinner beside it."""

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

    def say(self, step: str) -> None:
        """Print a step with the seconds since the start."""
        if self._status:
            self._status.update(step)
        self._console.print(f"[dim]{time.monotonic() - self._started:5.1f} s[/]  {step}")

    def done(self) -> None:
        """Stop the spinner."""
        if self._status:
            self._status.stop()
            self._status = None


def follow(
    api: AirflowApi, run_id: str, console: Console, check: Callable[[], None] = lambda: None
) -> Iterator[dict[str, Any]]:
    """Show the progress of a run and of the next ones of its chain, each until its end.

    :param check: called between requests; may raise an error.
    :returns: the final state of each run, as ``GET /runs/{run_id}`` returns it.
    """
    following: str | None = run_id
    while following:
        _show_progress(api, following, console, check)
        state = _state(api, following)
        if state is None:
            why = _fault(api, following)
            console.print(f"the run {following} ended before it had planned anything: {why}", style="red", markup=False)
            return
        yield state
        following = state.get("next_run_id")


def _state(api: AirflowApi, run_id: str, **query: str) -> dict[str, Any] | None:
    """Return the state of a run; None before it is planned."""
    state: dict[str, Any] | None = api.request(
        "GET", f"{API}/runs/{quote(run_id, safe='')}", missing_ok=True, params=query
    )
    return state


def _fault(api: AirflowApi, run_id: str) -> str:
    """Return why the plan of a run failed."""
    found = api.request("GET", f"{API}/runs/{quote(run_id, safe='')}/airflow", missing_ok=True)
    return str((found or {}).get("reason") or "its log in Airflow tells why")


def _show_progress(api: AirflowApi, run_id: str, console: Console, check: Callable[[], None]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("planning", total=None)
        last_line = 0.0
        while True:
            check()
            has_ended = api.run(names.CHECK_DAG, run_id)["state"] in ENDS
            if state := _state(api, run_id, streams="false"):
                counts = {verdict: count for verdict, count in state["verdicts"].items() if verdict != "pending"}
                shown = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
                progress.update(bar, total=state["total"], completed=state["done"], description=shown or "checking")
                if not console.is_terminal and time.monotonic() - last_line > LINE_SECONDS:
                    console.print(f"{state['done']}/{state['total']} {shown}")
                    last_line = time.monotonic()
            if has_ended:
                return
            time.sleep(POLL_SECONDS)


def measured(result: dict[str, Any]) -> str:
    """Return the size, frame rate, codec and bitrate of a result in one short line."""
    if not result.get("width"):
        return ""
    scan = "i" if result.get("interlaced") else "p"
    return f"{result['height']}{scan}{result.get('fps') or 0:g} {result['video_codec']} {result['bitrate_kbps']} kbit/s"


def serve(stack: Stack, console: Console, is_wanted: Callable[[], bool] = lambda: True) -> bool:
    """Print the address of the UI, and keep the stack until Ctrl-C.

    :param is_wanted: returns False when this process need not keep the stack any longer.
    :returns: whether the stack still runs: False after Ctrl-C.
    :raises StackError: A part of the stack has ended for good.
    """
    announce(stack, console)
    console.print("Ctrl-C ends everything.")
    try:
        while is_wanted():
            stack.watch(console.print)
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        console.print("ending")
        return False
    return True


def announce(stack: Stack, console: Console) -> None:
    """Print the address of the UI and where its password is."""
    console.print(f"Airflow: {stack.address}  user {stack.username}, password in {passwords_file(stack.home)}")
