"""Starts the product for all tests of this folder: lab, embedded Redis and a real Airflow in a home of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Media, demo
from streamflow import config
from streamflow.config import Config
from streamflow_stack import ports, stack
from streamflow_stack.airflow import root
from streamflow_stack.cli.demo import lab
from streamflow_stack.processes import Processes
from support.running_product import Product
from support.statsd_listener import StatsdListener


@pytest.fixture(scope="session")
def metrics() -> Iterator[StatsdListener]:
    """The metrics that the product's Airflow sends to StatsD."""
    with StatsdListener() as listener:
        yield listener


@pytest.fixture(scope="session")
def product(
    tmp_path_factory: pytest.TempPathFactory, lab_folder: Path, lab_media: Media, metrics: StatsdListener
) -> Iterator[Product]:
    library = demo()
    for clip in sorted({stream.clip for stream in library.streams}):
        lab_media.clip(clip)
    home = tmp_path_factory.mktemp("home")
    (home / "lab").mkdir()
    (home / "lab" / "media").symlink_to(lab_folder)
    patch = pytest.MonkeyPatch()
    patch.setenv("STREAMFLOW_HOME", str(home))
    patch.setenv("STREAMFLOW_ROOT", str(root()))
    config.save(Config.model_validate({"concurrent_streams": {"lease_ttl": 10}, "probe": {"retry_delay": 2}}))
    with stack.owned(home), Processes(home) as processes, lab(processes, home) as provider:
        login = {"DISPATCHARR_USERNAME": provider.username, "DISPATCHARR_PASSWORD": provider.password}
        env = login | {"DISPATCHARR_URL": provider.dispatcharr, "DISPATCHARR_API_KEY": ""}
        env |= {"AIRFLOW__METRICS__STATSD_ON": "True", "AIRFLOW__METRICS__STATSD_PORT": str(metrics.port)}
        with stack.running(home, stack.Options(ports.any_free(), env), processes, print) as running:
            api = running.api()
            refresh = api.trigger("refresh_udi", {})
            assert api.wait("refresh_udi", refresh, timeout=120) == "success"
            yield Product(running, provider, library, api)
    patch.undo()
