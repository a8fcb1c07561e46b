"""Airflow as the embedded stack runs it: its parts, its settings and its user."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from streamflow import retention
from streamflow.errors import ConfigError
from streamflow.files import replacing
from streamflow_stack.ports import loopback, reachable, url_host
from streamflow_stack.secret import kept

# The options of each part of Airflow. Tasks' logs are read from this machine's disk, so no part serves them.
COMPONENTS: Final[dict[str, tuple[str, ...]]] = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
USER: Final = "admin"
USERS_VARIABLE: Final = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"
_DEFAULT_USERS = f"{USER}:admin"
AUTH_MANAGER_VARIABLE: Final = "AIRFLOW__CORE__AUTH_MANAGER"
SIMPLE_AUTH_MANAGER: Final = "SimpleAuthManager"
CONFIGURATION: Final = Path(__file__).with_name("airflow.cfg")
# Seconds that a writer waits for another one. SQLite's own 5 s are short for a busy machine; the API's clients wait
# for 30 s, and the server must give up before them.
DATABASE_SECONDS: Final = 20
# Settings that a user's environment must not change: the DAGs and plugins are StreamFlow's.
FIXED: Final = ("AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__PLUGINS_FOLDER", "AIRFLOW__CORE__LAZY_LOAD_PLUGINS")
# Airflow reads a setting from a command or a secrets backend when its variable ends with one of these.
_INDIRECT = ("", "_CMD", "_SECRET")


def executable() -> str:
    """Return the path of the ``airflow`` command of this environment."""
    return str(Path(sys.executable).with_name("airflow"))


def zygote(logs: Path) -> list[str]:
    """Return the command of the process that loads what all parts share, and forks them.

    :param logs: the folder of the parts' logs.
    """
    parts = [",".join([part, *options]) for part, options in COMPONENTS.items()]
    return [sys.executable, "-m", "streamflow_stack.zygote", str(logs), *parts]


def root() -> Path:
    """Return the project's folder, which holds ``dags`` and ``plugins``."""
    return Path(os.environ.get("STREAMFLOW_ROOT") or Path(__file__).parents[2])


def passwords_file(home: Path) -> Path:
    """Return the file with the password of each user of Airflow."""
    return home / "airflow" / "passwords.json"


def login(home: Path) -> tuple[str, str]:
    """Return the user name and password that the commands log in with.

    They are ``STREAMFLOW_AIRFLOW_USERNAME`` and ``STREAMFLOW_AIRFLOW_PASSWORD``, for an auth manager with users of its
    own; else the user ``admin`` with a password that is made at first use.

    :raises ConfigError: The file with the password is damaged.
    """
    username, password = (os.environ.get(f"STREAMFLOW_AIRFLOW_{name}") for name in ("USERNAME", "PASSWORD"))
    if username and password:
        return username, password
    file = passwords_file(home)
    passwords = kept(file, lambda: json.dumps({USER: secrets.token_urlsafe(12)}))
    try:
        return USER, str(json.loads(passwords)[USER])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{file} holds no password of {USER!r}: correct it, or remove it to make a new one") from None


def make_passwords(home: Path, env: Mapping[str, str]) -> None:
    """Make a password for each further user of the simple auth manager.

    Airflow would make it too, but print it into its log.

    :raises ConfigError: The file with the passwords is damaged.
    """
    names = [user.partition(":")[0].strip() for user in env.get(USERS_VARIABLE, _DEFAULT_USERS).split(",")]
    login(home)
    file = passwords_file(home)
    try:
        passwords = dict(json.loads(kept(file, lambda: "{}")))
    except ValueError:
        raise ConfigError(f"{file} holds no passwords: correct it, or remove it to make new ones") from None
    if missing := {name: secrets.token_urlsafe(12) for name in names if name and name not in passwords}:
        with replacing(file) as new:
            new.write(json.dumps(passwords | missing).encode())


def lacks_login(env: Mapping[str, str]) -> bool:
    """Return whether the auth manager may not know ``admin``, while no other login of the commands is set."""
    if env.get("STREAMFLOW_AIRFLOW_USERNAME") and env.get("STREAMFLOW_AIRFLOW_PASSWORD"):
        return False
    users = [user.strip() for user in env.get(USERS_VARIABLE, _DEFAULT_USERS).split(",")]
    is_simple = env.get(AUTH_MANAGER_VARIABLE, SIMPLE_AUTH_MANAGER).endswith(SIMPLE_AUTH_MANAGER)
    return not is_simple or _DEFAULT_USERS not in users


