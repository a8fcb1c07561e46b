"""CoalescingStream: what a server sends packet by packet is read twenty times a second, not five hundred times.

Over a real network a stream of 6 Mbit/s comes in packets of 1,400 bytes, two milliseconds apart. To wake up for each
would cost several times what all measuring does.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

import httpcore

# Arrivals are late by as much at the most, which is the grain of playout (see timing).
GATHER_SECONDS = 0.05
# After a request everything is read at once for so long: first bytes are timed exactly.
EXACT_SECONDS = 1.0


class CoalescingStream(httpcore.NetworkStream):
    """A stream over a socket, whose reads let bytes gather once nothing waits to be read."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._socket: socket.socket = stream.get_extra_info("socket")
        self._asked = time.monotonic()
        self._is_drained = False
        self._failure: OSError | None = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._failure is not None:
            raise httpcore.ReadError(self._failure) from self._failure
        if self._is_drained and time.monotonic() - self._asked > EXACT_SECONDS:
            time.sleep(GATHER_SECONDS)
        data = self._stream.read(max_bytes, timeout)
        return data + self._waiting(max_bytes - len(data)) if data else data

    def _waiting(self, most: int) -> bytes:
        """What can be read without waiting. A read of TLS gives one record, however small the server made them."""
        found: list[bytes] = []
        self._is_drained = False
        self._socket.settimeout(0)
        try:
            while most > 0 and (part := self._socket.recv(most)):
                found.append(part)
                most -= len(part)
        except (BlockingIOError, ssl.SSLWantReadError):
            self._is_drained = True
        except OSError as error:
            # What came before it is handed out first.
            self._failure = error
        return b"".join(found)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._asked = time.monotonic()
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, timeout)
        # Within another TLS, as behind a proxy that speaks it, the socket's bytes are not the stream's.
        return inner if isinstance(self._socket, ssl.SSLSocket) else CoalescingStream(inner)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
