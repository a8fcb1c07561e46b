"""Starts the embedded stack: one home, one owner, Redis, Airflow's database, then Airflow's parts."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from account_limiter import Limiter, LimiterError
from streamflow import config, names
from streamflow_stack import airflow, database, ports, redis, redis_address
from streamflow_stack.airflow_api import AirflowApi, AirflowUnreachable
from streamflow_stack.pools import slots
from streamflow_stack.processes import PRIVATE, Processes, StackError
from streamflow_stack.redis_address import RedisAddress
from streamflow_stack.restart import RestartPolicy
from streamflow_stack.state import StackState, state_file, write_state

Say = Callable[[str], None]

# Tasks that are no checks (plan, finish, refresh) need workers beside a full pool of checks.
SPARE_WORKERS = 4
START_SECONDS = 180.0
LEAST_FREE_BYTES = 100 * 2**20
POLL_SECONDS = 0.3
# The components that Airflow's health route reports, by the part that runs them.
HEALTH_KEYS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}


@dataclass(frozen=True)
class Stack:
    """A running stack.

    :param env: the environment of its processes.
    """

    home: Path
    address: str
    username: str
    password: str
    env: Mapping[str, str]
    processes: Processes

    def api(self) -> AirflowApi:
        """Return a new client of Airflow's API."""
        return AirflowApi(self.address, self.username, self.password)

    def watch(self, say: Say) -> None:
        """Report the restarts since the last call.

        :raises StackError: A process has ended and is not started again.
        """
        for sentence in self.processes.news():
            say(sentence)
        self.processes.check()

    def trigger(self, dag_id: str, conf: dict[str, Any], say: Say) -> str:
        """Start a run and return its id; a busy API server gets ``START_SECONDS`` to respond.

        The DAG must tolerate a second run: a request that timed out may have started one.

        :raises AirflowUnreachable: The API server has not responded in time.
        """
        deadline, api = time.monotonic() + START_SECONDS, self.api()
        while True:
            try:
                return api.trigger(dag_id, conf)
            except AirflowUnreachable:
                if time.monotonic() > deadline:
                    raise
                self.watch(say)
                time.sleep(POLL_SECONDS)

    def start(self, component: str) -> None:
        """Start a part of Airflow."""
        command = [airflow.executable(), component, *airflow.COMPONENTS[component]]
        self.processes.start(component, command, self.env, restart=RestartPolicy())


def lacks_space(folder: Path) -> bool:
    """Return whether the disk of a folder is too full for Airflow's database, Redis' file and the logs."""
    return shutil.disk_usage(folder).free < LEAST_FREE_BYTES


@contextmanager
def owned(home: Path) -> Iterator[None]:
    """Hold a home until the end of the block; the kernel releases it when its holder dies.

    :raises StackError: Another stack holds the home, or its disk is full.
    """
    # Every file and folder of the home is for its owner alone.
    before = os.umask(PRIVATE)
    try:
        with _locked(home):
            yield
    finally:
        os.umask(before)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    if not os.access(home, os.W_OK | os.X_OK):
        owner = home.stat()
        raise StackError(
            f"{home} belongs to uid {owner.st_uid}, and StreamFlow runs as uid {os.getuid()}: run `chown -R "
            f"{os.getuid()}:{os.getgid()}` on that folder, or set PUID and PGID to its owner"
        )
    if lacks_space(home):
        raise StackError(f"the disk of {home} has less than {LEAST_FREE_BYTES // 2**20} MB left")
    # The home holds passwords: of the provider, of Airflow, of Redis. Root may own the top of a volume.
    if home.stat().st_uid == os.getuid():
        home.chmod(0o700)
    with (home / "stack.lock").open("a") as lock:
        # The program that this process may become keeps the lock (see standby).
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"a stack already runs in {home}; end it, or choose another home with STREAMFLOW_HOME"
            ) from None
        yield


