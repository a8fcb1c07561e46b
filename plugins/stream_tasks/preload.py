"""Loads what each task's process needs, once, in the process that forks the tasks."""

from __future__ import annotations

from pathlib import Path

from airflow.configuration import conf

from streamflow import names
from streamflow.probing import isolation

_is_prepared = False


def prepare() -> None:
    """Import the tasks' modules, parse the DAG of checks and load the Task SDK's plugins.

    Tasks forked afterwards find all of it in their memory, and share the fork server of the probes. Only the first
    call does something: the Task SDK loads the plugin that calls this function once more.
    """
    global _is_prepared
    if _is_prepared:
        return
    _is_prepared = True
    _import_tasks()
    _parse(Path(conf.get_mandatory_value("core", "dags_folder")) / f"{names.CHECK_DAG}.py")
    _load_plugins()
    isolation.prepare()


def _import_tasks() -> None:
    # The lookup of a connection imports `cache`. If a thread of this process did so first while a task is forked, the
    # task would wait for ever for the lock of that import.
    from airflow.sdk.execution_time import cache, supervisor, task_runner  # noqa: F401

    from stream_tasks import check, finish, plan  # noqa: F401


def _parse(file: Path) -> None:
    # A file with faults is reported by the DAG processor, so they are not looked at here.
    from airflow.dag_processing.dagbag import BundleDagBag

    BundleDagBag(
        dag_folder=str(file), safe_mode=False, load_op_links=False, bundle_path=file.parent, bundle_name="dags-folder"
    )


def _load_plugins() -> None:
    from airflow.sdk.listener import get_listener_manager

    get_listener_manager()
