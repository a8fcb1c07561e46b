"""One container for a home server: built, started, checked, killed, updated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.cli.demo import Lab

from .engine import Deployment, docker, eventually, verdicts

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

MB = 2**20
# The goals are 450 MB; 20 s; 4 % of a core; 700 MB and 1 GB. The bounds leave room for a busy machine.
IMAGE_BYTES = 450_000_000
START_SECONDS = 300
IDLE_CPU = 0.06
IDLE_BYTES, RUN_BYTES = 700 * MB, 1024 * MB
# From the start of the container on.
RESUMED_SECONDS = 45
CONF = {"force": True, "sample_seconds": 4, "write_back": False}


@pytest.fixture(scope="module")
def lite(deploy: Callable[..., Deployment]) -> Deployment:
    lite = deploy("docker-compose.lite.yaml", PUID="50000")
    lite.up()
    print(f"healthy after {lite.await_health('streamflow', seconds=START_SECONDS):.0f} s")
    return lite


@pytest.fixture(scope="module")
def api(lite: Deployment) -> AirflowApi:
    return connect(lite)


def connect(lite: Deployment) -> AirflowApi:
    passwords = json.loads(lite.run("streamflow", "cat", "state/airflow/passwords.json"))
    return lite.api("streamflow", passwords["admin"])


def test_the_image_is_small_and_holds_neither_tests_nor_the_lab(image: str) -> None:
    assert int(docker("image", "inspect", "-f", "{{.Size}}", image)) <= IMAGE_BYTES
    find = "find /opt /usr/local -name pytest -o -name uv -o -path '*/include/lab' -o -path '*/include/bench'"
    assert docker("run", "--rm", image, "sh", "-c", f"{find} 2>/dev/null || true") == ""


def test_it_has_no_rights_and_writes_only_into_its_volume(lite: Deployment) -> None:
    assert lite.run("streamflow", "id", "-u").strip() == "50000"
    status = lite.run("streamflow", "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    for folder in ("/opt/streamflow", "/opt/packages", "/etc"):
        assert "Read-only" in lite.run("streamflow", "touch", f"{folder}/x", check=False)
    lite.run("streamflow", "touch", "state/x", "/tmp/x")
    mode = lite.run("streamflow", "stat", "-c", "%a", "state/airflow/passwords.json")
    assert mode.strip() == "600"


def test_it_reports_the_source_and_rests_while_nothing_is_due(lite: Deployment) -> None:
    eventually(lambda: "the source: Dispatcharr" in lite.compose("logs", "streamflow"), 60)
    read_library = ("streamflow", "results", "--format", "m3u", "--dead")
    eventually(lambda: lite.run("streamflow", *read_library, check=False).count("#EXTINF") >= 24, 120)
    # After the refresh of the start, the time that the scheduler stays fast after it.
    time.sleep(25)
    before = lite.usage("streamflow")
    time.sleep(30)
    after = lite.usage("streamflow")
    share = (after.cpu - before.cpu) / 30
    print(f"idle: {share:.1%} of a core, {after.memory / MB:.0f} MiB")
    assert share <= IDLE_CPU
    assert after.memory <= IDLE_BYTES


def test_it_checks_within_the_limits_and_its_memory(lite: Deployment, api: AirflowApi, provider: Lab) -> None:
    run_id = api.trigger("check_streams", CONF)
    eventually(lambda: api.run("check_streams", run_id)["state"] in ("success", "failed"), 480)
    assert verdicts(api, run_id) == {"ok": 24}
    assert_within_limits(provider)
    usage = lite.usage("streamflow")
    print(f"in a run: {usage.memory / MB:.0f} MiB, peak {usage.peak / MB:.0f} MiB")
    assert usage.memory <= RUN_BYTES
    shown = lite.run("streamflow", "streamflow", "results", "--format", "json")
    assert len(json.loads(shown)) == 24
    assert "mode concurrent, Redis up" in lite.run("streamflow", "streamflow", "status")


def test_interrupted_checks_continue_soon_after_a_crash(lite: Deployment, api: AirflowApi, provider: Lab) -> None:
    run_id = api.trigger("check_streams", CONF)
    eventually(lambda: verdicts(api, run_id).get("ok", 0) >= 2, 90)
    docker("kill", "-s", "KILL", lite.containers("streamflow")[0])
    before = sum(account["total"] for account in provider.record()["accounts"])
    lite.up()
    began = time.monotonic()
    eventually(lambda: sum(account["total"] for account in provider.record()["accounts"]) > before, 120)
    print(f"resumed after {time.monotonic() - began:.0f} s")
    assert time.monotonic() - began <= RESUMED_SECONDS
    lite.await_health("streamflow")
    api = connect(lite)
    eventually(lambda: api.run("check_streams", run_id)["state"] in ("success", "failed"), 480)
    assert verdicts(api, run_id) == {"ok": 24}
    assert_within_limits(provider)


def test_an_update_keeps_the_state(lite: Deployment) -> None:
    former = lite.containers("streamflow")
    lite.up("--force-recreate")
    lite.await_health("streamflow")
    assert lite.containers("streamflow") != former
    results = json.loads(lite.run("streamflow", "streamflow", "results", "--format", "json"))
    assert {row["verdict"] for row in results} == {"ok"}
    assert len(results) == 24


def test_a_folder_of_somebody_else_ends_the_start_with_one_sentence(image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    home = ["-v", f"{tmp_path}:/opt/streamflow/state", "-e", "STREAMFLOW_M3U=http://provider.invalid/list.m3u"]
    shown = docker("run", "--rm", "--user", "1000:1000", *home, image, "streamflow", "up", check=False)
    assert "belongs to uid 0, and StreamFlow runs as uid 1000: run `chown -R 1000:1000`" in shown
    assert "Traceback" not in shown


def test_another_user_can_use_a_new_volume(image: str) -> None:
    volume = docker("volume", "create").strip()
    try:
        command = (
            "from getpass import getuser; from streamflow_stack.stack import owned; from streamflow import config\n"
        )
        command += "with owned(config.home()): print(getuser())"
        mount = ["-v", f"{volume}:/opt/streamflow/state"]
        assert docker("run", "--rm", "--user", "1000:1000", *mount, image, "python", "-c", command) == "streamflow\n"
    finally:
        docker("volume", "rm", volume)


def assert_within_limits(provider: Lab) -> None:
    for account in provider.record()["accounts"]:
        assert account["refused"] == 0
        assert not 0 < account["max_streams"] < account["peak"]
