"""A check with a slot, a memory and a probe in memory: neither Airflow nor Redis runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from streamflow.checking.check import Check
from streamflow.checking.circuit import failure
from streamflow.checking.subject import Subject
from streamflow.checking.tries import Tries
from streamflow.config import Config
from streamflow.errors import UdiUnavailable
from streamflow.probing import ProbeOutcome, ProbeTarget, Progress
from streamflow.probing.target import KnownFigures
from streamflow.records import Account, Profile, Result, Stream, Verdict
from support.library import result, stream

ACCOUNT = Account(id=1, name="one", budget="login", user_agent="Agent/1")
SLATE = b"a still picture"


class Lost(Exception):
    """The limiter's error for a lost slot."""


@dataclass
class Usage:
    connections: int = 1


@dataclass
class Lease:
    budget_id: str = "login"
    budget_limit: int = 2
    usage: Usage = field(default_factory=Usage)


class Slot:
    """A slot that notes the reports about its account."""

    def __init__(self, lease: Lease | None = None) -> None:
        self.lease = lease or Lease()
        self.lost = threading.Event()
        self.reports: list[tuple[Any, ...]] = []

    def check(self) -> None:
        if self.lost.is_set():
            raise Lost

    def report_busy(self, *, retry_after: float) -> int | None:
        self.reports.append(("busy", retry_after))
        return None

    def suspect_busy(self, *, retry_after: float) -> int | None:
        self.reports.append(("suspected", retry_after))
        return None

    def settle_suspicion(self, *, right: bool) -> int | None:
        self.reports.append(("settled", right))
        return None

    def release(self, *, succeeded: bool, starved: bool | None) -> None:
        self.reports.append(("released", succeeded, starved))


@dataclass
class Bench:
    """The parts around a check, and a probe that returns a prepared outcome."""

    outcome: ProbeOutcome
    slates: dict[int | None, tuple[bytes, ...]] = field(default_factory=dict)
    shown: list[dict[str, Any] | None] = field(default_factory=list)
    results: list[tuple[Result, bytes | None]] = field(default_factory=list)
    target: ProbeTarget | None = None
    udi_is_away: bool = False
    known_result: Result | None = None
    figures: KnownFigures | None = None
    kept_result: Result | None = None
    cause: str = ""
    long_dead: bool = False
    suspected: list[Result] = field(default_factory=list)

    def known(self, account_id: int | None) -> tuple[bytes, ...]:
        return self.slates.get(account_id, ())

    def learn(self, account_id: int | None, slate: bytes) -> None:
        self.slates[account_id] = (*self.known(account_id), slate)

    def publish(self, stream_id: int, state: Any) -> None:
        if self.udi_is_away:
            raise UdiUnavailable("away")
        self.shown.append(state)

    def outage(self, stream_id: int, attempts: int) -> str:
        return self.cause

    def suspect(self, result: Result) -> None:
        self.suspected.append(result)

    def kept(self, stream_id: int) -> Result | None:
        return self.kept_result

    def recent(self, stream: Stream) -> Result | None:
        return self.known_result

    def last_good(self, stream: Stream) -> KnownFigures | None:
        return self.figures

    def is_long_dead(self, stream: Stream) -> bool:
        return self.long_dead

    def keep(self, result: Result, thumbnail: bytes | None = None) -> None:
        self.results.append((result, thumbnail))

    def probe(self, target: ProbeTarget, settings: Any, *, cancel: threading.Event, on_progress: Any) -> ProbeOutcome:
        self.target = target
        on_progress(Progress(0.5, 1000, None, None, "measuring"))
        return self.outcome

    def check(self, *, account: Account | None = ACCOUNT, of: Stream | None = None, **options: Any) -> Check:
        subject = Subject(1, of or stream(1), account)
        settings = options.pop("settings", Config())
        return Check(subject, settings, self, self, self, prober=self.probe, **options)


def bench(verdict: Verdict = "ok", reason: str | None = None, **fields: Any) -> Bench:
    return Bench(ProbeOutcome(result(1, verdict, reason=reason), **fields))


def test_a_working_stream_is_kept_with_its_score_after_the_slot_is_released() -> None:
    around, slot = bench(thumbnail=b"jpeg"), Slot()
    assert around.check().attempt(slot, Tries()) is None
    ((kept, thumbnail),) = around.results
    assert (kept.verdict, kept.attempts, thumbnail) == ("ok", 1, b"jpeg")
    assert kept.score
    assert slot.reports == [("released", True, None)]


def test_a_stream_that_may_recover_is_tried_again_and_its_last_result_shows_each_try() -> None:
    around, slot = bench("dead", "http_5xx", retryable=True), Slot()
    tries, pauses = Tries(), []
    while retry := around.check().attempt(slot, tries):
        pauses.append(retry.delay)
        tries = Tries.model_validate(retry.tries.state)
    assert pauses == [10, 10]
    ((kept, _),) = around.results
    assert (kept.attempts, [one["reason"] for one in kept.extra["tries"]]) == (3, ["http_5xx"] * 3)
    assert slot.reports == [("released", False, None)]


