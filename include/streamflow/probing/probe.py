"""The probe of one stream, in processes of its own: what they are asked for, and what their outcome means."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from streamflow import config
from streamflow.net.egress import EgressOptions
from streamflow.probing.isolation import Crashed, Crowded, Hung, Stopped, isolated
from streamflow.probing.judgement.refusal import Refusal, cancelled, dead
from streamflow.probing.net.options import NetworkOptions
from streamflow.probing.outcome import from_json, refused
from streamflow.probing.requests import FetchRequest, MeasureRequest, PlayRequest
from streamflow.probing.target import (
    FIRST_PICTURE_SECONDS,
    HTTP,
    LIBAV,
    OPENING_READS,
    Address,
    ProbeOutcome,
    ProbeTarget,
    Progress,
    address,
    form_of,
)

# Added to the longest time that a probe can take by its settings.
HANG_SECONDS = 30.0
# Signals by which a faulty decoder ends. Any other signal comes from outside.
CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})

# Progress is passed on at most this often, except when a new phase begins.
PROGRESS_SECONDS = 0.5
PHASES = ("connecting", "opening", "measuring")

OnProgress = Callable[[Progress], None]

_FETCH, _MEASURE, _PLAY = TypeAdapter(FetchRequest), TypeAdapter(MeasureRequest), TypeAdapter(PlayRequest)


def probe(
    target: ProbeTarget,
    settings: config.Probe,
    *,
    cancel: threading.Event | None = None,
    on_progress: OnProgress | None = None,
) -> ProbeOutcome:
    """Probe a stream over one connection for ``settings.sample_seconds``; never raises for what a stream does.

    :param cancel: ends the probe within a fifth of a second, with verdict ``unknown`` and reason ``cancelled``.
    :param on_progress: is called in another thread.
    """
    started = time.monotonic()
    outcome = _probed(target, settings, started, cancel or threading.Event(), on_progress or (lambda _: None))
    # A process that was taken over does not decide whose stream it has measured.
    identity = {
        "stream_id": target.stream_id,
        "account_id": target.account_id,
        "url_hash": hashlib.sha256(target.url.encode()).hexdigest(),
    }
    return replace(outcome, result=outcome.result.model_copy(update=identity))


def _probed(
    target: ProbeTarget, settings: config.Probe, started: float, cancel: threading.Event, on_progress: OnProgress
) -> ProbeOutcome:
    where = address(target, settings.user_agent)
    if where.scheme not in (*HTTP, *LIBAV):
        known = ", ".join([*HTTP, *LIBAV])
        detail = f"{where.scheme or 'none'} is none of {known}"
        return refused(Refusal("skipped", "unsupported_protocol", detail, retryable=False), started)
    longest_s = _longest_s(settings)
    phase, reported = PHASES[0], float("-inf")

    def report(message: Any) -> None:
        nonlocal phase, reported
        progress, now = _progress(message), time.monotonic()
        if progress is None:
            return
        is_further = PHASES.index(progress.phase) > PHASES.index(phase)
        if is_further or now - reported >= PROGRESS_SECONDS:
            # A process that was taken over cannot flood what takes the progress.
            reported = now
            phase = progress.phase if is_further else phase
            on_progress(progress)

    try:
        requests = _requests(target, settings, where)
        sent = isolated(requests, on_message=report, stop=cancel, longest_s=longest_s)
        return from_json(sent)
    except Stopped:
        return refused(cancelled(), started)
    except Hung:
        return refused(_fault(phase, f"did not return within {longest_s:.0f} s", is_own=False), started)
    except Crowded:
        detail = "no memory for another probe: raise the container's memory, or check fewer streams at once"
        return refused(Refusal("unknown", "internal_error", detail), started)
    except Crashed as crash:
        return refused(_fault_of(crash, phase), started)
    except (KeyError, TypeError, ValueError):
        return refused(Refusal("unknown", "internal_error", "the probe returned no valid result"), started)


def _longest_s(settings: config.Probe) -> float:
    """Return the seconds in which even the slowest stream ends, with a good margin for a loaded machine."""
    sample = max(settings.sample_seconds, FIRST_PICTURE_SECONDS)
    return settings.connect_timeout + OPENING_READS * settings.read_timeout + sample + HANG_SECONDS


def _requests(target: ProbeTarget, settings: config.Probe, where: Address) -> dict[str, Any]:
    """Return the request of each process by its role, as JSON values."""
    options = NetworkOptions(
        settings.connect_timeout,
        settings.read_timeout,
        settings.proxy,
        settings.tls,
        egress=EgressOptions.of(target.allowed_networks, os.environ, target.source_host),
        account_busy=target.account_busy,
    )
    fetch = FetchRequest(where.url, where.headers, options)
    measure = MeasureRequest(
        sample_seconds=settings.sample_seconds,
        min_sample_seconds=settings.min_sample_seconds,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        thumbnails=settings.thumbnails,
        address_form=form_of(where.url),
        name=target.name,
        radio=target.radio,
        account_busy=target.account_busy,
        account_full=target.account_full,
        known=target.known,
        known_slates=tuple(base64.b64encode(slate).decode("ascii") for slate in target.known_slates),
    )
    if where.scheme in LIBAV:
        return {"player": _PLAY.dump_python(PlayRequest(fetch, measure), mode="json")}
    return {"fetcher": _FETCH.dump_python(fetch, mode="json"), "decoder": _MEASURE.dump_python(measure, mode="json")}


def _fault_of(crash: Crashed, phase: str) -> Refusal:
    """Return the refusal for a process that ended without an outcome."""
    if crash.lacked_memory:
        return Refusal("unknown", "internal_error", f"the {crash.role} was ended for want of memory")
    how = f"was ended by {crash.signal.name}" if crash.signal else "ended without a result"
    return _fault(phase, how, is_own=crash.signal not in CRASHES or crash.role == "fetcher")


def _fault(phase: str, how: str, *, is_own: bool) -> Refusal:
    """Return the refusal for a probe that did not end well: the stream's fault while its media were read."""
    if is_own or phase == "connecting":
        return Refusal("unknown", "internal_error", f"the probe {how}")
    return dead("undecodable", f"the decoder {how}")


def _progress(message: Any) -> Progress | None:
    """Return the progress that the probe's process sent; None for anything else."""
    try:
        seconds, received, kbps, first_ms, phase = message
        return Progress(
            float(seconds),
            int(received),
            None if kbps is None else int(kbps),
            None if first_ms is None else int(first_ms),
            phase if phase in PHASES else PHASES[0],
        )
    except (TypeError, ValueError, OverflowError):
        return None
