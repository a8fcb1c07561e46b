"""Outages: a provider that is down is found during a run, and its failures are withdrawn.

While it is undecided whether a provider is down, the channels with failed streams of its logins wait. When a login's
circuit opens, the run's failures of the login become undecided, and its other streams are not probed, except one a
minute that may close the circuit again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from streamflow.checking import circuit, line
from streamflow.config import Safety
from streamflow.records import Result, RunState
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

LINE_DOWN = "the line of this machine is down: none of the canaries accepts a connection"


class Marks(Protocol):
    """The shared marks of a run's logins: an open circuit with its cause, or failures that are undecided.

    They can be derived from the results again, so that losing them costs only the probes of a few streams.
    """

    def causes(self, run_id: str) -> Mapping[str, str]:
        """Return the marked logins. The value is the cause of an open circuit, or empty for undecided failures."""

    def mark(self, run_id: str, login: str, cause: str) -> None:
        """Mark a login."""

    def clear(self, run_id: str, login: str) -> None:
        """Remove the mark of a login."""

    def claim_probe(self, run_id: str, login: str) -> bool:
        """Return whether the caller may probe a stream behind an open circuit. One caller a minute may."""


@dataclass(frozen=True)
class Outages:
    """The outages of one run."""

    store: Store
    marks: Marks
    safety: Safety
    run_id: str

    def bar(self, login: str) -> str:
        """Return why a stream of a login must not be probed; empty when it may be probed."""
        cause = self.marks.causes(self.run_id).get(login, "") if login else ""
        return "" if not cause or self.marks.claim_probe(self.run_id, login) else cause

    def settle(self, login: str, result: Result) -> list[int]:
        """Store the result of a stream.

        :param login: the login of the stream; empty for a stream without an account.
        :returns: the channels that can be finished now, sorted.
        """
        ready = self.store.runs.settle(self.run_id, result)
        if not login:
            return ready
        if circuit.failure(result):
            return self._failed(login, ready)
        marks = self.marks.causes(self.run_id)
        if login in marks and circuit.is_reached(result):
            self.marks.clear(self.run_id, login)
            if marks[login]:
                log.warning("the provider of login %s is back", login)
            return self._finishable(self._ready(), set(marks) - {login})
        return self._finishable(ready, marks)

    def _failed(self, login: str, ready: list[int]) -> list[int]:
        """Judge a login after a failure, and return the channels that can be finished now."""
        state = self.store.runs.state(self.run_id)
        accounts = {one.id for one in self.store.library.accounts() if one.budget == login}
        if state is None or not accounts:
            return ready
        results = [one for one in self._results(state) if one.account_id in accounts]
        alive = {stream for account in accounts for stream in state.run.alive.get(account, ())}
        judged = circuit.judge(results, alive, self.safety)
        if judged.state != "open" and not line.is_up(self.safety.canary):
            judged = replace(judged, state="open", cause=LINE_DOWN)
        marks = dict(self.marks.causes(self.run_id))
        match judged.state:
            case "closed":
                self.marks.clear(self.run_id, login)
                return self._finishable(self._ready() if login in marks else ready, set(marks) - {login})
            case "undecided":
                self.marks.mark(self.run_id, login, "")
                return self._finishable(ready, {*marks, login})
            case "open":
                if not marks.get(login):
                    log.warning("the circuit of login %s opens: %s", login, judged.cause)
                self.marks.mark(self.run_id, login, judged.cause)
                for failed in judged.failed:
                    if failed.verdict == "dead":
                        self.store.runs.settle(self.run_id, circuit.withdrawn(failed, judged.cause))
                return self._finishable(self._ready(), {other for other in marks if not marks[other]} - {login})

    def _results(self, state: RunState) -> Iterable[Result]:
        settled = [stream for stream, verdict in state.streams.items() if verdict != "pending"]
        return (one for one in self.store.results.latest_of(settled).values() if one.run_id == self.run_id)

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
