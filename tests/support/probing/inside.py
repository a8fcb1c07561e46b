"""Work inside the processes of a probe."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from streamflow.probing.isolation import isolated, messages
from streamflow.probing.isolation.client import ForkServer
from streamflow.probing.isolation.fork_server import Role, serve
from streamflow.probing.isolation.messages import Channel
from streamflow.probing.isolation.seccomp import Filter
from streamflow.probing.processes import ROLES, load

Send = Callable[[Any], None]


@contextmanager
def forked_server(roles: Mapping[str, Role] | None = None) -> Iterator[None]:
    """Have a fork of this process start the processes of probes, so that they contain what a test has replaced."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    load()
    server = os.fork()
    if server == 0:
        try:
            # The real server is executed, which resets handlers. Airflow's importer of DAG files sets one for SIGSEGV.
            for crash in (signal.SIGSEGV, signal.SIGABRT):
                signal.signal(crash, signal.SIG_DFL)
            here.close()
            serve(there, roles or ROLES)
        finally:
            os._exit(0)
    there.close()
    client = sys.modules["streamflow.probing.isolation.client"]
    before, client._server = client._server, ForkServer(here)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        client._server = before  # type: ignore[attr-defined]
        here.close()
        os.waitpid(server, 0)


def ran(
    work: Callable[[Send], Any],
    *,
    profile: Filter = "decoder",
    messages_to: list[Any] | None = None,
    longest_s: float = 30,
    stop: threading.Event | None = None,
    on_message: Send | None = None,
) -> Any:
    """Return what ``work`` returns in a process with the sandbox of a profile."""

    def run(channel: Channel, _: Channel | None) -> None:
        messages.send(channel, (True, work(lambda message: messages.send(channel, (False, message)))))

    received = [] if messages_to is None else messages_to
    with forked_server({"decoder": Role(profile, run)}):
        return isolated(
            {"decoder": None},
            on_message=on_message or received.append,
            stop=stop or threading.Event(),
            longest_s=longest_s,
        )


def tried(work: Callable[[], Any], profile: Filter = "decoder") -> Any:
    """Return what ``work`` returns in a sandbox, or the name of the error that it raises."""

    def attempt(_: Send) -> Any:
        try:
            return work()
        except OSError as error:
            return type(error).__name__

    return ran(attempt, profile=profile)
