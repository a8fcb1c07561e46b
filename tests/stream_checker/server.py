"""A real Airflow API server in its own process, with the plugins, an auth manager and a database."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

PROJECT = Path(__file__).parents[2]
AUTH_MANAGERS = Path(__file__).parent / "auth_managers"
FAB_EXAMPLE = PROJECT / "examples" / "fab"
VIEWERS = [f"viewer-{number}" for number in range(25)]
# Names and roles in Airflow's SimpleAuthManager. The password of each user is its name.
USERS = {"admin": "admin", "editor": "op", "runner": "user", "reader": "viewer"} | dict.fromkeys(VIEWERS, "viewer")
WEBHOOK_SECRET = "webhook-secret-of-the-tests-of-routes"
PLAYLIST_TOKEN = "playlist-token-of-the-tests-of-routes"
METRICS_TOKEN = "metrics-token-of-the-tests-of-routes"
START_SECONDS = 100.0
SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
CUSTOM = "custom_auth_manager.CustomAuthManager"
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"


def environment(home: Path, redis_socket: Path, base_url: str, auth_manager: str) -> dict[str, str]:
    """Return the server's environment: Airflow's settings, without those of a surrounding Airflow."""
    settings = {
        "CORE__DAGS_FOLDER": str(home / "dags"),
        "CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "14",
        "CORE__AUTH_MANAGER": auth_manager,
        "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "CORE__FERNET_KEY": "",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "API__BASE_URL": base_url,
        "API__SECRET_KEY": "tests",
        "API_AUTH__JWT_SECRET": "a secret of the tests alone, of more than sixty-four bytes in all, as HS512 wants",
        "LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "REDIS", "STREAMFLOW"))}
    return inherited | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_API_APPS": "core",
        "STREAMFLOW_HOME": str(home / "streamflow"),
        "STREAMFLOW_CONFIG": str(home / "settings" / "stream_checker_config.json"),
        "STREAMFLOW_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STREAMFLOW_PLAYLIST_TOKEN": PLAYLIST_TOKEN,
        "STREAMFLOW_METRICS_TOKEN": METRICS_TOKEN,
        "REDIS_SOCKET": str(redis_socket),
        "PYTHONPATH": os.pathsep.join(map(str, [PROJECT / "include", PROJECT / "plugins", AUTH_MANAGERS])),
        **{f"AIRFLOW__{key}": value for key, value in settings.items()},
    }


def migrated(shared: Path, env: dict[str, str]) -> Path:
    """Return an empty database of Airflow, created once for all test processes."""
    database = shared / "airflow.db"
    with (shared / "airflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            new = shared / "airflow.new.db"
            env = env | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{new}"}
            command = [sys.executable, "-m", "airflow", "db", "migrate"]
            subprocess.run(command, env=env, check=True, capture_output=True)
            new.rename(database)
    return database


@dataclass
class Server:
    """The server of one test process, on its own port.

    :param shared: folder that all test processes share.
    :param base_url: address for users, if it is not the server's own.
    :param packages: folder with the packages of the auth manager.
    :param oidc: variables that name a provider of OpenID Connect, for FAB.
    """

    home: Path
    redis_socket: Path
    shared: Path
    base_url: str = ""
    auth_manager: str = SIMPLE
    packages: Path | None = None
    oidc: dict[str, str] = field(default_factory=dict)
    address: str = ""
    _process: subprocess.Popen[bytes] | None = None
    _tokens: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Start the server and wait until it responds."""
        (self.home / "settings").mkdir(parents=True)
        (self.home / "dags").mkdir()
        (self.home / "passwords.json").write_text(json.dumps({name: name for name in USERS}))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            self.address = f"http://127.0.0.1:{port}{urlsplit(self.base_url).path}"
            env = environment(self.home, self.redis_socket, self.base_url or self.address, self.auth_manager)
            if self.packages:
                env["PYTHONPATH"] += f"{os.pathsep}{self.packages}"
            shutil.copy(migrated(self.shared, env), self.home / "airflow.db")
            if self.auth_manager == FAB:
                # People log in at a provider of OpenID Connect; users with a password have tokens all the same.
                env |= {"AIRFLOW__FAB__CONFIG_FILE": str(FAB_EXAMPLE / "webserver_config.py"), **self.oidc}
                for command in (["-m", "airflow", "db", "migrate"], [str(AUTH_MANAGERS / "fab_users.py")]):
                    subprocess.run([sys.executable, *command], env=env, check=True, capture_output=True)
            command = [sys.executable, "-m", "uvicorn", "airflow.api_fastapi.main:app"]
            command += ["--fd", str(listening.fileno()), "--log-level", "warning"]
            self._process = subprocess.Popen(
                command, env=env, pass_fds=[listening.fileno()], stdout=self.log.open("ab"), stderr=subprocess.STDOUT
            )
        self._wait()

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "api-server.log"

    @property
    def peak_memory(self) -> int:
        """The largest resident size of the server so far in bytes (Linux, proc(5), VmHWM)."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def _wait(self) -> None:
        # The socket already listens, so a request waits in its queue until the application has started.
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self._process and self._process.poll() is None, self.log.read_text()
            try:
                httpx.get(f"{self.address}/api/v2/version", timeout=10).raise_for_status()
                return
            except httpx.TransportError:
                assert time.monotonic() < deadline, self.log.read_text()

    def token(self, user: str) -> str:
        """Return a token that the auth manager has issued."""
        if user not in self._tokens:
            response = httpx.post(f"{self.address}/auth/token", json={"username": user, "password": user}, timeout=30)
            self._tokens[user] = response.raise_for_status().json()["access_token"]
        return self._tokens[user]

    def client(self, user: str | None = None) -> httpx.Client:
        """Return a client of the plugin's routes, without a token if there is no user."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return httpx.Client(base_url=f"{self.address}/api/stream-checker", headers=headers, timeout=30)

    def starts_runs(self, user: str) -> bool:
        """Return whether Airflow lets the user start a run: this server has no DAG, which only such a user learns."""
        response = httpx.post(
            f"{self.address}/api/v2/dags/check_streams/dagRuns",
            json={"logical_date": None, "conf": {"write_back": True}},
            headers={"Authorization": f"Bearer {self.token(user)}"},
            timeout=30,
        )
        assert response.status_code in (403, 404), response.text
        return response.status_code == 404

    def close(self) -> None:
        """Stop the server."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
