"""Outages: a provider that is down is found during a run, and its failures are withdrawn.

While it is undecided whether a provider is down, the channels with failed streams of its logins wait. When a login's
circuit opens, the run's failures of the login become undecided, and its other streams are not probed, except one a
minute that may close the circuit again. The circuit stays open for the further runs of a chain.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from streamflow.checking import circuit, line
from streamflow.checking.circuit import Circuit
from streamflow.config import Safety
from streamflow.records import Result
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

LINE_DOWN = "the line of this machine is down: none of the canaries accepts a connection"


class Marks(Protocol):
    """The shared marks of a chain's logins: open circuits, undecided failures, and tries that failed.

    They can be derived from the results again, so that losing them costs only the probes of a few streams.
    """

    def causes(self) -> Mapping[str, str]:
        """Return the marked logins. The value is the cause of an open circuit, or empty for undecided failures."""

    def mark(self, login: str, cause: str, *, is_tried_again: bool = False) -> None:
        """Mark a login.

        :param is_tried_again: the next probe behind the open circuit may follow at once, not after a minute.
        """

    def clear(self, login: str) -> None:
        """Remove the mark of a login."""

    def claim_probe(self, login: str, claimant: str) -> bool:
        """Return whether a try may probe behind an open circuit: one a minute may, also when it asks again."""

    def suspect(self, login: str, failed: Result) -> None:
        """Store the failure of a try that another try follows."""

    def suspects(self, login: str) -> Collection[Result]:
        """Return the failed tries of a login, one for each stream."""


@dataclass(frozen=True)
class Outages:
    """The outages of one run."""

    store: Store
    marks: Marks
    safety: Safety
    run_id: str

    def bar(self, login: str, stream_id: int, attempts: int) -> str:
        """Return why a stream of a login must not be probed; empty when it may be probed.

        :param attempts: the number of the check's tries before this one.
        """
        cause = self.marks.causes().get(login, "") if login else ""
        return "" if not cause or self.marks.claim_probe(login, f"{stream_id}:{attempts}") else cause

    def suspect(self, login: str, result: Result) -> list[int]:
        """Count a failed try as evidence, so that an outage is found before its streams have used all their tries.

        :returns: the channels that can be finished now, sorted.
        """
        if not login or not circuit.failure(result):
            return []
        self.marks.suspect(login, circuit.withdrawn(result, result.detail or ""))
        judged = self._judged(login) if not self.marks.causes().get(login) else Circuit("closed")
        # The next try of one of these streams shows whether the failure lasts.
        return self._opened(login, judged, is_tried_again=True) if judged.state == "open" else []

    def settle(self, login: str, result: Result) -> list[int]:
        """Store the result of a stream.

        :param login: the login of the stream; empty for a stream without an account.
        :returns: the channels that can be finished now, sorted.
        """
        ready = self.store.runs.settle(self.run_id, result)
        if not login:
            return ready
        marks = self.marks.causes()
        if not circuit.failure(result):
            if login not in marks or not circuit.is_reached(result):
                return self._finishable(ready, marks)
            self.marks.clear(login)
            if marks[login]:
                log.warning("the provider of login %s is back", login)
            return self._finishable(self._ready(), set(marks) - {login})
        if cause := marks.get(login):
            return self._finishable(self._withdraw([result], cause) or ready, marks)
        return self._failed(login, ready, marks)

    def conclude(self) -> None:
        """Withdraw the failures that the run's checks left behind, for instance because their worker was killed."""
        for login in {account.budget for account in self.store.library.accounts()}:
            cause = self.marks.causes().get(login, "")
            judged = self._judged(login, cause=cause)
            if judged.state == "open":
                self._withdraw(judged.failed, judged.cause)

    def _failed(self, login: str, ready: list[int], marks: Mapping[str, str]) -> list[int]:
        """Judge a login after a failure, and return the channels that can be finished now."""
        judged = self._judged(login)
        match judged.state:
            case "open":
                return self._opened(login, judged)
            case "undecided":
                self.marks.mark(login, "")
                return self._finishable(ready, {*marks, login})
            case "closed":
                self.marks.clear(login)
                return self._finishable(self._ready() if login in marks else ready, set(marks) - {login})

    def _opened(self, login: str, judged: Circuit, *, is_tried_again: bool = False) -> list[int]:
        """Open the circuit of a login, and return the channels that can be finished now."""
        log.warning("the circuit of login %s opens: %s", login, judged.cause)
        # A worker that is killed in between leaves evidence that opens the circuit again.
        self._withdraw(judged.failed, judged.cause)
        self.marks.mark(login, judged.cause, is_tried_again=is_tried_again)
        return self._finishable(self._ready(), self.marks.causes())

    def _withdraw(self, failures: Iterable[Result], cause: str) -> list[int]:
        """Store failures as undecided, and return the channels that wait for no other stream."""
        ready: set[int] = set()
        for failed in failures:
            if circuit.OUTAGE not in failed.extra:
                ready.update(self.store.runs.settle(self.run_id, circuit.withdrawn(failed, cause)))
        return sorted(ready)

    def _judged(self, login: str, *, cause: str = "") -> Circuit:
        """Judge the circuit of a login by the results and the failed tries of this run.

        :param cause: the cause of a circuit that is known to be open.
        """
        accounts = [one.id for one in self.store.library.accounts() if one.budget == login]
        share = self.store.runs.share_of(self.run_id, accounts)
        if share is None:
            return Circuit("closed")
        latest = self.store.results.latest_of(share.stream_ids)
        results = {stream: one for stream, one in latest.items() if one.run_id == self.run_id}
        for suspect in self.marks.suspects(login):
            known = results.get(suspect.stream_id)
            if suspect.stream_id in share.stream_ids and (known is None or not circuit.is_evidence(known)):
                results[suspect.stream_id] = suspect
        judged = circuit.judge(results.values(), share.alive, self.safety)
        if cause and judged.failed:
            return replace(judged, state="open", cause=cause)
        if judged.failed and judged.state != "open" and not line.is_up(self.safety.canary):
            return replace(judged, state="open", cause=LINE_DOWN)
        return judged

    def _ready(self) -> list[int]:
        """Return the channels of the run whose streams are all settled, and that are not finished."""
        state = self.store.runs.state(self.run_id)
        if state is None:
            return []
        pending = {stream for stream, verdict in state.streams.items() if verdict == "pending"}
        return sorted(
            channel
            for channel, waits in state.run.waits.items()
            if channel not in state.finished_channels and pending.isdisjoint(waits)
        )

    def _finishable(self, channels: Collection[int], marked: Collection[str]) -> list[int]:
        """Return the channels without a failure of a marked login; withdrawn failures do not count."""
        if not channels or not marked:
            return sorted(channels)
        accounts = {one.id for one in self.store.library.accounts() if one.budget in marked}
        members = {one.id: one.stream_ids for one in self.store.library.channels(channels)}
        results = self.store.results.latest_of({stream for streams in members.values() for stream in streams})
        waiting = {
            stream
            for stream, one in results.items()
            if one.run_id == self.run_id
            and one.account_id in accounts
            and one.verdict == "dead"
            and circuit.failure(one)
        }
        return sorted(channel for channel in channels if waiting.isdisjoint(members.get(channel, ())))
