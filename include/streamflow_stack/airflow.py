"""Airflow's processes: what they are called with, and the environment they share."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from pathlib import Path

from streamflow import retention
from streamflow_stack.ports import LOOPBACK
from streamflow_stack.secret import kept

# The parts of Airflow with their options. Logs are read from this machine's disk: nobody needs them served.
COMPONENTS = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
USER = "admin"
# How long a writer waits for another before SQLite gives up; its own 5 s are short for a busy machine.
DATABASE_SECONDS = 60


def executable() -> str:
    """The ``airflow`` command of this environment."""
    return str(Path(sys.executable).with_name("airflow"))


def zygote(logs: Path) -> list[str]:
    """The command of one process that has loaded what all parts share, and forks them."""
    parts = [",".join([part, *options]) for part, options in COMPONENTS.items()]
    return [sys.executable, "-m", "streamflow_stack.zygote", str(logs), *parts]


def root() -> Path:
    """The project's folder, where ``dags`` and ``plugins`` are."""
    return Path(os.environ.get("STREAMFLOW_ROOT") or Path(__file__).parents[3])


def password(home: Path) -> str:
    """The password of the user ``admin``, made on first use."""
    file = home / "airflow" / "passwords.json"
    return str(json.loads(kept(file, lambda: json.dumps({USER: secrets.token_urlsafe(12)})))[USER])


def environment(home: Path, port: int, *, workers: int) -> dict[str, str]:
    """Airflow's settings for the embedded stack; ``workers`` tasks run at once."""
    project, folder = root(), home / "airflow"
    keys = folder / "keys"
    address = f"http://{LOOPBACK}:{port}"
    settings = {
        "CORE__DAGS_FOLDER": str(project / "dags"),
        "CORE__PLUGINS_FOLDER": str(project / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        # So that the processes that fork the tasks have loaded what those need.
        "CORE__LAZY_LOAD_PLUGINS": "False",
        "CORE__EXECUTOR": "streamflow_stack.executor.LocalExecutor",
        "CORE__PARALLELISM": str(workers),
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": "10000",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__FERNET_KEY": kept(keys / "fernet", lambda: base64.urlsafe_b64encode(os.urandom(32)).decode()),
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db?timeout={DATABASE_SECONDS}",
        # More than the API server has threads (40): with fewer, those that wait for a connection leave none to give one
        # back, and nothing goes on until they give up.
        "DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "45",
        "API__HOST": LOOPBACK,
        "API__PORT": str(port),
        "API__WORKERS": "1",
        "API__BASE_URL": address,
        "API__SECRET_KEY": kept(keys / "api"),
        "API_AUTH__JWT_SECRET": kept(keys / "jwt"),
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "SCHEDULER__CATCHUP_BY_DEFAULT": "False",
        "TRIGGERER__CAPACITY": "2500",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "LOGGING__LOGGING_LEVEL": "INFO",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW")}
    return inherited | {
        "AIRFLOW_HOME": str(folder),
        "STREAMFLOW_HOME": str(home),
        "STREAMFLOW_ROOT": str(project),
        # A process' title must not overwrite its environment: by that a later start knows what is left of this one.
        "SPT_NOENV": "1",
        # The database and the logs are this stack's alone.
        retention.VARIABLE: str(retention.keep_days() or retention.DEFAULT_DAYS),
        # Threads come and go; each malloc arena that one leaves behind stays.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONPATH": os.pathsep.join([str(project / "include"), str(project / "plugins")]),
        **{f"AIRFLOW__{key}": value for key, value in settings.items()},
    }
