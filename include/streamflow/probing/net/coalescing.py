"""Coalescing of reads: a paced stream is read twenty times a second instead of once a packet.

A stream of 6 Mbit/s arrives in packets of 1,400 bytes, two milliseconds apart. Waking up for each packet would cost
several times the CPU time of the whole analysis.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

import httpcore

# Arrival times are late by at most this much, which is the resolution of the playout model (see timing).
COALESCE_SECONDS = 0.05
# For this long after a request each packet is read at once, so that first bytes have exact times.
EXACT_SECONDS = 1.0


class CoalescingStream(httpcore.NetworkStream):
    """A stream over a socket that waits for more bytes before a read when the socket is empty."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._socket: socket.socket = stream.get_extra_info("socket")
        self._requested_at = time.monotonic()
        self._is_drained = False
        self._failure: OSError | None = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the bytes that have arrived, at most ``max_bytes``; none at the end of the stream."""
        if self._failure is not None:
            raise httpcore.ReadError(self._failure) from self._failure
        if self._is_drained and time.monotonic() - self._requested_at > EXACT_SECONDS:
            time.sleep(COALESCE_SECONDS)
        data = self._stream.read(max_bytes, timeout)
        return data + self._read_available(max_bytes - len(data)) if data else data

    def _read_available(self, max_bytes: int) -> bytes:
        """Return the bytes that can be read without waiting; a single read of TLS returns one record."""
        parts: list[bytes] = []
        self._is_drained = False
        self._socket.settimeout(0)
        try:
            while max_bytes > 0 and (part := self._socket.recv(max_bytes)):
                parts.append(part)
                max_bytes -= len(part)
        except (BlockingIOError, ssl.SSLWantReadError):
            self._is_drained = True
        except OSError as error:
            # Bytes that arrived before the error are returned first.
            self._failure = error
        return b"".join(parts)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send a request; the packets of its response are read exactly at first."""
        self._requested_at = time.monotonic()
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the stream inside TLS."""
        inner = self._stream.start_tls(ssl_context, server_hostname, timeout)
        # Inside a second layer of TLS, as behind a proxy that uses it, the socket's bytes are not the stream's.
        return inner if isinstance(self._socket, ssl.SSLSocket) else CoalescingStream(inner)

    def get_extra_info(self, info: str) -> Any:
        """Return a property of the connection (the interface of httpcore)."""
        return self._stream.get_extra_info(info)
