"""Streams that libav opens itself: RTMP, RTSP, UDP, RTP and SRT, each with the protocols that it needs alone."""

from __future__ import annotations

import errno
import ipaddress
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias
from urllib.parse import urlsplit

import av
import certifi
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from streamflow.net.address_policy import ForbiddenAddressError, normalized_host
from streamflow.net.connect_guard import ConnectGuard
from streamflow.net.egress import Egress
from streamflow.net.resolver import NameNotFoundError
from streamflow.probing.judgement.refusal import Refusal, dead, of_status
from streamflow.probing.media import demuxer
from streamflow.probing.media.analyzer import Analyzer
from streamflow.probing.media.measurement import Sample
from streamflow.probing.media.source import Source
from streamflow.probing.net.http_client import of_address
from streamflow.probing.protocols import rtmp_options
from streamflow.probing.protocols.source_info import SourceInfo
from streamflow.probing.requests import FetchRequest
from streamflow.probing.starvation import StarvationMonitor
from streamflow.probing.target import LIBAV

WAIT_SECONDS = 0.1
# Packets that may wait for the analysis; a faster sender is held back.
BACKLOG_PACKETS = 2_000
LATE_SHARE = 0.95
_SECURE = ("rtmps", "rtsps")
# The formats that a protocol carries, for those that do not carry all of them.
_FORMATS = dict.fromkeys(("rtmp", "rtmps"), "flv,live_flv") | dict.fromkeys(
    ("rtsp", "rtsps", "rtp"), f"rtsp,rtp,sdp,{demuxer.FORMATS}"
)
_BOUNDS = {name: demuxer.OPTIONS[name] for name in ("codec_whitelist", "max_streams", "max_pixels")}

_Item: TypeAlias = "InputContainer | Packet[Stream] | Exception"


def measure(fetch: FetchRequest, source: SourceInfo, analyzer: Callable[[Source], Analyzer], started: float) -> Sample:
    """Measure a stream.

    :param source: receives facts about the stream's source.
    :param analyzer: makes the analyzer of what arrives.
    :param started: when the probe began (monotonic).
    :raises Refusal: when there is nothing to measure.
    """
    options, scheme = fetch.options, fetch.url.partition(":")[0].lower()
    if options.proxy:
        # A connection past the proxy would show the provider another address.
        raise Refusal("skipped", "unsupported_protocol", f"{scheme} cannot go through a proxy", retryable=False)
    egress = Egress(options.egress)
    fetch = _checked(fetch, scheme, egress)
    with ConnectGuard(lambda host, port: egress.resolve(host, port, options.connect_timeout)) as guard:
        flow = _PacketReader(fetch, scheme, started, guard)
        try:
            container = flow.container(options.account_busy)
            source.tls_fault = flow.tls_fault
            found = analyzer(flow).analyze_packets(container, flow.packets())
            sample = Sample(found, time.monotonic(), flow.late.spells(), None, flow.first_byte, flow.bytes)
        finally:
            flow.stop()
    if found.media_s == 0:
        raise dead("no_data", "connected, but no packet came")
    return sample


def _checked(fetch: FetchRequest, scheme: str, egress: Egress) -> FetchRequest:
    """Return the request if its host exists and may be reached; multicast groups are of this network by nature.

    The guard of the reader decides about the connections of TCP. SRT sends datagrams to a host that libav would look up
    once more, so its address names the host by the IP address that was checked.

    :raises Refusal: for any other address.
    """
    try:
        parts = urlsplit(rtmp_options.split(fetch.url)[0])
        host, port = normalized_host(parts.hostname or ""), parts.port or 0
        addresses = [] if _is_multicast(host) else egress.resolve(host, port, fetch.options.connect_timeout)
        if scheme != "srt" or not addresses:
            return fetch
        literal = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        return replace(fetch, url=parts._replace(netloc=f"{literal}:{port}").geturl())
    except NameNotFoundError as error:
        raise dead("dns_failure", str(error)) from error
    except ForbiddenAddressError as error:
        raise of_address(error) from error
    except ValueError:
        raise dead("not_media", "the URL is no address", retryable=False) from None


