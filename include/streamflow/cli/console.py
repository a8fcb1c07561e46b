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

from streamflow.stack.airflow_api import AirflowApi
from streamflow.stack.stack import Stack

API = "/api/stream-checker"


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
        self._console.print(f"[dim]{time.monotonic() - self._started:5.1f} s[/]  {what}", highlight=False)

    def done(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None


def follow(api: AirflowApi, run_id: str, console: Console) -> Iterator[dict[str, Any]]:
    """Show the progress of a run, and of those its chain goes on with, until each ends; yields their last states."""
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    following: str | None = run_id
    while following:
        with Progress(*bar, console=console) as progress:
            line = progress.add_task("planning", total=None)
            last_shown = 0.0
            while True:
                state = api.request("GET", f"{API}/runs/{quote(following, safe='')}", missing_ok=True)
                ended = api.run("check_streams", following)["state"] in ("success", "failed")
                if state:
                    verdicts = state["verdicts"]
                    total = sum(verdicts.values())
                    pending = verdicts.get("pending", 0)
                    shown = ", ".join(
                        f"{count} {verdict}" for verdict, count in verdicts.items() if verdict != "pending"
                    )
                    progress.update(line, total=total, completed=total - pending, description=shown or "checking")
                    if not console.is_terminal and time.monotonic() - last_shown > 5:
                        console.print(f"{total - pending}/{total} {shown}", highlight=False)
                        last_shown = time.monotonic()
                if ended:
                    break
                time.sleep(0.5)
        if state is None:
            console.print(f"[red]the run {following} ended before it had planned anything; see its log in Airflow[/]")
            return
        yield state
        following = state.get("next_run_id")


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
        highlight=False,
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