@pytest.mark.parametrize(
    ("verdict", "reason", "again"), [("dead", "http_5xx", False), ("unknown", "provider_busy", True)]
)
def test_a_long_dead_stream_costs_one_try(verdict: Verdict, reason: str, again: bool) -> None:
    around = bench(verdict, reason, retryable=True)
    around.long_dead = True
    assert bool(around.check().attempt(Slot(), Tries())) is again
    assert len(around.results) == (not again)


def test_a_refusal_is_reported_with_the_pause_that_the_provider_asks_for() -> None:
    slot = Slot()
    retry = bench("unknown", "provider_busy", retry_after=42).check().attempt(slot, Tries())
    assert retry and (retry.delay, retry.why) == (42, "provider_busy: None")
    assert slot.reports == [("busy", 42)]


@pytest.mark.parametrize(("slate", "right"), [(None, True), (SLATE, False)])
def test_the_next_try_settles_a_suspicion(slate: bytes | None, right: bool) -> None:
    slot = Slot()
    suspicious = bench("unknown", "provider_busy", slate=SLATE).check().attempt(slot, Tries())
    assert suspicious and slot.reports == [("suspected", 10)]
    around = bench("ok" if right else "degraded", None if right else "frozen_video", slate=slate)
    assert around.check().attempt(slot, suspicious.tries) is None
    assert slot.reports[1:] == [("settled", right), ("released", True, None)]


@pytest.mark.parametrize(
    ("connections", "limit", "busy", "full"),
    [(1, 1, False, False), (2, 3, True, False), (2, 2, True, True), (3, 2, True, True), (5, 0, True, False)],
)
def test_the_use_of_the_login_decides_whether_a_refusal_is_likely(
    connections: int, limit: int, busy: bool, full: bool
) -> None:
    around = bench()
    around.slates[1] = (SLATE,)
    around.check().attempt(Slot(Lease(budget_limit=limit, usage=Usage(connections))), Tries())
    target = around.target
    assert target and (target.account_busy, target.account_full) == (busy, full)
    assert target.known_slates == ((SLATE,) if full else ())


@pytest.mark.parametrize(("connections", "learned"), [(1, (SLATE,)), (2, ())])
def test_a_slate_is_learned_while_connections_are_to_spare(connections: int, learned: tuple[bytes, ...]) -> None:
    around = bench("degraded", "frozen_video", slate=SLATE)
    around.check().attempt(Slot(Lease(usage=Usage(connections))), Tries())
    assert around.known(1) == learned


def test_the_url_is_that_of_the_login_whose_slot_is_held() -> None:
    further = Profile(id=11, search_pattern="/u/p/", replace_pattern="/other/word/")
    account = ACCOUNT.model_copy(update={"profiles": (Profile(id=10, is_default=True), further)})
    around = bench()
    around.check(account=account, radio=True).attempt(Slot(Lease(budget_id="profile-11")), Tries())
    target = around.target
    assert target and target.url.endswith("/live/other/word/1.ts")
    assert (target.user_agent, target.radio) == ("Agent/1", True)
    assert around.results[0][0].url_hash == stream(1).url_hash


def test_a_pattern_that_cannot_rewrite_the_url_ends_the_check_undecided() -> None:
    further = Profile(id=11, name="second", search_pattern="(?=u)", replace_pattern="x")
    account = ACCOUNT.model_copy(update={"profiles": (further,)})
    around, slot = bench(), Slot(Lease(budget_id="profile-11"))
    assert around.check(account=account).attempt(slot, Tries()) is None
    kept = around.results[0][0]
    assert (kept.verdict, kept.reason) == ("unknown", "internal_error")
    assert kept.detail and "the profile second cannot be used" in kept.detail
    assert (around.target, slot.reports) == (None, [("released", False, None)])


def test_a_check_without_a_limiter_needs_no_slot() -> None:
    around = bench("degraded", "frozen_video", slate=SLATE)
    assert around.check().attempt(None, Tries()) is None
    assert around.target and not around.target.account_busy
    assert around.slates == {}


def test_a_lost_slot_ends_the_check_without_a_result() -> None:
    around, slot = bench(), Slot()
    slot.lost.set()
    with pytest.raises(Lost):
        around.check().attempt(slot, Tries())
    assert (around.results, slot.reports) == ([], [])


def test_progress_is_shown_and_ended_and_does_not_need_the_udi() -> None:
    around = bench()
    around.check().attempt(Slot(), Tries())
    assert [state and state["phase"] for state in around.shown] == ["measuring", None]
    around.udi_is_away = True
    assert around.check().attempt(Slot(), Tries()) is None


