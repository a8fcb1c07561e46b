"""A Postgres for the test. It refuses to run as root, so another user runs it where the tests run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from streamflow_stack import ports
from streamflow_stack.processes import Processes

NAME = "postgres"


@dataclass(frozen=True)
class Postgres:
    """A running server with the empty database ``airflow`` of the user ``airflow``."""

    port: int
    processes: Processes

    def pause(self) -> None:
        """Let the server hang."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a pause."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        server = psutil.Process(self.processes.pids[NAME])
        # The server comes first, because it makes the processes of new connections.
        for process in [server, *server.children(recursive=True)]:
            # The process of a connection may end at any moment.
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def programs() -> Path | None:
    """Return the folder of Postgres' programs, which Debian keeps off the PATH; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(p) for p in [shutil.which("initdb")] if p]
    return found[-1].parent if found else None


@contextmanager
def running(processes: Processes, password: str) -> Iterator[Postgres]:
    """Make a database cluster and run its server, as a process of the stack, until the end of the block."""
    folder = programs()
    assert folder
    # Pytest's folders are closed to other users.
    home = Path(tempfile.mkdtemp(prefix="postgres-"))
    as_user, user = _other_user()
    try:
        words = home / "password"
        words.write_text(password)
        for path in (home, words):
            os.chown(path, user.pw_uid, user.pw_gid)
        data, port = home / "data", ports.any_free()
        make = [folder / "initdb", "-D", data, "-U", "airflow", "--pwfile", words, "--auth=scram-sha-256", "-E", "UTF8"]
        subprocess.run([*as_user, *make, "--no-sync"], check=True, capture_output=True, cwd=home)
        server = [folder / "postgres", "-D", data, "-p", port, "-h", ports.loopback(), "-k", home, "-c", "fsync=off",
                  "-c", "max_connections=200"]  # fmt: skip
        processes.start(NAME, [*as_user, *map(str, server)], {"PATH": os.environ["PATH"]}, last=True)
        _create_database(port, password)
        yield Postgres(port, processes)
    finally:
        processes.stop(NAME)
        shutil.rmtree(home, ignore_errors=True)


def _other_user() -> tuple[list[str], pwd.struct_passwd]:
    me = pwd.getpwuid(os.getuid())
    if me.pw_uid != 0:
        return [], me
    known = {user.pw_name: user for user in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"], user


def _create_database(port: int, password: str) -> None:
    import psycopg2

    deadline = time.monotonic() + 60
    while True:
        try:
            connection = psycopg2.connect(
                host=ports.loopback(), port=port, user="airflow", password=password, dbname="postgres"
            )
            break
        except psycopg2.OperationalError:
            assert time.monotonic() < deadline, "Postgres did not start"
            time.sleep(0.1)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE airflow")
    connection.close()
