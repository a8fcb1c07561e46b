"""The DAG files as Airflow parses them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError

from streamflow import names

LONGEST_APPROVAL_HOURS = 720
FOLDER = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    bag = BundleDagBag(dag_folder=FOLDER, safe_mode=False, bundle_path=FOLDER, bundle_name="dags-folder")
    assert bag.import_errors == {}
    return dict(bag.dags)


def test_every_dag_is_there(dags: dict[str, DAG]) -> None:
    assert set(names.DAGS) <= set(dags)


def test_no_task_and_no_run_can_hang_for_ever(dags: dict[str, DAG]) -> None:
    for dag in dags.values():
        assert dag.dagrun_timeout, dag.dag_id
        for task in dag.tasks:
            if isinstance(task, HITLOperator):
                # It holds no worker while it waits, at most for the longest `safety.approval_hours`.
                assert timedelta(hours=LONGEST_APPROVAL_HOURS) < dag.dagrun_timeout
                continue
            assert task.execution_timeout, task.task_id
            assert task.execution_timeout < dag.dagrun_timeout


def test_by_default_a_run_checks_all_streams_of_channels(dags: dict[str, DAG]) -> None:
    params = dags[names.CHECK_DAG].params.dump()
    assert [params[field] for field in ("channel_ids", "group_ids", "account_ids", "stream_ids")] == [None] * 4


@pytest.mark.parametrize("number", [-1, 2**63, 10**300, 1e30])
def test_a_run_is_refused_for_an_id_that_no_store_holds(dags: dict[str, DAG], number: float) -> None:
    params = ParamsDict(dags[names.CHECK_DAG].params)
    params["stream_ids"] = [2**63 - 1]
    with pytest.raises(ParamValidationError):
        params["stream_ids"] = [number]
