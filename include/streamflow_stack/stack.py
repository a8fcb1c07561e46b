"""Bringing the embedded stack up: one home, one owner, Redis, then Airflow, then its pools."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

from streamflow import config, names
from streamflow_stack import airflow, ports, redis
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.processes import Processes, StackError

Say = Callable[[str], None]

# Tasks that are no checks (plan, finish, refresh) need room beside a full pool of checks.
SPARE_WORKERS = 4
UNLIMITED_WORKERS = 32
# Not at once: a server that cannot live must not be started without end.
REDIS_ABSENCE_SECONDS = 60.0
# A part of Airflow that lives no longer cannot live: starting it again would not help.
SHORT_LIFE_SECONDS = 30.0


@dataclass(frozen=True)
class Stack:
    """A running stack. ``env`` is what its processes see."""

    home: Path
    address: str
    username: str
    password: str
    env: Mapping[str, str]
    processes: Processes

    def api(self) -> AirflowApi:
        return AirflowApi(self.address, self.username, self.password)

    def watch(self, say: Say) -> None:
        """To be called again and again: starts an embedded Redis, and a part of Airflow, that has ended.

        Raises StackError for a part that ended soon after its start, and for whatever else has ended.
        """
        parts = [name for name in airflow.COMPONENTS if self._has_crashed(name)]
        self.processes.check(but=(redis.NAME, *parts))
        for name in parts:
            say(f"Airflow's {name} had ended; it is started again. Its log: {self.start(name)}")
        ended = self.processes.ended.get(redis.NAME)
        if ended and time.monotonic() - ended.at > REDIS_ABSENCE_SECONDS:
            say("Redis had ended; it is started again. Checks went one after another meanwhile")
            redis.launch(self.processes, self.home)

    def start(self, component: str) -> Path:
        """Start a part of Airflow; returns its log's path."""
        command = [airflow.executable(), component, *airflow.COMPONENTS[component]]
        return self.processes.start(component, command, self.env)

    def _has_crashed(self, component: str) -> bool:
        ended = self.processes.ended.get(component)
        return ended is not None and ended.lived > SHORT_LIFE_SECONDS


def workers(settings: config.Config) -> int:
    """How many tasks run at once: the global limit, or the machine's bound where it is unlimited, and a spare few."""
    return (settings.concurrent_streams.global_limit or UNLIMITED_WORKERS) + SPARE_WORKERS


def state_file(home: Path) -> Path:
    """Where a running stack says its address, for the commands that talk to it."""
    return home / "stack.json"


@contextmanager
def owned(home: Path) -> Iterator[None]:
    """Hold the home; raises StackError when another stack holds it. The kernel frees it with its holder."""
    home.mkdir(parents=True, exist_ok=True)
    # It holds passwords: of the provider in the UDI, of Airflow, of Redis.
    home.chmod(0o700)
    with (home / "stack.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"a stack already runs in {home}; end it, or choose another place with STREAMFLOW_HOME"
            ) from None
        yield


@contextmanager
def running(
    home: Path,
    port: int,
    extra_env: Mapping[str, str],
    say: Say,
    processes: Processes,
    *,
    at_once: int | None = None,
    lean: bool = False,
) -> Iterator[Stack]:
    """Bring the stack up and keep it until the end of the block; raises StackError, ConfigError, OSError.

    :param at_once: how many tasks run at once; by default as many as the settings let be checked, and a few more.
    :param lean: fork Airflow's parts from one process, so that what all of them load is in memory once.
    """
    settings = config.load()
    port = ports.next_free(port)
    env = airflow.environment(home, port, workers=at_once or workers(settings)) | dict(extra_env)
    if not os.environ.get("REDIS_HOST"):
        say("starting Redis")
        address = redis.start(processes, home)
        env |= address.env
        env["AIRFLOW_CONN_REDIS_DEFAULT"] = (
            f"redis://:{quote(address.password, safe='')}@{address.host}:{address.port}/0"
        )
        _open_limiter(env)
    password = airflow.password(home)
    say("preparing Airflow's database")
    _migrate(home, env)
    stack = Stack(home, f"http://{ports.LOOPBACK}:{port}", airflow.USER, password, env, processes)
    if lean:
        processes.start("airflow", airflow.zygote(processes.logs), env)
    else:
        for component in airflow.COMPONENTS:
            stack.start(component)
    _await_health(stack, say)
    api = stack.api()
    limit = settings.concurrent_streams.global_limit or UNLIMITED_WORKERS
    for pool, slots in ((names.CHECK_POOL, limit), (names.SEQUENTIAL_POOL, 1)):
        api.set_pool(pool, slots, names.POOL_DESCRIPTIONS[pool])
    state_file(home).write_text(json.dumps({"address": stack.address, "username": stack.username}))
    try:
        yield stack
    finally:
        state_file(home).unlink(missing_ok=True)


def _open_limiter(env: Mapping[str, str]) -> None:
    # No worker of this home outlived the last stack, so no lease of it is worth waiting for.
    subprocess.run(
        [str(Path(airflow.executable()).with_name("python")), "-m", "account_limiter.commands", "open"],
        env=dict(env),
        check=True,
    )


def _migrate(home: Path, env: Mapping[str, str]) -> None:
    # `db migrate` takes seconds even with nothing to do: once a version of Airflow is enough.
    stamp = home / "airflow" / "migrated"
    version = metadata.version("apache-airflow")
    if stamp.exists() and stamp.read_text() == version:
        return
    log = home / "logs" / "migrate.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run([airflow.executable(), "db", "migrate"], env=dict(env), stdout=output, stderr=output)
    if done.returncode:
        raise StackError(f"Airflow's database could not be prepared; see {log}")
    stamp.write_text(version)


def _await_health(stack: Stack, say: Say, timeout: float = 180) -> None:
    api, deadline, shown = stack.api(), time.monotonic() + timeout, ""
    while True:
        stack.processes.check()
        health = api.health() or {}
        missing = [
            name
            for name, key in zip(list(airflow.COMPONENTS)[1:], ("scheduler", "dag_processor", "triggerer"), strict=True)
            if (health.get(key) or {}).get("status") != "healthy"
        ]
        if not health:
            missing.insert(0, "api-server")
        if not missing:
            break
        if (state := "waiting for Airflow's " + ", ".join(missing)) != shown:
            say(shown := state)
        if time.monotonic() > deadline:
            raise StackError(f"Airflow is not healthy after {timeout:.0f} s; see {stack.processes.logs}")
        time.sleep(0.3)
    say("waiting for the DAGs")
    while not all(map(api.has_dag, names.DAGS)):
        stack.processes.check()
        if errors := api.import_errors():
            raise StackError(f"{errors[0]['filename']} cannot be imported:\n{errors[0]['stack_trace']}")
        if time.monotonic() > deadline:
            raise StackError(f"the DAGs have not appeared after {timeout:.0f} s; see {stack.processes.logs}")
        time.sleep(0.3)
