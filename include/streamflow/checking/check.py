"""One check: a stream with the settings in force, its tries, and the result."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

from streamflow import config
from streamflow.checking import feedback
from streamflow.checking.circuit import OUTAGE
from streamflow.checking.logins import url_for
from streamflow.checking.ports import ResultSink, SlateMemory, Slot
from streamflow.checking.subject import Subject
from streamflow.checking.tries import Tries, address_class, pause_before_next
from streamflow.config import Config
from streamflow.errors import UdiUnavailable, UnusablePattern
from streamflow.probing import ProbeOutcome, ProbeTarget, Progress, probe, report
from streamflow.records import Result, Stream
from streamflow.scoring import score
from streamflow.udi import ports as udi

log = logging.getLogger(__name__)

# The time between the grant of a slot and its release exceeds the sample by this.
OPENING_SECONDS = 1.0


class Prober(Protocol):
    """A probe of a stream; see :func:`streamflow.probing.probe`."""

    def __call__(
        self,
        target: ProbeTarget,
        settings: config.Probe,
        *,
        cancel: threading.Event,
        on_progress: Callable[[Progress], None],
    ) -> ProbeOutcome:
        """Probe a stream over one connection."""


@dataclass(frozen=True)
class Retry:
    """The end of a try whose verdict may still change: the next one follows after ``delay`` seconds."""

    delay: float
    why: str
    tries: Tries


@dataclass(frozen=True)
class Check:
    """The check of one stream.

    :param settings: the settings for this stream, see :meth:`~streamflow.checking.subject.Subject.settings`.
    :param radio: a channel of the stream is radio, so that no video is expected.
    """

    subject: Subject
    settings: Config
    slates: SlateMemory
    progress: udi.Progress
    results: ResultSink
    radio: bool = False
    prober: Prober = probe

    @property
    def expected_seconds(self) -> float:
        """Return the time from the grant of a slot to its release, for a healthy stream."""
        settings = self.settings.probe
        return min(settings.sample_seconds, settings.min_sample_seconds or math.inf) + OPENING_SECONDS

    def attempt(self, slot: Slot | None, tries: Tries) -> Retry | None:
        """Probe the stream once, report to the limiter, and keep the result unless another try may change it.

        :param slot: the slot held for the connection; None without a limiter.
        :param tries: the tries before this one.
        :returns: the next try, with the slot still held; None when the result is kept and the slot released.
        :raises Exception: the limiter's error when the slot was lost.
        """
        stream = self.subject.stream
        known = self._known_result(tries) or (self.results.recent(stream) if stream and not tries.attempts else None)
        if stream is None or known:
            self._end_unprobed(slot, known or self.subject.vanished())
            return None
        try:
            url = url_for(stream, self.subject.account, slot.lease.budget_id if slot else None)
        except UnusablePattern as error:
            self._end_unprobed(slot, self.subject.undecided("unknown", "internal_error", str(error)))
            return None
        address = address_class(stream.url or "", by_proxy=self.settings.probe.proxy is not None)
        outcome = self._probed(stream, url, slot)
        done = tries.after(outcome, address)
        delay = pause_before_next(outcome, done, self.settings.probe)
        if delay is not None and outcome.result.verdict == "dead" and self.results.is_long_dead(stream):
            delay = None
        decision = "the verdict stands" if delay is None else f"tried again in {delay:.0f} s, as the verdict may change"
        log.info("try %d of %r, %s: %s\n%s", done.attempts, self.subject.label, address, decision, report(outcome))
        if slot:
            slot.check()
            retry_after = delay or self.settings.probe.retry_delay
            feedback.report(slot, outcome, was_suspicious=tries.suspicious, retry_after=retry_after)
        if delay is not None:
            self.results.suspect(outcome.result)
            return Retry(delay, f"{outcome.result.reason}: {outcome.result.detail}", done)
        if slot:
            # The connection is closed: the work that follows must not hold up the next check.
            feedback.release(slot, outcome.result, adaptive=self.settings.concurrent_streams.adaptive)
        self.results.keep(self._scored(stream, outcome.result, done), outcome.thumbnail)
        return None

    def conclude_early(self, *, is_retry: bool) -> bool:
        """Keep a result that needs neither a slot nor a probe, and return whether there is one.

        :param is_retry: an earlier try may have kept the result before its process was lost.
        """
        stream_id = self.subject.stream_id
        result = self._known_result(Tries()) or (self.results.kept(stream_id) if is_retry else None)
        if result:
            self.results.keep(result)
        return result is not None

    def refuse(self, reason: str) -> None:
        """Keep the result of a check that the limiter gave no slot, by the limiter's reason."""
        self.results.keep(self.subject.refused(reason))

    def crowd_out(self) -> None:
        """Keep the result of a check without a limiter whose account has no connection to spare."""
        self.results.keep(self.subject.crowded_out())

    def _end_unprobed(self, slot: Slot | None, result: Result) -> None:
        if slot:
            slot.release(succeeded=False, starved=None)
        self.results.keep(result)

    def _known_result(self, tries: Tries) -> Result | None:
        """Return the result of a web page, or of a stream whose provider is down; None for any other stream."""
        if cause := self.results.outage(self.subject.stream_id, tries.attempts):
            result = self.subject.undecided("unknown", "source_unavailable", cause)
            return result.model_copy(update={"extra": tries.evidence | {OUTAGE: True}})
        return self.subject.not_probeable()

    def _probed(self, stream: Stream, url: str, slot: Slot | None) -> ProbeOutcome:
        account, lease = self.subject.account, slot.lease if slot else None
        connections = lease.usage.connections if lease else 0
        is_full = lease is not None and connections > 1 and 0 < lease.budget_limit <= connections
        target = ProbeTarget(
            url=url,
            name=stream.name,
            account_id=stream.account_id,
            stream_id=stream.id,
            user_agent=account.user_agent if account else None,
            radio=self.radio,
            # A refusal, or a still picture, may then mean one connection too many.
            account_busy=connections > 1,
            account_full=is_full,
            known_slates=self.slates.known(stream.account_id) if is_full else (),
            known=self.results.last_good(stream),
            source_host=account.server_host if account else "",
            allowed_networks=self.settings.network.allow,
        )
        cancel = slot.lost if slot else threading.Event()
        try:
            outcome = self.prober(target, self.settings.probe, cancel=cancel, on_progress=self._show)
        finally:
            self._show(None)
        if outcome.slate and slot and not is_full:
            self.slates.learn(stream.account_id, outcome.slate)
        return outcome

    def _show(self, progress: Progress | None) -> None:
        try:
            self.progress.publish(self.subject.stream_id, asdict(progress) if progress else None)
        except UdiUnavailable as error:
            log.warning("progress is not shown: %s", error)

    def _scored(self, stream: Stream, result: Result, tries: Tries) -> Result:
        """Return the result with its score and its class of address or, after several tries, the findings of each."""
        account = self.subject.account
        each = list(tries.tries)
        findings = {"tries": each} if tries.attempts > 1 else {"address": each[-1]["address"]}
        return result.model_copy(
            update={
                # The URL of a further login differs; the stream is known by its own.
                "url_hash": stream.url_hash,
                "attempts": tries.attempts,
                "score": score(result, self.settings.scoring, account.name if account else None),
                "extra": result.extra | findings,
            }
        )
