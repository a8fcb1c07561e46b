"""Streams that libav opens itself: RTMP, RTSP, UDP, RTP and SRT, each with the protocols it needs and no others."""

from __future__ import annotations

import threading
import time
from typing import Any

import av
from av.error import FFmpegError

from streamflow import config
from streamflow.probing.measurement import Measurement, Measuring, OnProgress
from streamflow.probing.reception import Reception
from streamflow.probing.refusal import Refusal, dead, of_status
from streamflow.probing.target import LIBAV, Address

CHUNK_BYTES = 65_536


def measure(
    where: Address, settings: config.Probe, cancel: threading.Event, on_progress: OnProgress, started: float
) -> tuple[Measurement, float]:
    """Measure the stream; answers what was found and when it ended. Raises Refusal."""
    options = {"protocol_whitelist": LIBAV[where.scheme]}
    if where.scheme.startswith("rtsp"):
        # One TCP connection instead of a pair of UDP ports for each stream.
        options |= {"rtsp_transport": "tcp", "user_agent": where.headers["User-Agent"]}
    try:
        container = av.open(
            where.url, "r", options=options, timeout=(settings.connect_timeout, settings.read_timeout),
            metadata_errors="ignore",
        )  # fmt: skip
    except (FFmpegError, ValueError) as error:
        raise _understood(error) from error
    reception = Reception(lambda: iter(()), lambda: None)
    reception.cancelled = cancel.is_set
    measuring = Measuring(
        reception,
        sample_seconds=settings.sample_seconds,
        thumbnails=settings.thumbnails,
        finite=lambda: False,
        on_progress=on_progress,
    )
    with container:
        found = measuring.of_container(container, started)
    if cancel.is_set():
        raise Refusal("unknown", "cancelled", "the probe was stopped before its end")
    if found.media_s == 0:
        raise dead("no_data", "connected, but no packet came")
    return found, time.monotonic()


def _understood(error: Exception) -> Refusal:
    """By libav's typed errors."""
    status = {
        av.error.HTTPUnauthorizedError: 401,
        av.error.HTTPForbiddenError: 403,
        av.error.HTTPNotFoundError: 404,
    }.get(type(error))  # type: ignore[call-overload]
    if status:
        return of_status(status, {}, account_busy=False)
    known: dict[type[Any], tuple[str, str]] = {
        av.error.ConnectionRefusedError: ("connection_refused", "connection refused"),
        av.error.TimeoutError: ("connect_timeout", "no answer in time"),
        av.error.ExitError: ("connect_timeout", "no answer in time"),
        av.error.InvalidDataError: ("not_media", "the answer is no media of a known kind"),
        av.error.ProtocolNotFoundError: ("not_media", "this build of libav lacks the protocol"),
    }
    reason, detail = known.get(type(error), ("no_data", type(error).__name__))
    if reason == "not_media" and "lacks" in detail:
        return Refusal("skipped", "unsupported_protocol", detail, retryable=False)
    return dead(reason, detail)
