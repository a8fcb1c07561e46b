"""The standing of a stream: its last verdict, its score by that and by its history, and its failures in a row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from streamflow.config import Config, Scoring
from streamflow.records import DECIDED, WORKING, Account, DeadMemory, Playback, Result
from streamflow.scoring import reliability_factor, score
from streamflow.udi.ports import Store

# The past results of a stream that its standing depends on: a month of nights.
HISTORY = 30


@dataclass(frozen=True)
class Standing:
    """One stream as the order of its channels sees it.

    :param result: the last result with a verdict that decides something; None if there is none.
    :param score: the score of that result, lowered by the failures in the stored history.
    :param memory: the failures in a row, and the channels that the stream was removed from.
    :param dead_like: the channel's policy treats the degraded stream as a dead one.
    :param account: the account of that result.
    :param reliability: the factor by which the failures lower the score.
    """

    result: Result | None
    score: float | None
    memory: DeadMemory
    dead_like: bool = False
    account: Account | None = None
    reliability: float = 1.0

    @property
    def is_dead(self) -> bool:
        """Whether the last decided check found the stream dead."""
        return self.result is not None and (self.result.verdict == "dead" or self.dead_like)

    @property
    def is_working(self) -> bool:
        """Whether the last decided check found a stream that can be watched."""
        return self.result is not None and self.result.verdict in WORKING and not self.dead_like

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


def standings(
    store: Store, stream_ids: Sequence[int], settings: Config, dead_like: Collection[str] = ()
) -> dict[int, Standing]:
    """Return the standing of each stream by its stored results.

    :param dead_like: the reasons for which degraded streams are treated as dead.
    :raises UdiUnavailable: the store cannot be read.
    """
    histories, memories = store.results.histories(stream_ids, HISTORY), store.results.dead_memory(stream_ids)
    playbacks = store.results.playbacks(stream_ids)
    accounts = {account.id: account for account in store.library.accounts()}
    found = {}
    for stream_id in stream_ids:
        memory = memories.get(stream_id, DeadMemory())
        history, played = histories.get(stream_id, ()), playbacks.get(stream_id, ())
        found[stream_id] = standing(history, memory, accounts, settings.scoring, dead_like, played)
    return found


def standing(
    history: Sequence[Result],
    memory: DeadMemory,
    accounts: Mapping[int, Account],
    scoring: Scoring,
    dead_like: Collection[str] = (),
    playbacks: Sequence[Playback] = (),
) -> Standing:
    """Return the standing of one stream by its past results, newest first, and by its playbacks."""
    decided = next((past for past in history if past.verdict in DECIDED), None)
    if decided is None:
        return Standing(None, None, memory)
    judged = [_judged(past, dead_like) for past in history]
    account = accounts.get(decided.account_id) if decided.account_id is not None else None
    is_dead_like = _is_dead_like(decided, dead_like)
    points = 0.0 if is_dead_like else score(decided, scoring, account.name if account else None) or 0.0
    factor = reliability_factor(judged, scoring, playbacks)
    return Standing(
        decided, round(points * factor, 4), remembered(memory, judged), is_dead_like, account, reliability=factor
    )


def _is_dead_like(result: Result, reasons: Collection[str]) -> bool:
    return result.verdict == "degraded" and result.reason in reasons


def _judged(result: Result, dead_like: Collection[str]) -> Result:
    """Return a result with the verdict that the channel's policy gives it."""
    return result.model_copy(update={"verdict": "dead"}) if _is_dead_like(result, dead_like) else result


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