@dataclass(frozen=True)
class Options:
    """How a stack is started.

    :param port: the port of Airflow's API server; the next free one is taken when it is in use.
    :param env: variables for all processes of the stack, which win over all others.
    :param workers: the number of tasks that run at once; by default the number of concurrent checks and a few more.
    :param lean: fork Airflow's parts from one process, so that the modules they share are in memory once.
    :param bind: the address that Airflow's API server listens on; by default the loopback address.
    """

    port: int
    env: Mapping[str, str] = field(default_factory=dict)
    workers: int | None = None
    lean: bool = False
    bind: str | None = None


@contextmanager
def running(home: Path, options: Options, processes: Processes, say: Say) -> Iterator[Stack]:
    """Start the stack of a home and keep it until the end of the block.

    :param say: called with each step of the start.
    :raises StackError: A part did not start.
    :raises ConfigError: A setting is wrong.
    :raises NoFreePort: No port is free.
    :raises UnusableAddress: Airflow cannot listen on its address.
    """
    bind = options.bind or ports.loopback()
    with ports.reserved(options.port, bind) as port:
        stack, embedded = _start(home, options, port, bind, processes, say)
        write_state(home, StackState(stack.address, embedded.port if embedded else None, os.getpid()))
        try:
            yield stack
        finally:
            state_file(home).unlink(missing_ok=True)


def _start(
    home: Path, options: Options, port: int, bind: str, processes: Processes, say: Say
) -> tuple[Stack, RedisAddress | None]:
    """Start Redis and Airflow, and return the stack and the address of its embedded Redis."""
    settings = config.load()
    workers = options.workers or slots(settings) + SPARE_WORKERS
    env = airflow.environment(home, port, bind=bind, workers=workers) | dict(options.env)
    embedded = None
    if redis_address.locate(env) is None:
        say("starting Redis")
        embedded = redis.start(processes, home)
        env |= embedded.env
        _open_limiter(embedded)
    airflow.make_passwords(home, env)
    say("preparing Airflow's database")
    database.prepare(home, env, settings)
    stack = Stack(home, airflow.address(port, bind), *airflow.login(home), env, processes)
    if options.lean:
        processes.start("airflow", airflow.zygote(processes.logs), env)
    else:
        for component in airflow.COMPONENTS:
            stack.start(component)
    _await_airflow(stack, say)
    return stack, embedded


def _open_limiter(address: RedisAddress) -> None:
    # No worker of this home outlived the last stack, so the limiter need not wait for leases of earlier holders.
    with address.client() as client:
        try:
            Limiter(client).open_now()
        except LimiterError as error:
            raise StackError(f"the limiter cannot use Redis: {error}") from error


def _await_airflow(stack: Stack, say: Say) -> None:
    deadline = time.monotonic() + START_SECONDS
    api, waiting_for = stack.api(), ""
    while missing := _missing_parts(api.health()) or _missing_dags(api):
        stack.watch(say)
        if missing != waiting_for:
            say(f"waiting for {missing}")
            waiting_for = missing
        if time.monotonic() > deadline:
            raise StackError(
                f"Airflow is not ready after {START_SECONDS:.0f} s, {missing} is missing; see {stack.processes.logs}"
            )
        time.sleep(POLL_SECONDS)


def _missing_parts(health: Mapping[str, Any] | None) -> str:
    if health is None:
        return "Airflow's api-server"
    missing = [part for part, key in HEALTH_KEYS.items() if (health.get(key) or {}).get("status") != "healthy"]
    return f"Airflow's {', '.join(missing)}" if missing else ""


def _missing_dags(api: AirflowApi) -> str:
    try:
        missing = [dag_id for dag_id in names.DAGS if not api.has_dag(dag_id)]
        errors = api.import_errors() if missing else []
    except AirflowUnreachable:
        # A busy machine; the deadline bounds the wait.
        return "Airflow's api-server"
    if errors:
        raise StackError(f"{errors[0]['filename']} cannot be imported:\n{errors[0]['stack_trace']}")
    return f"the DAGs {', '.join(missing)}" if missing else ""
