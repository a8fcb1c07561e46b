"""What goes wrong is told where people look: in Airflow, in the source, in Redis, and when nothing responds."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from urllib.parse import quote

import pytest
from redis import Redis

from streamflow import faults, names
from streamflow.records import Run
from streamflow.udi import Udi
from support.browser import Browser

from ..airflow_rows import airflow_run
from ..library import NOW, RUN, result
from ..server import Server
from .place import in_browser, show

pytestmark = in_browser
HERE = f"run/{quote(RUN, safe='')}"


@pytest.mark.parametrize(
    ("state", "row", "texts"),
    [
        ("running", {"is_paused": True}, ["Paused: Check by hand", "nothing until they are resumed"]),
        ("failed", {"failed_task": "plan"}, ["Failed: Check by hand", "the task plan has failed"]),
        ("failed", {}, ["Failed: Check by hand", "marked it as failed in Airflow"]),
        ("success", {}, ["Ended: Check by hand", "without its last task"]),
        ("running", {}, ["Progress: Check by hand", "Expected end"]),
    ],
)
def test_a_run_tells_what_airflow_knows(
    browser: Browser, server: Server, udi: Udi, state: str, row: dict[str, object], texts: list[str]
) -> None:
    with airflow_run(server, RUN, state, **row):  # type: ignore[arg-type]
        show(browser, server, HERE)
        browser.until_shown(*texts)
        ends = "document.body.innerText.includes('Expected end')"
        assert browser.value(ends) == ("Expected end" in texts)


def test_a_run_that_was_deleted_in_airflow_does_not_go_on(browser: Browser, server: Server, udi: Udi) -> None:
    show(browser, server, HERE)
    browser.until_shown("Deleted: Check by hand", "no further stream is checked")


def test_a_plan_that_failed_tells_why(browser: Browser, server: Server, udi: Udi, redis_client: Redis) -> None:
    run_id = "manual__2026-02-03T04:05:06+00:00"
    with pytest.raises(LookupError), faults.noted(redis_client, run_id):
        raise LookupError("there is no channel with the id 99 at http://user:hunter2-secret@provider.invalid/x")
    with airflow_run(server, run_id, "failed", failed_task="plan"):
        show(browser, server, f"run/{quote(run_id, safe='')}")
        browser.until_shown("failed before it had planned anything: there is no channel with the id 99")
        assert not browser.value("document.body.innerText.includes('hunter2-secret')")


def test_a_chain_shows_the_progress_of_the_whole_library(browser: Browser, server: Server, udi: Udi) -> None:
    def part(number: int, streams: tuple[int, ...], remaining: int) -> str:
        chain = {"first": "manual__chain", "since": NOW.isoformat(), "number": number}
        run_id = names.chain_part("manual__chain", number)
        udi.runs.open(
            Run(
                run_id=run_id,
                started_at=NOW - timedelta(minutes=3 - number),
                mode="concurrent",
                params={"chain": chain} if number > 1 else {},
                stream_ids=streams,
                channels={},
                remaining=remaining,
            )
        )
        return run_id

    first = part(1, (1, 2), 5)
    for stream in (1, 2):
        udi.runs.settle(first, result(stream, run_id=first, checked_at=NOW))
    second = part(2, (3, 4), 3)
    udi.runs.settle(second, result(3, run_id=second, checked_at=NOW))
    for run_id, number in ((first, 1), (second, 2)):
        show(browser, server, f"run/{run_id}")
        browser.until_shown("43% 3 of 7", f"Part {number} of a check that is too large for one run")
    udi.prune(runs=1)


def test_a_refresh_that_failed_tells_why_and_what_to_do(
    browser: Browser, server: Server, udi: Udi, redis_client: Redis
) -> None:
    with pytest.raises(ConnectionError), faults.noted(redis_client, names.REFRESH_DAG, ". Name the machine's address"):
        raise ConnectionError("Dispatcharr cannot be reached")
    with airflow_run(server, "refresh", "failed", dag=names.REFRESH_DAG):
        show(browser, server, "overview")
        browser.until_shown("Library last refreshed", "refresh failed")
        browser.until_shown("Dispatcharr cannot be reached. Name the machine's address.", "./streamflow doctor")


def test_redis_away_leaves_the_accounts_and_marks_them(
    browser: Browser, server: Server, udi: Udi, redis_away: Callable[[], AbstractContextManager[None]]
) -> None:
    with redis_away():
        show(browser, server, "now")
        browser.until_shown("Redis is unavailable", "Provider A", "Provider B", "use not known")
        # A filter keeps its choices.
        show(browser, server, "results")
        browser.until("[...document.querySelectorAll('option')].some((one) => one.text === 'Provider A')")


SILENT = """
window.fetch = (_, { signal } = {}) =>
  new Promise((__, fail) => signal?.addEventListener("abort", () => fail(signal.reason)));
"""


@pytest.mark.parametrize("way", ["offline", "silent"])
def test_a_stack_that_is_gone_is_told_within_five_seconds(browser: Browser, server: Server, udi: Udi, way: str) -> None:
    show(browser, server, "results")
    browser.until_shown("Past scores", "Channel 8 UHD")
    started = time.monotonic()
    if way == "offline":
        browser.call(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
    else:
        browser.value(f"(() => {{ window.kept = window.fetch; {SILENT} }})()")
    browser.until_shown("StreamFlow does not respond. Everything on this page is as of")
    assert time.monotonic() - started < 5
    assert browser.value("document.body.innerText.includes('Channel 8 UHD')")
    if way == "offline":
        browser.call(
            "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
    else:
        browser.value("(window.fetch = window.kept, true)")
    browser.until("!document.querySelector('.silence')")


def test_the_filters_fold_on_a_phone(browser: Browser, server: Server, udi: Udi) -> None:
    browser.call("Emulation.setDeviceMetricsOverride", width=390, height=740, deviceScaleFactor=1, mobile=True)
    for place, label in (("results?status=ok", "Account"), ("channel", "Group")):
        show(browser, server, place)
        browser.until("document.querySelector('details.filters') !== null")
        labels = "[...document.querySelectorAll('.filters label')]"
        field = f"{labels}.find((one) => one.textContent.trim().startsWith('{label}'))"
        assert not browser.value(f"{field}.checkVisibility()")
        browser.value("document.querySelector('.filters > summary').click()")
        browser.until(f"{field}.checkVisibility()")
    show(browser, server, "results?status=ok&account_id=1")
    browser.until_shown("Filters (2 in use)")
    browser.call("Emulation.setDeviceMetricsOverride", width=1280, height=740, deviceScaleFactor=1, mobile=False)
    browser.until("document.querySelector('details.filters') === null")
