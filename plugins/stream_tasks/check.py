"""The check of one stream: slot, probe, verdict, result, and the channel's finish when it was the last of it."""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import Context
from redis import Redis

from account_limiter import BudgetState, Holder, Limiter, LimiterOutdated, LimiterUnavailable, connect
from account_limiter.airflow.operator import SlotOperator, SlotWork, State, TryAgain
from stream_tasks import metrics, rooms, slates
from stream_tasks.finish import finish_ready
from stream_tasks.limits import NO_ACCOUNT, adapt, push_limits, refresh_viewers, viewers_fill
from stream_tasks.logins import url_for
from stream_tasks.tries import decide, undecided
from streamflow import config, thumbnails
from streamflow.config import Config
from streamflow.errors import UdiUnavailable
from streamflow.probing import ProbeOutcome, ProbeTarget, probe
from streamflow.probing.judgement.label import says_radio
from streamflow.records import Account, Result, Stream
from streamflow.scoring import score
from streamflow.udi import Udi

log = logging.getLogger(__name__)

# Between the grant of a slot and its end, a check takes this much longer than its sample.
OPENING_SECONDS = 1.0
# A stream with one of these verdicts was served: its connection was not one too many.
WORKING = ("ok", "degraded")

# Below this share of real time the connection does not keep up.
REAL_TIME = 0.9


def starves(result: Result) -> bool | None:
    """Whether a stream came slower than it plays, so that its player had to wait; None where that was not measured."""
    share, stalled = result.extra.get("real_time_share"), result.extra.get("stall_s")
    return None if share is None else share < REAL_TIME and bool(stalled)


def is_suspicious(outcome: ProbeOutcome) -> bool:
    """Whether a still picture may be the provider's word for one connection too many: another try will tell."""
    return outcome.result.reason == "provider_busy" and outcome.slate is not None


def teach(holder: Holder, outcome: ProbeOutcome, state: State, *, retry_after: float) -> None:
    """Let the limiter know what a probe, and the try before it, tell of how many connections the account allows."""
    if is_suspicious(outcome):
        holder.suspect_busy(retry_after=retry_after)
    elif outcome.result.reason == "provider_busy":
        holder.report_busy(retry_after=retry_after)
    elif state.get("suspicious") and outcome.result.verdict in WORKING:
        holder.settle_suspicion(right=outcome.slate is None)


