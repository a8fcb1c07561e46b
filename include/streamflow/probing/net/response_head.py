"""Lenient reading of HTTP response heads.

Players accept heads that violate RFC 9112 in many ways; the parser behind httpcore rejects the whole response. The
head is therefore rewritten to a valid one before that parser reads it. Bodies pass through unchanged.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from typing import Any

import httpcore

MAX_HEAD_BYTES = 65_536
MAX_VALUE_BYTES = 8_192
MAX_HEADERS = 100
MAX_INTERIM_RESPONSES = 20
# The declared length of a response that declared none but zero bytes, and may send media all the same.
DECLARED_LENGTH = "x-declared-content-length"

_END = re.compile(rb"\r?\n\r?\n")
# "ICY" is SHOUTcast's protocol name; some servers leave out the version or its second number.
_STATUS = re.compile(rb"(HTTP(?:/(\d)(?:\.(\d))?)?|ICY)[ \t]+(\d{3})(?!\d)", re.IGNORECASE)
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FOLD = re.compile(rb"\r?\n[ \t]+")


@dataclass
class ReadTimeout:
    """The seconds that a read may wait. The client sets it for each phase of a response; None waits for ever."""

    seconds: float | None = None


def normalized(head: bytes) -> bytes:
    """Return a response head that is valid by RFC 9112, with the empty line that ends it.

    Lines that are no header are left out. Lengths that are no number, or contradict each other, are left out too: the
    body then ends with the connection. A head without a status line stays unchanged.
    """
    lines = _FOLD.sub(b" ", head.lstrip(b"\r\n")).replace(b"\r\n", b"\n").split(b"\n")
    status = _STATUS.match(lines[0])
    if status is None:
        return head + b"\r\n\r\n"
    code = int(status[4])
    version = b"1.1" if status[2] == b"1" and status[3] != b"0" else b"1.0"
    made = [b"HTTP/%s %d " % (version, code)]
    lengths: list[bytes] = []
    for line in lines[1 : MAX_HEADERS + 1]:
        name, colon, value = line.partition(b":")
        name, value = name.strip(), _CONTROL.sub(b"", value).strip()
        if not colon or not _NAME.fullmatch(name) or len(value) > MAX_VALUE_BYTES:
            continue
        if name.lower() == b"content-length":
            lengths.append(value)
        elif name.lower() != b"transfer-encoding" or value.lower().endswith(b"chunked"):
            made.append(name + b": " + (b"chunked" if name.lower() == b"transfer-encoding" else value))
    return b"\r\n".join([*made, *_length(code, lengths), b"", b""])


def _length(code: int, lengths: list[bytes]) -> list[bytes]:
    declared = {part.strip() for value in lengths for part in value.split(b",")}
    if len(declared) != 1 or not (only := declared.pop()).isdigit() or len(only) > 18:
        return []
    if int(only) == 0 and code in (200, 206):
        return [DECLARED_LENGTH.encode() + b": 0"]
    return [b"Content-Length: " + only]


class LenientStream(httpcore.NetworkStream):
    """A stream whose response heads are normalized, and whose reads wait as long as ``read_timeout`` says."""

    def __init__(self, stream: httpcore.NetworkStream, read_timeout: ReadTimeout) -> None:
        self._stream = stream
        self._read_timeout = read_timeout
        self._is_head = False
        self._interim_responses = 0
        self._left = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the next bytes of the response; a head is returned as a whole."""
        del timeout
        if self._is_head:
            return self._read_head(max_bytes)
        if self._left:
            data, self._left = self._left, b""
            return data
        return self._stream.read(max_bytes, self._read_timeout.seconds)

    def _read_head(self, max_bytes: int) -> bytes:
        data, self._left = self._left, b""
        while True:
            start = len(data) - len(data.lstrip(b"\r\n"))
            if end := _END.search(data, start):
                break
            part = self._stream.read(max_bytes, self._read_timeout.seconds)
            data += part
            if not part or len(data) > MAX_HEAD_BYTES:
                # Not a head: the parser reports it.
                self._is_head = False
                return data
        status = _STATUS.match(data, start)
        is_interim = status is not None and status[4].startswith(b"1") and status[4] != b"101"
        self._interim_responses += is_interim
        if self._interim_responses > MAX_INTERIM_RESPONSES:
            raise httpcore.RemoteProtocolError("too many interim responses")
        self._is_head, self._left = is_interim, data[end.end() :]
        return normalized(data[start : end.start()])

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send a request; the next bytes that are read are the head of its response."""
        self._is_head, self._interim_responses, self._left = True, 0, b""
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the stream inside TLS."""
        return LenientStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._read_timeout)

    def get_extra_info(self, info: str) -> Any:
        """Return a property of the connection (the interface of httpcore)."""
        return self._stream.get_extra_info(info)