def database_file(home: Path) -> Path:
    """Return the path of Airflow's SQLite database."""
    return home / "airflow" / "airflow.db"


def path_prefix(env: Mapping[str, str] = os.environ) -> str:
    """Return the path in Airflow's ``base_url`` below which the API server responds, empty for none."""
    return urlsplit(env.get("AIRFLOW__API__BASE_URL", "")).path.rstrip("/")


def address(port: int, bind: str) -> str:
    """Return the URL by which this machine reaches the API server.

    :param bind: the address that the server listens on.
    """
    return f"http://{url_host(reachable(bind))}:{port}{path_prefix()}"


def settings(home: Path, port: int, *, bind: str, workers: int) -> dict[str, str]:
    """Return the variables of Airflow that the embedded stack sets itself, whatever the user's environment says.

    Settings that every deployment shares are in ``airflow.cfg``.

    :param bind: the address that the API server listens on.
    :param workers: the number of tasks that run at once.
    """
    folder = home / "airflow"
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONFIG": str(CONFIGURATION),
        "AIRFLOW__CORE__EXECUTOR": "streamflow_stack.executor.LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(workers),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords_file(home)),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address(port, bind)}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database_file(home)}?timeout={DATABASE_SECONDS}",
        "AIRFLOW__API__HOST": bind,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
    }


def defaults(home: Path, port: int, env: Mapping[str, str], *, bind: str) -> dict[str, str]:
    """Return the variables of Airflow that the embedded stack sets where the user's environment does not."""
    keys = home / "airflow" / "keys"
    makers: dict[str, Callable[[], str]] = {
        "AIRFLOW__API__BASE_URL": lambda: address(port, bind),
        "AIRFLOW__API__SECRET_KEY": lambda: kept(keys / "api"),
        "AIRFLOW__API_AUTH__JWT_SECRET": lambda: kept(keys / "jwt"),
        "AIRFLOW__CORE__FERNET_KEY": lambda: kept(keys / "fernet", _fernet_key),
    }
    return {name: make() for name, make in makers.items() if not any(name + end in env for end in _INDIRECT)}


def overridden(env: Mapping[str, str]) -> list[str]:
    """Return the names of a user's variables of Airflow that the embedded stack ignores, sorted."""
    own = {*FIXED, *settings(Path(), 0, bind="", workers=0)}
    return sorted(name for name in own.intersection(env) if name.startswith("AIRFLOW__"))


def environment(home: Path, port: int, *, workers: int, bind: str | None = None) -> dict[str, str]:
    """Return the environment of every process of the embedded stack.

    A user's variables of Airflow are passed on, except for those of :func:`overridden`.

    :param workers: the number of tasks that run at once.
    :param bind: the address that the API server listens on; by default the loopback address.
    :raises ConfigError: ``STREAMFLOW_AIRFLOW_KEEP_DAYS`` is wrong.
    :raises UnusableAddress: This machine has no loopback address.
    """
    bind = bind or loopback()
    project = root()
    inherited = {name: value for name, value in os.environ.items() if name not in FIXED}
    return {
        **defaults(home, port, inherited, bind=bind),
        **inherited,
        **settings(home, port, bind=bind, workers=workers),
        "STREAMFLOW_HOME": str(home),
        "STREAMFLOW_ROOT": str(project),
        # The title of a process must not overwrite its environment, by which a later start finds leftovers.
        "SPT_NOENV": "1",
        # The database and the logs belong to this stack alone, so old records are removed.
        retention.VARIABLE: str(retention.keep_days() or retention.DEFAULT_DAYS),
        # Threads come and go; each malloc arena that one of them leaves stays.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONPATH": os.pathsep.join(_import_path(project)),
    }


def _import_path(project: Path) -> list[str]:
    """Return the folders that modules come from; a user's own may hold an auth manager or a notifier."""
    own = [str(project / "include"), str(project / "plugins")]
    users = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return own + [folder for folder in users if folder and folder not in own]


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()
