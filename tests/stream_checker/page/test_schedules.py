"""The view of the schedules, with the keyboard alone, on a phone and in the dark."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from redis import Redis

import stream_checker
from stream_tasks.before_events import NEXT_EVENTS_KEY
from support.browser import Browser

from ..server import Server
from .place import in_browser, show

PAGE = Path(stream_checker.__file__).with_name("page")
NIGHT = {"name": "night", "cron": "0 3 * * *", "until": "06:30", "groups": ["News"]}
ZONE = {"timezone": "Europe/Berlin"}
NOT_DAILY = ("60 3 * * *", "0 24 * * *", "0 3 1 * *", "*/5 3 * * *", "0 3 * * fri", "0 3 * * 5-3", "0 3 * * 9", "")
DIALOG = "document.querySelector('dialog')?.innerText"


def scheduled(admin: httpx.Client, *entries: object) -> None:
    admin.put("/settings/schedule", json=ZONE | {"checks": entries}).raise_for_status()


def stored(admin: httpx.Client) -> list[dict[str, object]]:
    return list(admin.get("/settings").json()["schedule"]["checks"])


@in_browser
def test_a_schedule_says_when_what_and_how_long(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None, redis_client: Redis
) -> None:
    scheduled(admin, NIGHT)
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    redis_client.set(
        NEXT_EVENTS_KEY,
        json.dumps([{"kind": "recording", "channel_id": 1, "starts_at": soon, "title": "Derby"}]),
    )
    show(browser, server, "schedules")
    browser.until_shown("Every night at 03:00 until 06:30", "Europe/Berlin", "the setting Timezone below")
    browser.until("/about \\d+ (second|minute)s?, fits \\(\\d+ streams?/.test(document.body.innerText)")
    browser.until_shown("only groups News", "in force within", "Derby on Das Erste")
    label = "document.querySelector('.day').ariaLabel"
    assert browser.value(label).startswith("night: starts at 03:00 AM, window until 06:30 AM, takes about")
    assert "1 recording or programme with a check before" in browser.value(
        "[...document.querySelectorAll('.day')].at(-1).ariaLabel"
    )
    # Three and a half hours from 3:00, of 24.
    window = browser.value(
        "['left', 'width'].map((side) => parseFloat(document.querySelector('.day .window').style[side]))"
    )
    assert window == pytest.approx([3 / 24 * 100, 3.5 / 24 * 100], abs=0.001)


@in_browser
def test_a_window_over_midnight_has_two_parts(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None
) -> None:
    scheduled(admin, {"name": "late", "cron": "0 22 * * *", "until": "04:00"})
    show(browser, server, "schedules")
    parts = (
        "[...document.querySelectorAll('.day .window')].map((one) => [one.style.left, one.style.width].map(parseFloat))"
    )
    browser.until(f"{parts}.length === 2")
    assert browser.value(parts) == [
        pytest.approx(one, abs=0.001) for one in ([22 / 24 * 100, 2 / 24 * 100], [0, 4 / 24 * 100])
    ]


def begin_to_add(browser: Browser, server: Server, admin: httpx.Client, name: str) -> None:
    """Open the dialog of a new schedule beside that of the night, and type its name."""
    scheduled(admin, NIGHT)
    show(browser, server, "schedules")
    browser.reach("Add a schedule…")
    browser.press("Enter")
    browser.reach("Name")
    browser.replace(name)


@in_browser
def test_a_schedule_is_added_changed_and_removed_by_keyboard(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None
) -> None:
    begin_to_add(browser, server, admin, "weekend")
    browser.reach("Starts")
    browser.type("o")
    browser.until("document.querySelector('dialog fieldset') !== null")
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri"):
        browser.reach(day)
        browser.press(" ")
    browser.reach("At")
    browser.type("0515AM")
    browser.until(f"{DIALOG}.includes('At 05:15 on Sunday and Saturday')")
    browser.reach("Save")
    browser.press("Enter")
    browser.until("!document.querySelector('dialog')")
    browser.until_shown("At 05:15 on Sunday and Saturday")
    assert [(one["name"], one["cron"]) for one in stored(admin)] == [
        ("night", "0 3 * * *"),
        ("weekend", "15 5 * * 0,6"),
    ]

    browser.reach("Change weekend")
    browser.press("Enter")
    browser.reach("Until")
    browser.type("0700AM")
    browser.reach("What is checked")
    browser.press("Enter")
    browser.reach("Only if viewers below")
    browser.replace("1")
    browser.reach("Save")
    browser.press("Enter")
    browser.until_shown("only while nobody watches", "until 07:00")

    browser.reach("Remove weekend")
    browser.press("Enter")
    browser.until_shown("Remove weekend?", "pause it instead")
    browser.reach("Remove")
    browser.press("Enter")
    browser.until("!document.body.innerText.includes('weekend')")
    assert [one["name"] for one in stored(admin)] == ["night"]


@in_browser
def test_the_servers_fault_stands_beside_its_field_while_it_is_typed(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None
) -> None:
    begin_to_add(browser, server, admin, "streams")
    browser.until(f'{DIALOG}.includes("the name of a DAG of StreamFlow\'s own")')
    browser.reach("Starts")
    browser.type("by")
    browser.reach("Cron expression")
    browser.replace("0 3 30 2 *")
    browser.until(f"{DIALOG}.includes('no day has this date')")
    assert browser.value("document.activeElement.getAttribute('aria-invalid')") == "true"
    browser.reach("Save")
    browser.press("Enter")
    browser.until(f"{DIALOG}.includes('Nothing was saved. Correct the marked fields.')")
    browser.reach("Name")
    browser.replace("night")
    browser.reach("Cron expression")
    browser.replace("0 */6 * * *")
    browser.until(f"{DIALOG}.includes('two entries have the same name')")
    browser.reach("Name")
    browser.replace("often")
    browser.until(f"{DIALOG}.includes('Every 6 hours')")
    browser.press("Escape")
    browser.until("!document.querySelector('dialog')")
    assert len(stored(admin)) == 1


@in_browser
def test_a_schedule_is_paused_and_resumed_by_keyboard(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None, dag: Callable[..., None]
) -> None:
    scheduled(admin, NIGHT)
    dag("check_night", "0 3 * * *")
    show(browser, server, "schedules")
    browser.reach("Pause night")
    browser.press("Enter")
    browser.until_shown("paused: it starts no check until it is resumed")
    browser.reach("Resume night")
    browser.press("Enter")
    browser.until("!document.body.innerText.includes('paused: it starts no check')")


@in_browser
def test_a_reader_sees_the_schedules_and_no_button(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None, dag: Callable[..., None]
) -> None:
    scheduled(admin, NIGHT)
    dag("check_night", "0 3 * * *")
    browser.log_in(server.address, server.token("reader"))
    show(browser, server, "schedules")
    browser.until_shown("Every night at 03:00 until 06:30", "history in Airflow", "fits")
    assert browser.value("document.querySelectorAll('main button').length") == 0
    assert browser.value("[...document.querySelectorAll('main input')].every((one) => one.matches(':disabled'))")


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_view_and_its_dialog_are_accessible_and_fit_a_phone(
    browser: Browser, server: Server, admin: httpx.Client, defaults: None, scheme: str
) -> None:
    scheduled(admin, NIGHT | {"name": "n" * 60})
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    show(browser, server, "schedules")
    browser.until_shown("Every night at 03:00", "fits")
    assert browser.violations() == []
    assert browser.value("document.documentElement.scrollWidth") <= 360
    browser.reach("Add a schedule…")
    browser.press("Enter")
    browser.until(f"{DIALOG}.includes('Every night at 03:00')")
    assert browser.violations() == []
    assert browser.value("document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth")


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js on this machine")
@pytest.mark.parametrize(
    ("cron", "daily"),
    [
        ("0 3 * * *", {"time": "03:00", "days": [1, 2, 3, 4, 5, 6, 0]}),
        ("5 14 * * 1-5", {"time": "14:05", "days": [1, 2, 3, 4, 5]}),
        ("5 14 * * 6,7", {"time": "14:05", "days": [6, 0]}),
        ("5 14 * * 5-7", {"time": "14:05", "days": [5, 6, 0]}),
        *((cron, None) for cron in NOT_DAILY),
    ],
)
def test_a_daily_expression_is_shown_as_time_and_days(cron: str, daily: dict[str, object] | None) -> None:
    module = f"import {{ readDaily }} from {json.dumps(str(PAGE / 'cron.js'))};"
    script = f"{module} console.log(JSON.stringify(readDaily({json.dumps(cron)})));"
    node = ["node", "--input-type=module", "--no-warnings", "--eval", script]
    assert json.loads(subprocess.run(node, check=True, capture_output=True, text=True, timeout=30).stdout) == daily
