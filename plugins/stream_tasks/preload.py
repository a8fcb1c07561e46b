"""What each task's process would do for itself at its start, done once in the process that forks them.

Importing this module does it: modules are imported, the DAG is parsed, and the Task SDK finds its plugins. A task then
finds all of it in its memory. That it happens on import keeps it from happening twice: the plugin that asks for it is
among those that are found.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from airflow.configuration import conf

NEEDED = ("airflow.sdk.execution_time.task_runner", "stream_tasks.check", "stream_tasks.plan", "stream_tasks.finish")


def parse_once(file: Path) -> None:
    """As a task does; what is wrong with the file is told by those who parse it for its DAG."""
    from airflow.dag_processing.dagbag import BundleDagBag

    BundleDagBag(
        dag_folder=str(file), safe_mode=False, load_op_links=False, bundle_path=file.parent, bundle_name="dags-folder"
    )


def find_plugins() -> None:
    from airflow.sdk.listener import get_listener_manager

    get_listener_manager()


for module in NEEDED:
    import_module(module)
parse_once(Path(conf.get("core", "dags_folder")) / "check_streams.py")
find_plugins()
