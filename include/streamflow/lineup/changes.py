"""Changes of the lineup: streams are added behind those that are there, and channels are hidden and shown.

Each change goes into the channel's log, so that it can be undone like the changes of checks.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter

from streamflow.errors import SourceConflict, UnknownRecord
from streamflow.lineup.addition import Addition
from streamflow.lineup.decisions import Pair, decide
from streamflow.records import ChannelChange, Decision, Move
from streamflow.sources import ChannelEditor
from streamflow.sources.rewriting import rewrite_order
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Applied:
    """The streams that were added, and the reasons by channel why others were not."""

    added: frozenset[int]
    conflicts: dict[int, str]


def apply(
    store: Store,
    destination: ChannelEditor,
    additions: Iterable[Addition],
    run_id: str | None,
    *,
    hide: Iterable[int] = (),
    show: Iterable[int] = (),
) -> Applied:
    """Add streams to their channels, and hide and show channels.

    :raises SourceError: the destination cannot be written now; a repeated call does the rest.
    """
    reasons: dict[int, dict[int, str]] = defaultdict(dict)
    for one in additions:
        reasons[one.channel_id][one.stream_id] = one.why
    written = [add(store, destination, channel_id, own, run_id) for channel_id, own in reasons.items()]
    for channel_id, hidden in [*((one, True) for one in hide), *((one, False) for one in show)]:
        try:
            set_hidden(store, destination, channel_id, run_id, hidden=hidden)
        except UnknownRecord as error:
            log.warning("channel %s: %s", channel_id, error)
    return Applied(
        frozenset(stream for change in written for stream in set(change.after).difference(change.before)),
        {change.channel_id: change.conflict for change in written if change.conflict},
    )


def add(
    store: Store, destination: ChannelEditor, channel_id: int, reasons: Mapping[int, str], run_id: str | None
) -> ChannelChange:
    """Add streams to a channel, behind those that are there, and record the change.

    A repeated call changes nothing. When somebody edits the channel at each try, or it does not exist any more, the
    recorded change says so.

    :param reasons: the streams in their order, each with the reason.
    :raises SourceError: the destination cannot be written now.
    """
    now = datetime.now(UTC)
    try:
        before, after = rewrite_order(
            destination,
            channel_id,
            lambda before: (before, (*before, *(stream for stream in reasons if stream not in before))),
            itemgetter(1),
        )
    except (SourceConflict, UnknownRecord) as problem:
        channel = store.library.channel(channel_id)
        present = channel.stream_ids if channel else ()
        change = ChannelChange(
            channel_id=channel_id, run_id=run_id, at=now, before=present, after=present, conflict=str(problem)
        )
        store.runs.finish_channel(change)
        return change
    store.library.reorder(channel_id, after)
    added: dict[Pair, Decision | None] = {
        (channel_id, stream): Decision(state="added", at=now, why=why) for stream, why in reasons.items()
    }
    decide(store, added, forget_removal=True)
    change = ChannelChange(
        channel_id=channel_id,
        run_id=run_id,
        at=now,
        before=before,
        after=after,
        moves=tuple(
            Move(stream_id=stream, before=None, after=after.index(stream), why=reasons[stream])
            for stream in after[len(before) :]
        ),
        written=True,
    )
    if change.is_news:
        store.runs.finish_channel(change)
    return change


def set_hidden(store: Store, destination: ChannelEditor, channel_id: int, run_id: str | None, *, hidden: bool) -> None:
    """Leave a channel out of every output, or put it back, and record the change.

    :raises SourceError: the destination cannot be written now.
    :raises UnknownRecord: the channel does not exist any more.
    """
    destination.hide(channel_id, hidden)
    present = destination.order(channel_id)
    store.runs.finish_channel(
        ChannelChange(
            channel_id=channel_id,
            run_id=run_id,
            at=datetime.now(UTC),
            before=present,
            after=present,
            hidden=hidden,
            written=True,
        )
    )
