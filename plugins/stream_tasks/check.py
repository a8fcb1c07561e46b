"""The check of one stream as a task: it waits for a slot, tries again later, and is named in Airflow's UI."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from account_limiter import Holder, LeaseLost, Limiter, LimiterOutdated, LimiterUnavailable
from account_limiter.airflow.connection import watching
from account_limiter.airflow.operator import SlotOperator, SlotWork, State, TryAgain, request_of
from stream_tasks import limits, metrics, priority
from stream_tasks.absence import Absence
from stream_tasks.finish import run_results
from stream_tasks.plan import is_closed, window_of
from stream_tasks.resources import Resources
from streamflow import config, homes
from streamflow.checking.check import Check
from streamflow.checking.slates import RedisSlates
from streamflow.checking.subject import Subject
from streamflow.checking.tries import Tries
from streamflow.records.text import cut

log = logging.getLogger(__name__)

# The length of Airflow's column ``rendered_map_index``.
LABEL_LENGTH = 250
# Pause between two looks for Redis before a check without a slot.
AWAY_POLL_SECONDS = 1.0
# A concurrent check waits this long for Redis to return, without a worker, before it is left to be checked alone.
PATIENCE_SECONDS = 120.0
PATIENCE_PAUSE_SECONDS = 5.0


def _is_retry(context: Context, retries: int) -> bool:
    """Return whether an earlier try was lost. A user who clears a task raises max_tries: its next try is none."""
    task = context["ti"]
    return task.try_number > task.max_tries - retries + 1


def _end_after_closing(context: Context) -> None:
    """End the task when the window of its run is closed; the run's task ``leftover`` stores the reason."""
    if is_closed(context["params"]):
        raise AirflowSkipException("the window of the run is closed")


def _check(opened: Resources, subject: Subject, context: Context, *, radio: bool) -> Check:
    settings = subject.settings(opened.settings, context["params"].get("sample_seconds"))
    results = run_results(opened, context, subject.login)
    return Check(subject, settings, RedisSlates(opened.redis), opened.store.progress, results, radio=radio)