def _is_multicast(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_multicast
    except ValueError:
        return False


def _open(fetch: FetchRequest, scheme: str, tls: dict[str, str]) -> InputContainer:
    url, options = rtmp_options.split(fetch.url)
    options |= _BOUNDS | tls
    options |= {"protocol_whitelist": LIBAV[scheme], "format_whitelist": _FORMATS.get(scheme, demuxer.FORMATS)}
    if scheme.startswith("rtsp"):
        # One TCP connection instead of a pair of UDP ports for each stream.
        options |= {"rtsp_transport": "tcp", "user_agent": fetch.headers["User-Agent"]}
    timeout = fetch.options.connect_timeout, fetch.options.read_timeout
    return av.open(url, "r", options=options, timeout=timeout, metadata_errors="ignore")


def authorities() -> str:
    """Return the file of the authorities that servers are checked by: the user's, else that of the lock."""
    return os.environ.get("SSL_CERT_FILE") or certifi.where()


def _is_tls_fault(error: FFmpegError) -> bool:
    """Return whether a handshake failed: libav reports that as an error of input or output."""
    return error.errno == errno.EIO


class _PacketReader:
    """Reads packets in a thread of its own, since nothing but a time-out can interrupt libav.

    A thread that is stopped closes the connection when libav returns, at the latest after the read time-out.
    """

    def __init__(self, fetch: FetchRequest, scheme: str, started: float, guard: ConnectGuard) -> None:
        self.started = started
        self._guard = guard
        self.late = StarvationMonitor()
        self.deadline = float("inf")
        self.bytes = 0
        self.first_byte: float | None = None
        self.is_exhausted = False
        self.tls_fault: str | None = None
        self._is_secure = scheme in _SECURE
        self._connect_timeout = fetch.options.connect_timeout
        self._stopping = threading.Event()
        self._items: queue.Queue[tuple[float, _Item]] = queue.Queue(BACKLOG_PACKETS)
        self._arrived_at = started
        self.late.start()
        threading.Thread(target=self._read, args=(fetch, scheme), name="libav", daemon=True).start()

    def _read(self, fetch: FetchRequest, scheme: str) -> None:
        self._guard.guard()
        try:
            with self._opened(fetch, scheme) as container:
                self._put(container)
                for packet in demuxer.packets(container):
                    self._put(packet)
                    if self._stopping.is_set():
                        return
            self._put(EOFError())
        except (FFmpegError, ValueError) as error:
            self._put(error)

    def _opened(self, fetch: FetchRequest, scheme: str) -> InputContainer:
        """Open the stream; a server whose certificate is not trusted is opened once more, and reported."""
        mode = fetch.options.tls
        if scheme not in _SECURE or mode == "ignore":
            return _open(fetch, scheme, {})
        try:
            return _open(fetch, scheme, {"tls_verify": "1", "ca_file": authorities()})
        except FFmpegError as error:
            if mode == "verify" or not _is_tls_fault(error):
                raise
        container = _open(fetch, scheme, {})
        self.tls_fault = "the certificate is not trusted"
        return container

    def _put(self, item: _Item) -> None:
        now = time.monotonic()
        while not self._stopping.is_set():
            try:
                self._items.put((now, item), timeout=WAIT_SECONDS)
            except queue.Full:
                continue
            # Packets that the analysis was too slow for have waited in the kernel, or at the sender.
            self.late.note(now, time.monotonic())
            return

    def _next(self) -> _Item | None:
        """Return the next item; None when the probe is over."""
        while time.monotonic() < self.deadline:
            try:
                self._arrived_at, item = self._items.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                continue
            return item
        return None

    def container(self, account_busy: bool) -> InputContainer:
        """Return the opened stream.

        :raises Refusal: when it cannot be opened.
        """
        opened = self._next()
        if isinstance(opened, InputContainer):
            return opened
        if self._guard.refused:
            raise of_address(self._guard.refused)
        if isinstance(opened, FFmpegError) and self._is_secure and _is_tls_fault(opened):
            raise dead("tls_error", "no connection by TLS to a server that is trusted", retryable=False) from opened
        if isinstance(opened, Exception):
            is_late = time.monotonic() - self.started >= LATE_SHARE * self._connect_timeout
            raise _understood(opened, is_late, account_busy) from opened
        raise dead("connect_timeout", "no response in time")

    def packets(self) -> Iterator[Packet[Stream]]:
        """Yield the packets until the stream or the probe ends."""
        while True:
            packet = self._next()
            if not isinstance(packet, Packet):
                self.is_exhausted = True
                return
            self.bytes += packet.size
            self.first_byte = self.first_byte or self._arrived_at
            yield packet

    def offset(self, position: int | None) -> int:
        """Return the number of bytes so far: positions in a file mean nothing here."""
        del position
        return self.bytes

    def arrived(self, offset: int) -> float:
        """Return when the last packet arrived (monotonic)."""
        del offset
        return self._arrived_at

    def stop(self) -> None:
        """End the thread, and with it the connection."""
        self.late.stop()
        self._stopping.set()


_STATUSES = {
    av.error.HTTPBadRequestError: 400,
    av.error.HTTPUnauthorizedError: 401,
    av.error.HTTPForbiddenError: 403,
    av.error.HTTPNotFoundError: 404,
    av.error.HTTPTooManyRequestsError: 429,
}
_REASONS: dict[type[Exception], tuple[str, str]] = {
    av.error.ConnectionRefusedError: ("connection_refused", "connection refused"),
    av.error.TimeoutError: ("connect_timeout", "no response in time"),
    av.error.ExitError: ("connect_timeout", "no response in time"),
    av.error.HTTPOtherClientError: ("http_4xx", "a status from 400 to 499"),
    av.error.HTTPServerError: ("http_5xx", "a status from 500 to 599"),
    av.error.InvalidDataError: ("not_media", "the response is no media of a known kind"),
}


def _understood(error: Exception, is_late: bool, account_busy: bool) -> Refusal:
    """Return the Refusal for an error of libav; the RTSP demuxer reports a time-out as invalid data."""
    if is_late and isinstance(error, av.error.InvalidDataError):
        return dead("connect_timeout", "no response in time")
    for kind, status in _STATUSES.items():
        if isinstance(error, kind):
            return of_status(status, {}, account_busy=account_busy)
    if isinstance(error, av.error.ProtocolNotFoundError):
        return Refusal("skipped", "unsupported_protocol", "this build of libav lacks the protocol", retryable=False)
    return dead(*_REASONS.get(type(error), ("no_data", type(error).__name__)))
