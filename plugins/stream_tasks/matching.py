"""The search for streams that belong to channels: providers' refresh, proposals, approval, additions."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context
from pydantic import BaseModel, Field
from redis import Redis
from redis.exceptions import RedisError

from stream_tasks import alerts, resources
from stream_tasks.question import escaped
from stream_tasks.refresh import bring_in
from streamflow import shared_settings, sources
from streamflow.config import Config
from streamflow.lineup import changes, provider_failures
from streamflow.lineup.addition import Addition
from streamflow.lineup.decisions import Pair, decide, decisions
from streamflow.lineup.plan import Plan, digest, plan, replacements
from streamflow.records import Decision
from streamflow.reports.alerts import Condition
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

ALL, SOME, NONE, LATER = "Accept all", "Accept the chosen ones, reject the others", "Reject all", "Decide later"
# The question names this number of streams; the answer may be about all of them.
MOST_NAMED = 200
# Questions that wait for an answer at the same time; further proposals wait on the page.
MOST_QUESTIONS = 8
# The longest wait for the providers.
REFRESH_PATIENCE = timedelta(minutes=15)
# The digest of the rules of the last dry search. Losing it costs one more dry search.
SEEN_KEY = "{streamflow}:matching:seen"


class Found(BaseModel):
    """What a search may change.

    ``is_dry`` lets it only propose. ``asks`` says that a person decides first.
    """

    plan: Plan = Field(default_factory=Plan)
    is_dry: bool = False
    asks: bool = False


def refresh_providers() -> dict[int, str]:
    """Refresh the providers where the settings say so, and then the UDI; return the failures by account.

    A provider that fails is reported, and keeps nothing from being matched.
    """
    with resources.redis() as redis:
        settings = shared_settings.load(redis).matching
        if not (settings.enabled and settings.refresh_providers):
            return {}
        with sources.opened(redis=redis) as source:
            if not isinstance(source, sources.ProviderRefresh):
                return {}
            failures = source.refresh_providers(timedelta(hours=settings.refresh_hours), REFRESH_PATIENCE)
        store = resources.udi(redis)
        bring_in(redis, store)
        _report(redis, store, failures)
    return failures


def _report(redis: Redis, store: Store, failures: Mapping[int, str]) -> None:
    names = {account.id: account.name for account in store.library.accounts()}
    for account, reason in failures.items():
        log.warning("the provider %s was not refreshed: %s", names.get(account, account), reason)
    provider_failures.remember(redis, failures)
    failed = Condition(
        "provider_refresh_failed",
        "providers could not be refreshed",
        [(account, names.get(account, str(account))) for account in failures],
        [(account, name) for account, name in names.items() if account not in failures],
    )
    alerts.send_conditions(redis, [failed], "refresh of the providers")


def search(params: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Search for streams, and keep the proposals for the page.

    The first search, and the first one after a change of the rules, is dry.

    :returns: a :class:`Found`.
    """
    with resources.redis() as redis:
        store, settings = resources.udi(redis), shared_settings.load(redis)
        if not settings.matching.enabled and not params["dry"]:
            log.info("matching is not enabled in the settings")
            return Found(is_dry=True).model_dump()
        with sources.opened(redis=redis) as source:
            if not isinstance(source.destination(store), sources.ChannelEditor):
                log.info("%s keeps no channels that could get other streams", source.name)
                return Found(is_dry=True).model_dump()
        found = plan(store, settings, params["channel_ids"])
        is_dry = params["dry"] or settings.safety.scheduled_write_back == "never" or not _has_seen(redis, settings)
        propose(store, [*found.additions, *found.trials], None)
        _withdraw(store, found, params["channel_ids"])
        if is_dry:
            _remember_seen(redis, settings)
    log.info("%s: %s", "dry" if is_dry else run_id, found)
    return Found(plan=found, is_dry=is_dry, asks=not is_dry and settings.matching.approve).model_dump()


def _has_seen(redis: Redis, settings: Config) -> bool:
    try:
        return cast("bytes | None", redis.get(SEEN_KEY)) == digest(settings).encode()
    except RedisError as error:
        log.warning("it is unknown whether these rules were tried: %s", error)
        return False


def _remember_seen(redis: Redis, settings: Config) -> None:
    try:
        redis.set(SEEN_KEY, digest(settings))
    except RedisError as error:
        log.warning("the next search is dry, too: %s", error)