class CheckStream(SlotOperator):
    """Checks one stream of the run.

    :param stream_id: the stream; its URL is read from the UDI by the worker that opens it.
    :param sequential: may check without a slot when Redis is away: its pool lets one check run at a time.
    """

    def __init__(self, *, stream_id: int, sequential: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stream_id = stream_id
        self.sequential = sequential

    # -- what it works with ------------------------------------------------------------------
    @cached_property
    def redis(self) -> Redis:
        return connect()

    @cached_property
    def store(self) -> Udi:
        return rooms.udi(self.redis)

    @cached_property
    def stream(self) -> Stream | None:
        return self.store.library.stream(self.stream_id)

    @cached_property
    def account(self) -> Account | None:
        account_id = self.stream.account_id if self.stream else None
        return self.store.library.account(account_id) if account_id is not None else None

    @property
    def stream_label(self) -> str:
        """How Airflow's UI names the mapped task, by its ``map_index_template``."""
        name = self.stream.name if self.stream else f"stream {self.stream_id}"
        return f"{name} · {self.account.name}" if self.account else name

    def settings(self, context: Context) -> Config:
        """The settings as they are now, with what the run was asked for instead."""
        settings = config.load()
        seconds = context["params"].get("sample_seconds")
        if seconds is None:
            return settings
        return settings.model_copy(update={"probe": settings.probe.model_copy(update={"sample_seconds": seconds})})

    # -- the slot ----------------------------------------------------------------------------
    def slot_work(self, context: Context) -> SlotWork:
        settings = self.settings(context)
        account_id = self.stream.account_id if self.stream else None
        return SlotWork(
            NO_ACCOUNT if account_id is None else account_id,
            partial(self.check, context),
            limiter=Limiter(self.redis),
            expected_seconds=settings.probe.sample_seconds + OPENING_SECONDS,
            yields=settings.concurrent_streams.respect_viewers,
            labels={"stream_id": self.stream_id},
            prepare=partial(self.prepare, settings),
            introduce=lambda _: push_limits(self.redis, self.store, settings),
            refused=partial(self.refused, context),
            without_limiter=partial(self.without_limiter, context),
        )

    def prepare(self, settings: Config, limiter: Limiter) -> None:  # noqa: ARG002
        """Let the limiter know who is watching and how busy this machine is. Raises LimiterUnavailable."""
        refresh_viewers(self.redis, self.store, settings)
        adapt(self.redis, settings)

    def execute(self, context: Context) -> Any:
        if known := self.known_from_before(context):
            return self.settle(context, known)
        return super().execute(context)

    def known_from_before(self, context: Context) -> Result | None:
        """The run's result that an earlier try kept before it was lost. A task that a user has cleared checks anew."""
        task = context["ti"]
        if task.try_number <= task.max_tries - (self.retries or 0) + 1:
            return None
        latest = self.store.results.latest(self.stream_id)
        return latest if latest and latest.run_id == context["run_id"] else None

    def refused(self, context: Context, reason: str) -> Any:
        if reason == "inactive":
            result = undecided(self.stream_id, self.stream, "skipped", "account_inactive", "its account is inactive")
        else:
            result = undecided(self.stream_id, self.stream, "unknown", "limiter_unavailable", f"no slot: {reason}")
        self.settle(context, result)

    def without_limiter(self, context: Context, error: LimiterUnavailable) -> Any:
        """One after another needs no limiter; a concurrent check is left to be done so.

        Raises LimiterOutdated: beside the newer version's checks this would not be the only one.
        """
        if isinstance(error, LimiterOutdated):
            raise error
        if self.sequential:
            self.check_alone(context, None, {})
        else:
            log.warning("left to be checked one after another: %s", error)

    def check_alone(self, context: Context, event: Any, state: State) -> None:  # noqa: ARG002
        """Check without a limiter: this is the only check, so that viewers alone can fill the account."""
        if self.account and viewers_fill(self.account):
            full = "viewers use all connections of its account"
            self.settle(context, undecided(self.stream_id, self.stream, "unknown", "slot_timeout", full))
            return
        try:
            self.check(context, None, state)
        except TryAgain as again:
            moment = datetime.now(UTC) + timedelta(seconds=again.delay)
            self.defer(trigger=DateTimeTrigger(moment), method_name="check_alone", kwargs={"state": again.state})

    def check(self, context: Context, holder: Holder | None, state: State) -> None:
        """Probe the stream and keep its result. Raises LeaseLost, or TryAgain while its verdict may still change."""
        stream, settings = self.stream, self.settings(context)
        if stream is None:
            vanished = undecided(self.stream_id, None, "unknown", "source_unavailable", "the UDI holds it no more")
            self.settle(context, vanished)
            return
        if holder and not state:
            metrics.admitted(context["ti"].start_date)
        outcome = self.probed(stream, settings, holder)
        if holder:
            holder.check()
        delay, seen = decide(outcome, state, settings.probe)
        if holder:
            teach(holder, outcome, state, retry_after=delay or settings.probe.retry_delay)
        if delay is not None:
            seen |= {"suspicious": is_suspicious(outcome)}
            raise TryAgain(delay, f"{outcome.result.reason}: {outcome.result.detail}", seen)
        if holder:
            # The connection is closed: what follows must not keep the next check from its slot.
            starved = starves(outcome.result) if settings.concurrent_streams.adaptive else None
            holder.release(succeeded=outcome.result.verdict in WORKING, starved=starved)
        name = self.account.name if self.account else None
        result = outcome.result.model_copy(
            update={
                "run_id": context["run_id"],
                "attempts": seen["attempts"],
                "score": score(outcome.result, settings.scoring, name),
                "extra": outcome.result.extra | ({"tries": seen["tries"]} if seen["attempts"] > 1 else {}),
            }
        )
        if outcome.thumbnail:
            thumbnails.save(config.home(), stream.id, outcome.thumbnail)
        self.settle(context, result)

    def probed(self, stream: Stream, settings: Config, holder: Holder | None) -> ProbeOutcome:
        """One probe, its progress published, stopped when the lease is lost."""
        login = holder.lease.budget_id if holder else None
        budget = self.budget(login)
        in_use = budget.active + budget.viewers if budget else 0
        is_full = budget is not None and in_use > 1 and 0 < budget.limit <= in_use
        target = ProbeTarget(
            url=url_for(stream, self.account, login),
            name=stream.name,
            account_id=stream.account_id,
            stream_id=stream.id,
            user_agent=self.account.user_agent if self.account else None,
            radio=self.is_radio(),
            # A refusal, or a still picture, may then mean one connection too many.
            account_busy=in_use > 1,
            account_full=is_full,
            known_slates=slates.known(self.redis, stream.account_id) if is_full else (),
        )
        try:
            cancel = holder.lost if holder else threading.Event()
            asked = settings.probe.for_account(stream.account_id, self.account.name if self.account else None)
            outcome = probe(target, asked, cancel=cancel, on_progress=lambda now: self.tell(asdict(now)))
        finally:
            self.tell(None)
        if outcome.slate and budget and not is_full:
            slates.learn(self.redis, stream.account_id, outcome.slate)
        return outcome

    def tell(self, progress: dict[str, Any] | None) -> None:
        """Show how far the probe is; a check does not fail because nobody can be told."""
        try:
            self.store.progress.publish(self.stream_id, progress)
        except UdiUnavailable as error:
            log.warning("progress is not shown: %s", error)

    def budget(self, budget_id: str | None) -> BudgetState | None:
        """How a login is used now."""
        known = Limiter(self.redis).snapshot().budgets if budget_id else ()
        return next((one for one in known if one.budget_id == budget_id), None)

    def is_radio(self) -> bool:
        """Whether a channel of the stream, or its group, says that it is radio: no video is asked of it then."""
        channels = self.store.library.channels(self.store.library.channels_of_stream(self.stream_id))
        if any(says_radio(channel.name) for channel in channels):
            return True
        groups = {channel.group_id for channel in channels}
        return any(says_radio(group.name) for group in self.store.library.groups() if group.id in groups)

    def settle(self, context: Context, result: Result) -> None:
        """Keep the result, and finish the channels that waited for no other."""
        run_id = context["run_id"]
        log.info("%s: %s%s", self.stream_label, result.verdict, f", {result.reason}" if result.reason else "")
        channels = self.store.runs.settle(run_id, result.model_copy(update={"run_id": run_id}))
        metrics.checked(result)
        finish_ready(self.store, channels, run_id, write_back=context["params"]["write_back"])
