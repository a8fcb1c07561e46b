"""The standing of a stream: its last verdict, its score by that and by its history, and its failures in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from streamflow.config import Config
from streamflow.records import DECIDED, WORKING, DeadMemory, Result
from streamflow.scoring import reliable_score, score
from streamflow.udi.ports import Store

# The past results of a stream that its standing depends on: a month of nights.
HISTORY = 30


@dataclass(frozen=True)
class Standing:
    """One stream as the order of its channels sees it.

    :param result: the last result with a verdict that decides something; None if there is none.
    :param score: the score of that result, lowered by the failures in the stored history.
    :param memory: the failures in a row, and the channels that the stream was removed from.
    """

    result: Result | None
    score: float | None
    memory: DeadMemory

    @property
    def is_dead(self) -> bool:
        """Whether the last decided check found the stream dead."""
        return self.result is not None and self.result.verdict == "dead"

    @property
    def is_working(self) -> bool:
        """Whether the last decided check found a stream that can be watched."""
        return self.result is not None and self.result.verdict in WORKING

    @property
    def summary(self) -> str:
        """The standing in a few words, for the reason of a move."""
        if self.result is None:
            return "not decided yet"
        if self.is_dead:
            times = f", {self.memory.failures} times in a row" if self.memory.failures > 1 else ""
            return f"dead: {self.result.reason}{times}"
        reason = f", {self.result.reason}" if self.result.reason else ""
        return f"score {self.score:.3f}{reason}"


def standings(store: Store, stream_ids: Sequence[int], settings: Config) -> dict[int, Standing]:
    """Return the standing of each stream by its stored results.

    :raises UdiUnavailable: the store cannot be read.
    """
    latest, memories = store.results.latest_of(stream_ids), store.results.dead_memory(stream_ids)
    accounts = {account.id: account.name for account in store.library.accounts()}
    found = {}
    for stream_id in stream_ids:
        memory = memories.get(stream_id, DeadMemory())
        history = store.results.history(stream_id, HISTORY) if stream_id in latest else []
        decided = next((past for past in history if past.verdict in DECIDED), None)
        if decided is None:
            found[stream_id] = Standing(None, None, memory)
            continue
        account = accounts.get(decided.account_id) if decided.account_id is not None else None
        points = reliable_score(score(decided, settings.scoring, account) or 0.0, history, settings.scoring)
        found[stream_id] = Standing(decided, points, remembered(memory, history))
    return found


def remembered(memory: DeadMemory, history: Sequence[Result]) -> DeadMemory:
    """Return the memory after the results of a history, newest first.

    The failures are counted from the history, so that reading the same result twice counts it once. The history is
    bounded: failures from before its oldest result stay in the memory.
    """
    decided = [past for past in history if past.verdict in DECIDED]
    failed = list(takewhile(lambda past: past.verdict == "dead", decided))
    alive_at = decided[len(failed)].checked_at if len(failed) < len(decided) else None
    last_alive = max(filter(None, (alive_at, memory.last_alive)), default=None)
    if not failed:
        return memory.model_copy(update={"failures": 0, "first_dead": None, "last_alive": last_alive})
    earlier = memory.first_dead if memory.failures and alive_at is None else None
    first_dead = min(filter(None, (failed[-1].checked_at, earlier)))
    failures = max(len(failed), memory.failures if earlier else 0)
    return memory.model_copy(update={"failures": failures, "first_dead": first_dead, "last_alive": last_alive})