def test_starvation_is_reported_where_the_limit_follows_the_line() -> None:
    slow = Bench(ProbeOutcome(result(1, extra={"real_time_share": 0.5, "stall_s": 3.0})))
    settings, slot = Config.model_validate({"concurrent_streams": {"adaptive": True}}), Slot()
    slow.check(settings=settings).attempt(slot, Tries())
    assert slot.reports == [("released", True, True)]


def test_a_stream_that_left_the_library_is_not_probed() -> None:
    around = bench()
    check = Check(Subject(1), Config(), around, around, around, prober=around.probe)
    assert check.attempt(Slot(), Tries()) is None
    assert [(kept.verdict, kept.reason) for kept, _ in around.results] == [("unknown", "source_unavailable")]
    assert around.target is None


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [("inactive", ("skipped", "account_inactive")), ("closed", ("unknown", "limiter_unavailable"))],
)
def test_a_check_without_a_slot_keeps_the_reason(reason: str, verdict: tuple[str, str]) -> None:
    around = bench()
    around.check().refuse(reason)
    around.check().crowd_out()
    assert [(kept.verdict, kept.reason) for kept, _ in around.results] == [verdict, ("unknown", "slot_timeout")]


@pytest.mark.parametrize(
    ("settings", "seconds"), [({}, 5.2), ({"min_sample_seconds": None}, 11), ({"sample_seconds": 3}, 4)]
)
def test_a_slot_is_expected_to_be_held_for_a_healthy_sample(settings: dict[str, Any], seconds: float) -> None:
    check = bench().check(settings=Config.model_validate({"probe": settings}))
    assert check.expected_seconds == pytest.approx(seconds)


def test_the_probe_learns_the_figures_of_the_last_good_check() -> None:
    around = bench()
    around.figures = KnownFigures("h264", 1920, 1080, 25.0, 4000.0, ("aac",))
    around.check().attempt(None, Tries())
    assert around.target is not None
    assert around.target.known == around.figures


def test_the_fresh_result_of_another_run_is_taken_over_without_a_probe() -> None:
    around, slot = bench(), Slot()
    around.known_result = result(1, run_id="another")
    assert around.check().attempt(slot, Tries()) is None
    assert (around.results, around.target) == ([(around.known_result, None)], None)
    assert slot.reports == [("released", False, None)]


@pytest.mark.parametrize(("is_retry", "concluded"), [(True, True), (False, False)])
def test_a_retry_keeps_the_result_of_the_try_that_was_lost(is_retry: bool, concluded: bool) -> None:
    around = bench()
    around.kept_result = result(1)
    assert around.check().conclude_early(is_retry=is_retry) is concluded
    assert len(around.results) == concluded


@pytest.mark.parametrize(("outage", "reason"), [("it is down", "source_unavailable"), ("", "not_probeable")])
def test_a_stream_that_must_not_be_opened_is_concluded_early_and_with_a_slot_too(outage: str, reason: str) -> None:
    around, slot = bench(), Slot()
    around.cause = outage
    check = around.check(of=stream(1, is_page=not outage))
    assert check.conclude_early(is_retry=False)
    assert check.attempt(slot, Tries()) is None
    assert [kept.reason for kept, _ in around.results] == [reason] * 2
    assert (around.target, slot.reports) == (None, [("released", False, None)])


def test_a_try_that_failed_is_evidence_before_the_next_one() -> None:
    around, slot = bench("dead", "connect_timeout", retryable=True), Slot()
    retry = around.check().attempt(slot, Tries())
    assert retry
    assert [one.reason for one in around.suspected] == ["connect_timeout"]
    around.cause = "the provider is down"
    assert around.check().attempt(slot, retry.tries) is None
    ((kept, _),) = around.results
    assert (kept.verdict, kept.reason, failure(kept)) == ("unknown", "source_unavailable", "connect_timeout")


def test_a_check_that_has_begun_takes_over_no_result() -> None:
    around = bench()
    around.known_result = result(1, run_id="another")
    around.check().attempt(Slot(), Tries(attempts=1))
    assert around.target


def test_the_subject_is_labelled_with_its_account() -> None:
    assert Subject(1, stream(1), ACCOUNT).label == "stream 1 · one"
    assert Subject(7).label == "stream 7"


def test_the_settings_of_the_account_hold_and_the_run_may_have_a_sample_of_its_own() -> None:
    own = {"probe": {"by_account": {"one": {"sample_seconds": 5, "retries": 7}}}}
    settings, subject = Config.model_validate(own), Subject(1, stream(1), ACCOUNT)
    probes = [subject.settings(settings, seconds).probe for seconds in (None, 3)]
    assert [(one.sample_seconds, one.min_sample_seconds) for one in probes] == [(5, 4.2), (3, None)]
    assert subject.settings(settings, 3).probe.retries == 7
    assert Subject(2).settings(settings, None).probe == settings.probe
