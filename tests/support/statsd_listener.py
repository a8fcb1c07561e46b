"""A StatsD server that remembers what it is told."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self


class StatsdListener:
    """Listens on a port of its own; ``lines`` holds every metric as it came, ``name:value|kind``."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An empty packet is the end.
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        while told := self._socket.recv(65_536):
            self.lines += told.decode().splitlines()

    def named(self, name: str) -> list[str]:
        """Return the values of a metric."""
        return [line.partition(":")[2] for line in self.lines if line.partition(":")[0] == name]