def propose(store: Store, additions: Iterable[Addition], asked_by: str | None) -> None:
    """Store proposals; the former ones stay as they are."""
    known, now = decisions(store), datetime.now(UTC)
    new: dict[Pair, Decision | None] = {}
    for one in additions:
        pair = one.channel_id, one.stream_id
        former = known.get(pair)
        if former is None or former.state == "added" or (asked_by and former.asked_by != asked_by):
            new[pair] = Decision(state="proposed", at=now, why=one.why, asked_by=asked_by)
    decide(store, new)


def _withdraw(store: Store, found: Plan, channel_ids: Collection[int] | None) -> None:
    """Delete the proposals that fit no more."""
    stale = [
        pair
        for pair, decision in decisions(store).items()
        if decision.state == "proposed"
        and pair not in found.candidates
        and (channel_ids is None or pair[0] in channel_ids)
    ]
    decide(store, dict.fromkeys(stale))


def trials(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the run that checks the candidates of dead channels, in a list; empty when there are none."""
    outcome = Found.model_validate({**found})
    ids = sorted({trial.stream_id for trial in outcome.plan.trials})
    if outcome.is_dry or not ids:
        return []
    return [{"conf": {"stream_ids": ids, "force": True, "write_back": False}}]


def conclude(found: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Return the outcome of a search with the candidates of dead channels that work, and mark what a person decides.

    Many hidden channels at once are asked for like many removals: an outage may be the cause.
    """
    outcome = Found.model_validate({**found})
    if outcome.is_dry:
        return outcome.model_dump()
    with resources.redis() as redis:
        store, settings = resources.udi(redis), shared_settings.load(redis)
        found_plan = outcome.plan
        additions = [*found_plan.additions, *_filling(store, settings, found_plan.trials)]
        concluded = found_plan.model_copy(update={"additions": additions, "trials": []})
        share = len(concluded.hide) / max(1, len(store.library.channels()))
        asks = outcome.asks or share > settings.safety.max_removed_share
        if asks:
            concluded = _unasked(store, settings, concluded)
            propose(store, concluded.additions, run_id)
    return outcome.model_copy(update={"plan": concluded, "asks": asks}).model_dump()


def _filling(store: Store, settings: Config, tried: list[Addition]) -> list[Addition]:
    """Return the candidates that work, as many as each channel may get."""
    filling: list[Addition] = []
    room: dict[int, int] = {}
    for one in replacements(store, tried):
        if one.channel_id not in room:
            channel = store.library.channel(one.channel_id)
            # A dead channel that is full gets one stream all the same.
            room[one.channel_id] = max(
                1, settings.matching.most_per_channel - len(channel.stream_ids if channel else ())
            )
        if room[one.channel_id]:
            room[one.channel_id] -= 1
            filling.append(one)
    return filling


def _unasked(store: Store, settings: Config, found: Plan) -> Plan:
    """Return what no open question is about, unless too many questions are open."""
    since = datetime.now(UTC) - timedelta(hours=settings.safety.approval_hours)
    asked = {
        pair: decision.asked_by
        for pair, decision in decisions(store).items()
        if decision.state == "proposed" and decision.asked_by and decision.at > since
    }
    if len(set(asked.values())) >= MOST_QUESTIONS:
        log.warning("%d questions are open; further proposals wait on the page", MOST_QUESTIONS)
        return Plan(show=found.show)
    new = [one for one in found.additions if (one.channel_id, one.stream_id) not in asked]
    return found.model_copy(update={"additions": new})


def asks(found: Mapping[str, Any]) -> bool:
    """Return whether a person has to answer a question."""
    outcome = Found.model_validate({**found})
    return outcome.asks and bool(outcome.plan.additions or outcome.plan.hide)


def question(found: Plan, store: Store) -> tuple[str, str]:
    """Return the subject and the body, in Markdown, of the question about streams and channels."""
    channels = {channel.id: channel.name for channel in store.library.channels(_channels_of(found))}
    streams = store.library.streams({one.stream_id for one in found.additions[:MOST_NAMED]})
    subjects = []
    if found.additions:
        subjects.append(
            f"Add {len(found.additions)} streams to {len({one.channel_id for one in found.additions})} channels"
        )
    if found.hide:
        subjects.append(f"{'hide' if subjects else 'Hide'} {len(found.hide)} channels without a working stream")
    lines = ["The page of the stream checker shows the same streams with pictures.", ""]
    if found.additions:
        lines += ["| stream id | stream | channel | why |", "|---|---|---|---|"]
        for one in found.additions[:MOST_NAMED]:
            stream = streams.get(one.stream_id)
            cells = (stream.name if stream else "", channels.get(one.channel_id, ""), one.why)
            lines.append(f"| {one.stream_id} | {' | '.join(map(escaped, cells))} |")
        if (further := len(found.additions) - MOST_NAMED) > 0:
            lines += ["", f"And {further} further streams."]
    if found.hide:
        lines += ["", "| channel id | channel to hide |", "|---|---|"]
        lines += [f"| {id} | {escaped(channels.get(id, ''))} |" for id in found.hide[:MOST_NAMED]]
        if (further := len(found.hide) - MOST_NAMED) > 0:
            lines += ["", f"And {further} further channels."]
    return f"{' and '.join(subjects)}?", "\n".join(lines)


def _channels_of(found: Plan) -> set[int]:
    return {*(one.channel_id for one in found.additions), *found.hide}


class AskMatches(HITLOperator):
    """Ask in Airflow's required actions which streams channels get, and which dead channels are hidden.

    Nothing changes when nobody answers within ``safety.approval_hours``; the proposals stay on the page. The parameters
    ``stream_ids`` and ``channel_ids`` of the answer list the chosen streams and channels to hide.

    :param concluded: the task whose result holds what is asked for.
    """

    def __init__(self, *, concluded: str, **kwargs: Any) -> None:
        self.concluded = concluded
        super().__init__(
            subject="Add streams?",
            options=[ALL, SOME, NONE, LATER],
            defaults=[LATER],
            execution_timeout=None,
            **kwargs,
        )

    def execute(self, context: Context) -> None:
        """Ask, and free the worker until somebody answers."""
        found = Found.model_validate(context["ti"].xcom_pull(task_ids=self.concluded))
        with resources.redis() as redis:
            store, settings = resources.udi(redis), shared_settings.load(redis)
            self.subject, self.body = question(found.plan, store)
        self.response_timeout = timedelta(hours=settings.safety.approval_hours)
        super().execute(context)


def apply(found: Mapping[str, Any], answer: Mapping[str, Any] | None, run_id: str) -> list[dict[str, Any]]:
    """Change the channels as the search found, or as a person answered; return the run that checks them, in a list.

    A proposal that was decided on the page meanwhile is left to that decision.

    :param answer: the result of :class:`AskMatches`; None when nobody was asked.
    :raises SourceError: for the task's retry, when a channel cannot be written now.
    """
    outcome = Found.model_validate({**found})
    if outcome.is_dry:
        return []
    accepted, rejected, hidden = _answered(outcome, answer)
    with resources.redis() as redis:
        store = resources.udi(redis)
        if outcome.asks:
            known, now = decisions(store), datetime.now(UTC)
            is_open = {pair for pair, decision in known.items() if decision.state == "proposed"}
            accepted = [one for one in accepted if (one.channel_id, one.stream_id) in is_open]
            decide(
                store, {pair: Decision(state="rejected", at=now, why=known[pair].why) for pair in rejected & is_open}
            )
        if not (accepted or hidden or outcome.plan.show):
            return []
        with sources.opened(redis=redis) as source:
            destination = source.destination(store)
            if not isinstance(destination, sources.ChannelEditor):
                return []
            added = changes.apply(store, destination, accepted, run_id, hide=hidden, show=outcome.plan.show).added
    # A candidate that was tried is fresh, and without a check of it the channel would not be ordered.
    return [{"conf": {"stream_ids": sorted(added), "force": True}}] if added else []


def _answered(outcome: Found, answer: Mapping[str, Any] | None) -> tuple[list[Addition], set[Pair], list[int]]:
    """Return the accepted additions, the rejected ones, and the channels to hide."""
    found = outcome.plan
    if not outcome.asks:
        return found.additions, set(), found.hide
    pairs = {(one.channel_id, one.stream_id) for one in found.additions}
    choice = answer["chosen_options"][0] if answer else LATER
    if choice == ALL:
        return found.additions, set(), found.hide
    if choice == SOME:
        given = (answer or {}).get("params_input") or {}
        streams, channels = set(given.get("stream_ids") or ()), set(given.get("channel_ids") or ())
        accepted = [one for one in found.additions if one.stream_id in streams]
        rejected = pairs - {(one.channel_id, one.stream_id) for one in accepted}
        return accepted, rejected, [one for one in found.hide if one in channels]
    return [], pairs if choice == NONE else set(), []
