"""Streams that libav opens itself: RTMP, RTSP, UDP, RTP and SRT, each with the protocols it needs and no others."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from streamflow import config
from streamflow.probing.judgement.refusal import Refusal, dead, of_status
from streamflow.probing.media import demuxer
from streamflow.probing.media.analyzer import Analyzer
from streamflow.probing.media.measurement import Sample
from streamflow.probing.media.source import Source
from streamflow.probing.net.address_policy import NameNotFoundError, resolve
from streamflow.probing.starvation import StarvationMonitor
from streamflow.probing.target import LIBAV, Address

LOOK_SECONDS = 0.1
# Packets that may wait for the measuring; a sender that is faster is held up.
BACKLOG_PACKETS = 2_000
LATE_SHARE = 0.95


def measure(
    where: Address,
    settings: config.Probe,
    measuring: Callable[[Source], Analyzer],
    started: float,
    *,
    account_busy: bool,
) -> Sample:
    """Measure the stream; raises Refusal.

    ``started`` is when the probe began (monotonic), ``account_busy`` as in a ProbeTarget.
    """
    if settings.proxy:
        # Going around the proxy would show the provider another address.
        what = f"{where.scheme} cannot go through a proxy"
        raise Refusal("skipped", "unsupported_protocol", what, retryable=False)
    parts = urlsplit(where.url)
    try:
        resolve(parts.hostname or "", parts.port or 0, settings.connect_timeout)
    except NameNotFoundError as error:
        raise dead("dns_failure", str(error)) from error
    flow = _Flow(where, settings, started)
    try:
        found = measuring(flow).analyze_packets(flow.container(account_busy), flow.packets())
        sample = Sample(found, time.monotonic(), flow.late.spells(), None, flow.first_byte, flow.bytes)
    finally:
        flow.stop()
    if found.media_s == 0:
        raise dead("no_data", "connected, but no packet came")
    return sample


class _Flow:
    """Packets taken by a thread of its own, since nothing but a time-out can interrupt libav.

    A thread that is stopped closes the connection as soon as libav comes back to it, at the latest after the read
    time-out.
    """

    def __init__(self, where: Address, settings: config.Probe, started: float) -> None:
        self.started = started
        self.late = StarvationMonitor()
        self.deadline = float("inf")
        self.bytes = 0
        self.first_byte: float | None = None
        self.is_exhausted = False
        self._connect_timeout = settings.connect_timeout
        self._stopping = threading.Event()
        self._told: queue.Queue[tuple[float, InputContainer | Packet[Stream] | Exception]]
        self._told = queue.Queue(BACKLOG_PACKETS)
        self._came = started
        self.late.start()
        threading.Thread(target=self._take, args=(where, settings), name="libav", daemon=True).start()

    def _take(self, where: Address, settings: config.Probe) -> None:
        options = {"protocol_whitelist": LIBAV[where.scheme]}
        if where.scheme.startswith("rtsp"):
            # One TCP connection instead of a pair of UDP ports for each stream.
            options |= {"rtsp_transport": "tcp", "user_agent": where.headers["User-Agent"]}
        timeout = settings.connect_timeout, settings.read_timeout
        try:
            with av.open(where.url, "r", options=options, timeout=timeout, metadata_errors="ignore") as container:
                self._tell(container)
                for packet in demuxer.packets(container):
                    self._tell(packet)
                    if self._stopping.is_set():
                        return
            self._tell(EOFError())
        except (FFmpegError, ValueError) as error:
            self._tell(error)

    def _tell(self, what: InputContainer | Packet[Stream] | Exception) -> None:
        now = time.monotonic()
        while not self._stopping.is_set():
            try:
                self._told.put((now, what), timeout=LOOK_SECONDS)
            except queue.Full:
                continue
            # What the measuring was too slow for waits in the kernel, or at the sender.
            self.late.note(now, time.monotonic())
            return

    def _next(self) -> InputContainer | Packet[Stream] | Exception | None:
        """What comes next; None when the probe is over."""
        while time.monotonic() < self.deadline:
            try:
                self._came, what = self._told.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
            return what
        return None

    def container(self, account_busy: bool) -> InputContainer:
        """The opened stream; raises Refusal."""
        opened = self._next()
        if isinstance(opened, InputContainer):
            return opened
        if isinstance(opened, Exception):
            is_late = time.monotonic() - self.started >= LATE_SHARE * self._connect_timeout
            raise _understood(opened, is_late, account_busy) from opened
        raise dead("connect_timeout", "no answer in time")

    def packets(self) -> Iterator[Packet[Stream]]:
        """The packets until the stream or the probe ends."""
        while True:
            packet = self._next()
            if not isinstance(packet, Packet):
                self.is_exhausted = True
                return
            self.bytes += packet.size
            self.first_byte = self.first_byte or self._came
            yield packet

    def offset(self, position: int | None) -> int:
        del position
        return self.bytes

    def arrived(self, offset: int) -> float:
        del offset
        return self._came

    def stop(self) -> None:
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
    av.error.TimeoutError: ("connect_timeout", "no answer in time"),
    av.error.ExitError: ("connect_timeout", "no answer in time"),
    av.error.HTTPOtherClientError: ("http_4xx", "a status from 400 to 499"),
    av.error.HTTPServerError: ("http_5xx", "a status from 500 to 599"),
    av.error.InvalidDataError: ("not_media", "the answer is no media of a known kind"),
}


def _understood(error: Exception, is_late: bool, account_busy: bool) -> Refusal:
    """By libav's typed errors; where it was interrupted for being late, the RTSP demuxer speaks of invalid data."""
    if is_late and isinstance(error, av.error.InvalidDataError):
        return dead("connect_timeout", "no answer in time")
    for kind, status in _STATUSES.items():
        if isinstance(error, kind):
            return of_status(status, {}, account_busy=account_busy)
    if isinstance(error, av.error.ProtocolNotFoundError):
        return Refusal("skipped", "unsupported_protocol", "this build of libav lacks the protocol", retryable=False)
    return dead(*_REASONS.get(type(error), ("no_data", type(error).__name__)))
