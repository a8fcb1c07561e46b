"""Two hosts on one machine: this one, and a network namespace that a cable joins to it.

Each host has a loopback interface of its own. The services of the first host listen on its loopback only, so relays on
both ends of the cable make their ports reachable on the loopback of the second host.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.relay import HOST, Relay

# The addresses of the cable's ends: of a private network that differs between tests that run at the same time.
_NETWORK = f"10.203.{os.getpid() % 256}"
HERE, THERE = f"{_NETWORK}.1", f"{_NETWORK}.2"


@dataclass
class SecondHost:
    """A network namespace, and this machine's end of the cable to it. Without a name, all is on one host."""

    name: str = ""
    why_not: str = ""
    relays: list[Relay] = field(default_factory=list)

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs another command on the second host."""
        return ["ip", "netns", "exec", self.name, *words] if self.name else list(words)

    def reach(self, ports: Sequence[int], own: str = HOST) -> list[str]:
        """Let the second host reach ports of this one; return the command of the relay on its side.

        :param own: the address of the second host at which the relay listens.
        """
        self.relays += [Relay(port, own=(HERE, port)) for port in ports]
        program = Path(__file__).with_name("relay.py")
        return self.command([sys.executable, str(program), own, HERE, *map(str, ports)])

    def unplug(self) -> None:
        """Pull the cable: packets get lost, and no connection is told."""
        _ip("link", "set", self._cable, "down")

    def plug(self) -> None:
        """Plug the cable in again."""
        _ip("link", "set", self._cable, "up")

    @property
    def _cable(self) -> str:
        return f"v{os.getpid()}"


@contextmanager
def second_host() -> Iterator[SecondHost]:
    """Make the second host, or say why this machine cannot."""
    host = SecondHost(f"streamflow-{os.getpid()}")
    try:
        _ip("netns", "add", host.name)
    except (OSError, subprocess.CalledProcessError) as error:
        output = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        yield SecondHost(why_not=output.strip())
        return
    try:
        _ip("link", "add", host._cable, "type", "veth", "peer", "name", "cable", "netns", host.name)
        _ip("addr", "add", f"{HERE}/30", "dev", host._cable)
        _ip("link", "set", host._cable, "up")
        for words in (
            ["addr", "add", f"{THERE}/30", "dev", "cable"],
            ["link", "set", "cable", "up"],
            ["link", "set", "lo", "up"],
        ):
            _ip("-n", host.name, *words)
        yield host
    finally:
        for relay in host.relays:
            relay.cut()
        _ip("netns", "del", host.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
