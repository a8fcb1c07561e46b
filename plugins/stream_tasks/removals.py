"""Removals that need a person's approval: the request, the question in Airflow's required actions, and the answer."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context
from pydantic import BaseModel, Field

from stream_tasks import resources
from stream_tasks.question import escaped
from streamflow import shared_settings
from streamflow.checking.finishing import remove_approved
from streamflow.udi.ports import Store

ALL, NONE, SOME = "Remove all", "Remove none", "Remove those of the chosen channels"
# The question names the streams of this number of channels; the answer may be about all of them.
MOST_NAMED = 200


class HeldStream(BaseModel):
    """A stream that leaves its channel if a person approves."""

    stream_id: int
    name: str = ""
    reason: str = ""


class HeldChannel(BaseModel):
    """A channel and its streams that were held back."""

    channel_id: int
    name: str
    streams: int = Field(description="Number of all its streams")
    held: list[HeldStream]


class Removals(BaseModel):
    """The removals of one run that await approval: the parameters of the DAG that asks."""

    run_id: str
    channels: list[HeldChannel]


def requests(run_id: str, *, write_back: bool) -> list[dict[str, Any]]:
    """Return the arguments of the run that asks for approval; nothing where no removal was held back.

    The same removals are asked for once in the time after which an approval lapses.
    """
    if not write_back:
        return []
    with resources.redis() as redis:
        store, settings = resources.udi(redis), shared_settings.load(redis)
        removals = _removals(store, run_id)
    if not removals.channels:
        return []
    held = [(channel.channel_id, [one.stream_id for one in channel.held]) for channel in removals.channels]
    period = int(time.time() // (settings.safety.approval_hours * 3600))
    digest = hashlib.sha256(repr((held, period)).encode()).hexdigest()[:16]
    return [{"trigger_run_id": f"removals__{digest}", "conf": removals.model_dump()}]


def _removals(store: Store, run_id: str) -> Removals:
    state = store.runs.state(run_id)
    changes = [one for one in state.finished_channels.values() if one.held] if state else []
    names = {channel.id: channel.name for channel in store.library.channels([one.channel_id for one in changes])}
    streams = store.library.streams({stream for one in changes[:MOST_NAMED] for stream in one.held})
    results = store.results.latest_of(streams)
    return Removals(
        run_id=run_id,
        channels=[
            HeldChannel(
                channel_id=change.channel_id,
                name=names.get(change.channel_id, str(change.channel_id)),
                streams=len(change.after),
                held=[
                    HeldStream(
                        stream_id=stream,
                        name=streams[stream].name if stream in streams else "",
                        reason=(results[stream].reason or results[stream].verdict) if stream in results else "",
                    )
                    for stream in change.held
                ],
            )
            for change in changes
        ],
    )


def question(removals: Removals) -> tuple[str, str]:
    """Return the subject and the body, in Markdown, of the question about removals."""
    total = sum(len(channel.held) for channel in removals.channels)
    subject = f"Remove {total} streams from {len(removals.channels)} channels?"
    lines = [
        f"The run `{removals.run_id}` would remove more streams than `safety.max_removed_share` allows, or the last "
        "stream of a channel. Nothing was removed. Many dead streams at once are often an outage of the provider.",
        "",
        "| id | channel | streams that would leave |",
        "|---|---|---|",
    ]
    for channel in removals.channels[:MOST_NAMED]:
        held = ", ".join(escaped(f"{one.name} ({one.reason})") for one in channel.held)
        lines.append(f"| {channel.channel_id} | {escaped(channel.name)} | {held}, of {channel.streams} |")
    further = len(removals.channels) - MOST_NAMED
    if further > 0:
        lines += ["", f"And {further} further channels."]
    return subject, "\n".join(lines)


class AskRemovals(HITLOperator):
    """Ask in Airflow's required actions which of the held removals may happen.

    Nothing is removed when nobody answers within ``safety.approval_hours``. The parameter ``channel_ids`` of the answer
    lists the chosen channels.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            subject="Remove streams?", options=[ALL, SOME, NONE], defaults=[NONE], execution_timeout=None, **kwargs
        )

    def execute(self, context: Context) -> None:
        """Ask, and free the worker until somebody answers."""
        self.subject, self.body = question(Removals.model_validate(context["dag_run"].conf))
        self.response_timeout = timedelta(hours=resources.settings().safety.approval_hours)
        super().execute(context)


def approved(removals: Removals, answer: Mapping[str, Any]) -> dict[int, list[int]]:
    """Return the streams that may be removed, by channel.

    :param answer: the result of :class:`AskRemovals`.
    """
    (choice,) = answer["chosen_options"]
    chosen = set((answer["params_input"] or {}).get("channel_ids") or ())
    return {
        channel.channel_id: [one.stream_id for one in channel.held]
        for channel in removals.channels
        if choice == ALL or (choice == SOME and channel.channel_id in chosen)
    }


def apply(conf: Mapping[str, Any], answer: Mapping[str, Any]) -> list[int]:
    """Remove the approved streams, and return the changed channels.

    :raises SourceError: for the task's retry, when a channel cannot be written now.
    """
    removals = Removals.model_validate({**conf})
    permitted = approved(removals, answer)
    if not permitted:
        return []
    with resources.redis() as redis:
        store, settings = resources.udi(redis), shared_settings.load(redis)
        open_destination = partial(resources.destination, redis, store, True)
        return remove_approved(store, open_destination, permitted, removals.run_id, settings)