class CheckStream(SlotOperator):
    """Check one stream of a run.

    :param stream_id: the stream; the worker that opens it reads its URL from the UDI.
    :param radio: a channel of the stream is radio, so that no video is expected.
    :param sequential: may check without a slot while Redis is away: its pool runs one check at a time.
    """

    def __init__(self, *, stream_id: int, radio: bool = False, sequential: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stream_id = stream_id
        self.radio = radio
        self.sequential = sequential
        self._prepared: Check | None = None
        # The tries of a check that has no slot now.
        self._state: State = {}
        # The time since which a concurrent check waits for Redis to return.
        self._away_since: float | None = None

    @cached_property
    def opened(self) -> Resources:
        """Open the task's resources at their first use."""
        return Resources.open()

    @cached_property
    def subject(self) -> Subject:
        """Return the stream and its account; the label needs them before the task runs."""
        return Subject.load(self.opened.store.library, self.stream_id)

    @property
    def stream_label(self) -> str:
        """Return the name of the mapped task in Airflow's UI, for its ``map_index_template``."""
        return cut(self.subject.label, LABEL_LENGTH)

    def execute(self, context: Context) -> Any:
        """Check the stream. A retry keeps the result of a try that was lost after it had one."""
        is_retry = _is_retry(context, self.retries or 0)
        _end_after_closing(context)
        return None if self._check(context).conclude_early(is_retry=is_retry) else super().execute(context)

    def resume(self, context: Context, event: dict[str, Any], state: State | None = None) -> Any:
        """Continue after the wait for a slot, unless the window has closed meanwhile."""
        _end_after_closing(context)
        self._state = state or {}
        return super().resume(context, event, state)

    def slot_work(self, context: Context) -> SlotWork:
        """Return the check, and the account that it needs a slot of."""
        check, opened = self._check(context), self.opened
        return SlotWork(
            limits.limited_id(self.subject.account_id),
            partial(self._try, context, check),
            limiter=Limiter(opened.redis),
            expected_seconds=check.expected_seconds,
            priority=priority.head_start(context["run_id"]),
            yields=opened.settings.concurrent_streams.respect_viewers,
            observe=self._observe if opened.settings.concurrent_streams.respect_viewers else None,
            labels={"stream_id": self.stream_id},
            deadline=window_of(context["params"]).until,
            prepare=partial(limits.prepare, opened),
            introduce=partial(limits.configure, store=opened.store, settings=opened.settings),
            refused=check.refuse,
            without_limiter=partial(self._without_limiter, context),
        )

    def try_again(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002
        state: State | None = None,
        since: float | None = None,
    ) -> Any:
        """Continue a check that has no slot: with one if Redis is back.

        :param since: the time since which a concurrent check waits for Redis.
        """
        _end_after_closing(context)
        self._state, self._away_since = state or {}, since
        return self._attempt(context, self.slot_work(context), rank="", state=self._state)

    def _check_alone(self, context: Context) -> Any:
        """Check without Redis: no other check runs, so that viewers alone can fill the account.

        Redis may return at any time. The check's slot is registered at once then, and the check ends without one.
        """
        check = self._check(context)
        if self.subject.account and limits.viewers_fill(self.subject.account):
            return check.crowd_out()
        work = self.slot_work(context)
        lease = limits.unregistered(self.opened, self.subject.account, request_of(context, work))
        try:
            with watching(self.opened.redis) as redis, Holder(Limiter(redis), lease) as slot:
                retry = check.attempt(slot, Tries.model_validate(self._state))
        except LeaseLost as lost:
            self.log.warning("%s; the check waits for a slot", lost)
            return self._attempt(context, work, rank="", state=self._state)
        if retry:
            moment = DateTimeTrigger(datetime.now(UTC) + timedelta(seconds=retry.delay))
            self.defer(trigger=moment, method_name="try_again", kwargs={"state": retry.tries.state})
        return None

    def _observe(self) -> None:
        limits.refresh_viewers(self.opened.redis, self.opened.store, self.opened.settings, waits=False)

    def _is_away(self) -> bool:
        """Wait until Redis is back, or has been away for so long that no holder of a lease can be alive.

        :returns: whether Redis is away.
        """
        absence, ttl = Absence(config.home()), self.opened.settings.concurrent_streams.lease_ttl
        with watching(self.opened.redis) as redis:
            while (away := absence.note()) < ttl:
                try:
                    Limiter(redis).tick()
                except LimiterUnavailable:
                    time.sleep(min(AWAY_POLL_SECONDS, ttl - away))
                else:
                    absence.end()
                    return False
        return True

    def _try(self, context: Context, check: Check, slot: Holder, state: State) -> None:
        if not state:
            started = context["ti"].start_date
            metrics.admitted(started)
            waited = (datetime.now(UTC) - started).total_seconds() if started else 0.0
            account = self.subject.account.name if self.subject.account else "no account"
            log.info("slot of %r after a wait of %.1f s", account, waited)
        if pause := self._pause(context):
            raise TryAgain(pause, "as many people watch as pause the run", state)
        if retry := check.attempt(slot, Tries.model_validate(state)):
            raise TryAgain(retry.delay, retry.why, retry.tries.state)

    def _pause(self, context: Context) -> float:
        """Return the seconds for which viewers pause this check."""
        window = window_of(context["params"])
        if window.viewers_below is None:
            return 0.0
        store, run_id = self.opened.store, context["run_id"]
        return window.pause(limits.viewers_now(self.opened.redis), len(store.runs.unsettled_streams(run_id)))

    def _without_limiter(self, context: Context, error: LimiterUnavailable) -> Any:
        if isinstance(error, LimiterOutdated):
            # The checks of the newer version run beside this one.
            raise error
        if not self.sequential:
            self._await_redis(error)
            log.warning("left to be checked one after another: %s", error)
            return None
        if homes.has_others(config.home()):
            # This machine alone may have lost its connection to Redis, while checks on others hold slots.
            raise error
        if self._is_away():
            return self._check_alone(context)
        return self.try_again(context, state=self._state)

    def _await_redis(self, error: LimiterUnavailable) -> None:
        """Defer the task for a moment, unless Redis has been away for too long: most absences are short."""
        now = time.time()
        since = self._away_since or now
        if now - since < PATIENCE_SECONDS:
            log.warning("waits for Redis, for %.0f s so far: %s", now - since, error)
            moment = DateTimeTrigger(datetime.now(UTC) + timedelta(seconds=PATIENCE_PAUSE_SECONDS))
            self.defer(trigger=moment, method_name="try_again", kwargs={"since": since, "state": self._state})

    def _check(self, context: Context) -> Check:
        """Return the check, the same one in the whole process: it may have claimed the probe behind an open circuit."""
        self._prepared = self._prepared or _check(self.opened, self.subject, context, radio=self.radio)
        return self._prepared
