"""Made-up names on the internet, and in this network, that all lead to one server of a test."""

from __future__ import annotations

import httpcore
import pytest

from streamflow.net import egress


class Names:
    """Replaces the system's resolver, and connects every address to a port of this machine.

    :param addresses: the addresses of each name's first label, separated by spaces.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, port: int, **addresses: str) -> None:
        self.connected: list[str] = []
        plain = httpcore.SyncBackend.connect_tcp

        def connect(backend: httpcore.SyncBackend, host: str, asked_port: int, *rest: object) -> object:
            self.connected.append(host)
            return plain(backend, "127.0.0.1", port, *rest)  # type: ignore[arg-type]

        def resolve(host: str, asked_port: int, timeout: float | None) -> list[str]:
            name = host.partition(".")[0]
            return addresses[name].split() if name in addresses else [host]

        monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
        monkeypatch.setattr(egress, "resolve", resolve)
