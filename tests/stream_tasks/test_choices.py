"""The names in Airflow's form that starts a check."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from redis import Redis

from account_limiter import connect
from stream_tasks import choices, resources
from streamflow import names
from streamflow.records import Account, Channel, Group
from streamflow.udi import open_udi
from streamflow.udi.snapshot import Snapshot

FOLDER = Path(__file__).parents[2] / "dags"


@pytest.fixture
def processor(tmp_path: Path, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads the DAG files, beside a small library."""
    monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["airflow", "dag-processor"])
    socket = redis_client.connection_pool.connection_kwargs["path"]
    monkeypatch.setattr(resources, "connect", lambda: connect(unix_socket_path=socket))
    open_udi(redis_client, tmp_path).publish(
        Snapshot(
            accounts=[Account(id=7, name="Provider A")],
            groups=[Group(id=3, name="News"), Group(id=4, name="Films")],
            streams=[],
            channels=[Channel(id=2, name="Zoo", number=1), Channel(id=1, name="Das Erste", number=2.5)],
        ),
        force=True,
    )


def test_the_form_offers_names_and_keeps_ids(processor: None) -> None:
    bag = BundleDagBag(dag_folder=FOLDER, safe_mode=False, bundle_path=FOLDER, bundle_name="dags-folder")
    params = bag.dags[names.CHECK_DAG].params
    channels = params.get_param("channel_ids")
    assert channels.schema["examples"] == [2, 1]
    assert channels.schema["values_display"] == {"2": "1 Zoo", "1": "2.5 Das Erste"}
    assert params.get_param("group_ids").schema["values_display"] == {"4": "Films", "3": "News"}
    assert params.get_param("account_ids").schema["examples"] == [7]
    assert channels.resolve([1]) == [1]
    assert channels.resolve(None) is None


def test_a_long_list_leaves_the_field_for_ids(processor: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "MOST", 1)
    assert set(choices.choices()) == {"account_ids"}


def test_the_names_stay_while_redis_is_away(processor: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "connect", lambda: connect(unix_socket_path=str(tmp_path / "nowhere")))
    assert choices.choices()["group_ids"]["examples"] == [4, 3]


def test_a_task_reads_no_names(processor: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["airflow", "scheduler"])
    assert choices.choices() == {}
