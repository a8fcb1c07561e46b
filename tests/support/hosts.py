"""Two hosts on one machine: this one, and a network namespace that two cables join to it.

Each host has a loopback interface of its own. The services of the first host listen on its loopback only, so relays on
both ends of a cable make their ports reachable on the loopback of the second host. The second cable stays plugged in.
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

# The addresses of the cables' ends: of private networks that differ between tests that run at the same time.
_NETWORK = f"10.203.{os.getpid() % 256}"
HERE, THERE = f"{_NETWORK}.1", f"{_NETWORK}.2"
HERE_LASTING, THERE_LASTING = f"{_NETWORK}.5", f"{_NETWORK}.6"


@dataclass
class SecondHost:
    """A network namespace, and this machine's end of the cable to it. Without a name, all is on one host."""

    name: str = ""
    why_not: str = ""
    relays: list[Relay] = field(default_factory=list)

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs another command on the second host."""
        return ["ip", "netns", "exec", self.name, *words] if self.name else list(words)

    def reach(self, ports: Sequence[int], own: str = HOST, *, lasting: bool = False) -> list[str]:
        """Let the second host reach ports of this one; return the command of the relay on its side.

        :param own: the address of the second host at which the relay listens.
        :param lasting: by the cable that stays plugged in.
        """
        here = HERE_LASTING if lasting else HERE
        self.relays += [Relay(port, own=(here, port)) for port in ports]
        program = Path(__file__).with_name("relay.py")
        return self.command([sys.executable, str(program), own, here, *map(str, ports)])

    def unplug(self) -> None:
        """Pull the first cable: packets get lost, and no connection is told."""
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
        _ip("-n", host.name, "link", "set", "lo", "up")
        for name, far, here, there in (
            (host._cable, "cable", HERE, THERE),
            (f"{host._cable}b", "lasting", HERE_LASTING, THERE_LASTING),
        ):
            _ip("link", "add", name, "type", "veth", "peer", "name", far, "netns", host.name)
            _ip("addr", "add", f"{here}/30", "dev", name)
            _ip("link", "set", name, "up")
            _ip("-n", host.name, "addr", "add", f"{there}/30", "dev", far)
            _ip("-n", host.name, "link", "set", far, "up")
        yield host
    finally:
        for relay in host.relays:
            relay.cut()
        _ip("netns", "del", host.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
