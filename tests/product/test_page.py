"""The page during a real run, in a real browser: buttons take effect, and changes appear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from support.browser import PROGRAM, Browser
from support.running_product import API, Product, eventually, probing

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(420),
    pytest.mark.xdist_group("stack"),
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine (Debian's package chromium)"),
]
PAGE = "/api/stream-checker/page/"


@pytest.fixture
def browser(product: Product) -> Iterator[Browser]:
    """A browser in which the administrator has logged in to Airflow."""
    login = {"username": product.stack.username, "password": product.stack.password}
    token = product.api.request("POST", "/auth/token", json=login)["access_token"]
    # On a busy machine Airflow starts tasks late.
    with Browser(patience=120) as browser:
        browser.log_in(product.stack.address, token)
        yield browser
        assert browser.console == []
        own = (product.stack.address, f"{product.provider.dispatcharr}/proxy/ts/stream/", "about:", "data:", "blob:")
        assert [address for address in browser.requested_urls if not address.startswith(own)] == []


def show(browser: Browser, product: Product, place: str) -> None:
    browser.show(f"{product.stack.address}{PAGE}#{place}")


def push(browser: Browser, *buttons: str) -> None:
    """Press buttons by keyboard, one after another."""
    for button in buttons:
        browser.reach(button)
        browser.press("Enter")


def latest_run(product: Product) -> str:
    runs = product.api.request(
        "GET", "/api/v2/dags/check_streams/dagRuns", params={"order_by": "-run_after", "limit": 1}
    )
    return str(runs["dag_runs"][0]["dag_run_id"])


def choose(browser: Browser, name: str, option: str) -> None:
    browser.value(
        f"(() => {{ const list = document.querySelector('dialog select[name={name}]'); "
        f"list.value = [...list.options].find((one) => one.text === '{option}').value; }})()"
    )


def viewers(product: Product) -> list[dict[str, Any]]:
    state = httpx.get(f"{product.provider.dispatcharr}/lab/dispatcharr").raise_for_status().json()
    return list(state["viewers"])


def test_a_check_is_started_watched_and_reset_by_hand(product: Product, browser: Browser) -> None:
    show(browser, product, "now")
    push(browser, "Start a check…")
    browser.until("document.querySelector('dialog[open]') !== null")
    choose(browser, "account", "East")
    browser.value("document.querySelector('dialog input[name=force]').click()")
    push(browser, "Start")
    # The page goes to the run, which appears as soon as it is planned.
    browser.until("location.hash.startsWith('#run/manual')")
    browser.until_shown("Expected end")
    run_id = latest_run(product)
    show(browser, product, "now")
    # Names, progress and bitrate appear as events arrive.
    browser.until("document.querySelectorAll('progress').length >= 2")
    browser.until_shown("Mb/s")
    browser.until("[...document.querySelectorAll('progress')].some((one) => one.value > 1)")
    browser.until("[...document.querySelectorAll('tbody th')].every((one) => !one.innerText.startsWith('Stream '))")
    for place in ("now", "run", "results", "channel", "history", "workers"):
        show(browser, product, place)
        browser.until("!document.querySelector('main > p[role=status]')")
        assert browser.violations() == [], place
    show(browser, product, "now")
    push(browser, "Reset…")
    browser.until_shown("slots are released")
    push(browser, "Reset")
    browser.until("!document.querySelector('dialog[open]')")
    assert product.api.wait("check_streams", run_id, timeout=240, poll=0.5) == "success"
    # Stopped checks were tried again.
    verdicts: dict[str, Any] = product.run(run_id)["verdicts"]
    assert verdicts.get("unknown", 0) == 0
    assert "pending" not in verdicts
    show(browser, product, "run")
    browser.until_shown("100%", "Finished", "Channels that changed")
    show(browser, product, "history")
    browser.until("document.querySelector('.chart rect.ok') !== null")


def test_a_stream_and_a_channel_are_watched_through_the_proxy(product: Product, browser: Browser) -> None:
    stream = product.library.named("World Report HD").id
    channel = next(one for one in product.library.channels if stream in one.stream_ids)
    for place in (f"stream/{stream}", f"channel/{channel.id}"):
        show(browser, product, place)
        push(browser, "Watch")
        browser.until_shown("Watching takes one connection")
        # The library is loaded for those alone who watch.
        assert browser.value("window.mpegts === undefined")
        assert browser.violations() == []
        assert viewers(product) == []
        push(browser, "Play")
        browser.until("document.querySelector('video')?.videoWidth > 0")
        moved = "document.querySelector('video').currentTime"
        began = browser.value(moved)
        browser.until(f"{moved} > {began + 0.5}")
        push(browser, "Close")
        eventually(lambda: not viewers(product))


def test_a_channel_is_checked_now_and_put_back(product: Product, browser: Browser) -> None:
    channel = next(one for one in product.library.channels if one.name == "Arena 2")
    poor = [product.library.named(f"Arena 2 {name}").id for name in ("gone", "frozen", "HD", "FHD")]
    product.provider.change(channels={channel.id: poor})
    assert product.api.wait("refresh_udi", product.api.trigger("refresh_udi", {}), timeout=120, poll=0.5) == "success"
    show(browser, product, f"channel/{channel.id}")
    push(browser, "Check now")
    browser.until("location.hash.startsWith('#run/manual')")
    run_id = browser.value("decodeURIComponent(location.hash.slice('#run/'.length))")
    assert product.api.wait("check_streams", run_id, timeout=240, poll=0.5) == "success"
    assert product.provider.channels()[channel.id]["streams"] != poor
    show(browser, product, f"channel/{channel.id}")
    [move, *_] = product.api.request("GET", f"{API}/channels/{channel.id}")["last_change"]["moves"]
    browser.until_shown("Last change", "Arena 2 gone", move["why"].partition(":")[0])
    push(browser, "Undo")
    eventually(lambda: product.provider.channels()[channel.id]["streams"] == poor)
    # A provider with a height is preferred: the stored results tell what that would change.
    show(browser, product, "policies")
    push(browser, "Add a policy")
    for field, text in (("Groups", "Sports"), ("Accounts", "East"), ("Max height", "720")):
        browser.reach(field)
        browser.replace(text)
    push(browser, "What would change now?")
    browser.until_shown("Arena 2 gone → Arena 2 HD")


def test_a_group_is_not_touched(product: Product, browser: Browser) -> None:
    show(browser, product, "policies")
    push(browser, "Add a policy")
    browser.reach("Groups")
    browser.replace("Sports")
    browser.reach("Check")
    browser.press(" ")
    push(browser, "Save the policies")
    browser.until("![...document.querySelectorAll('button')].some((one) => one.innerText === 'Save the policies')")
    try:
        run = product.check(channel_ids=[one.id for one in product.library.channels if one.name.startswith("Arena")])
        assert (run["total"], set(run["skipped"].values())) == (0, {"excluded"})
    finally:
        product.api.request("PUT", f"{API}/policies", json={"policies": []})


def test_a_stopped_run_ends_soon_and_finishes_its_channels(product: Product, browser: Browser) -> None:
    request = {"force": True, "write_back": False}
    run_id = product.api.request("POST", f"{API}/checks", json=request)["run_id"]
    eventually(lambda: probing(product), seconds=90)
    show(browser, product, f"run/{quote(run_id, safe='')}")
    push(browser, "Stop the run")
    assert product.api.wait("check_streams", run_id, timeout=90, poll=0.5) == "success"
    browser.until_shown("Stopped")
    run = product.run(run_id)
    assert run["stopped"]
    assert run["finished_at"]
    assert "pending" not in run["verdicts"]
    assert run["reasons"]["cancelled"] > 0
    assert len(run["finished_channels"]) == len(run["channels"])
    eventually(lambda: not probing(product), seconds=30)
    eventually(lambda: not product.status()["leases"], seconds=30)


def test_the_checks_are_paused_and_resumed(product: Product, browser: Browser) -> None:
    def is_paused() -> bool:
        return bool(product.api.request("GET", "/api/v2/dags/check_streams")["is_paused"])

    show(browser, product, "now")
    push(browser, "Pause the checks")
    browser.until_shown("Paused: no check is started.")
    assert is_paused()
    push(browser, "Resume the checks")
    browser.until_shown("Pause the checks")
    assert not is_paused()


def test_a_new_limit_is_in_force_in_limiter_and_pool(product: Product, browser: Browser) -> None:
    for limit in (7, 10):
        show(browser, product, "now")
        push(browser, "Change the limit…")
        browser.until("document.querySelector('dialog[open] input') === document.activeElement")
        browser.value("document.activeElement.select()")
        browser.call("Input.insertText", text=str(limit))
        browser.press("Enter")
        browser.until_shown(f"of {limit} slots in use")
        assert product.status()["global"]["limit"] == limit
        assert product.api.request("GET", "/api/v2/pools/stream_checks")["slots"] == limit


def test_it_is_a_page_of_airflows_own_ui_and_follows_its_theme(product: Product, browser: Browser) -> None:
    browser.show(f"{product.stack.address}/plugin/stream-checker")
    inside = "document.querySelector('iframe').contentDocument"
    browser.until(f"document.querySelector('iframe') && {inside}?.body?.innerText.includes('Providers')")
    assert browser.value("document.body.innerText.includes('Streams')")
    for theme in ("dark", "light"):
        browser.value(f"document.documentElement.className = '{theme}'")
        browser.until(f"{inside}.documentElement.style.colorScheme === '{theme}'")
    # The address of Airflow's page keeps the place in the frame, also over a reload.
    browser.value(f"{inside}.defaultView.location.hash = '#workers'")
    browser.until("location.hash === '#workers'")
    browser.call("Page.reload")
    browser.until(f"document.querySelector('iframe') && {inside}?.body?.innerText.includes('DAG processor')")
    # A link of the frame leads the page around it.
    run_id = latest_run(product)
    browser.value(f"{inside}.defaultView.location.hash = '#run/{run_id.replace('+', '%2B')}'")
    browser.until(f"{inside}?.body?.innerText.includes('Show the run in Airflow')")
    browser.value(
        f"[...{inside}.querySelectorAll('a')].find((one) => one.innerText === 'Show the run in Airflow').click()"
    )
    browser.until("location.pathname.includes('/dags/check_streams/runs/')")


def test_a_mapped_task_leads_to_its_stream(product: Product) -> None:
    run = eventually(lambda: product.run(latest_run(product)))
    first = run["streams"][0]["stream_id"]
    path = f"/api/v2/dags/check_streams/dagRuns/{run['run_id']}/taskInstances/check_stream/links"
    links = product.api.request("GET", path, params={"map_index": 0})["extra_links"]
    assert links == {"Stream in the stream checker": f"{product.stack.address}{PAGE}#stream/{first}"}
