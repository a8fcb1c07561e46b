"""Finishing the channels of a run as soon as the results of their streams are known."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager

from streamflow.checking.outages import Outages
from streamflow.checking.subject import Subject
from streamflow.config import Config
from streamflow.errors import SourceError
from streamflow.ordering import removal
from streamflow.ordering.finish import arrange, finish
from streamflow.sources import Destination
from streamflow.udi.ports import Store

log = logging.getLogger(__name__)

# Opens the place that orders are written to; None for a run that only plans its changes.
OpenDestination = Callable[[], AbstractContextManager[Destination | None]]


def finish_channels(
    store: Store, open_destination: OpenDestination, channel_ids: Sequence[int], run_id: str, settings: Config
) -> None:
    """Order channels by the results of their streams. Dead streams stay until the end of the run.

    :raises SourceError: when a channel cannot be written now.
    """
    if not channel_ids:
        return
    with open_destination() as destination:
        for channel_id in channel_ids:
            finish(store, destination, channel_id, run_id, settings, may_remove=False)


def finish_ready(
    store: Store, open_destination: OpenDestination, channel_ids: Sequence[int], run_id: str, settings: Config
) -> None:
    """Order channels as :func:`finish_channels` does, and leave those that cannot be written to the run's end."""
    try:
        finish_channels(store, open_destination, channel_ids, run_id, settings)
    except SourceError as error:
        log.warning("channels %s are left to the run's summary: %s", channel_ids, error)


def finish_run(
    store: Store, open_destination: OpenDestination, outages: Outages, settings: Config, *, is_closed: bool = False
) -> list[int]:
    """Settle the checks that ended without a result, order the channels that are left, and remove dead streams.

    :param is_closed: the window of the run is closed: such checks are skipped.
    :returns: these channels.
    :raises SourceError: when a channel cannot be written now.
    """
    run_id = outages.run_id
    if is_closed:
        store.runs.skip(run_id, "window_closed")
    for stream_id in store.runs.unsettled_streams(run_id):
        lost = Subject.load(store.library, stream_id).lost()
        store.runs.settle(run_id, lost.model_copy(update={"run_id": run_id}))
    outages.conclude()
    channels = store.runs.unfinished_channels(run_id)
    finish_channels(store, open_destination, channels, run_id, settings)
    _remove_dead(store, open_destination, run_id, settings)
    return channels


def remove_approved(
    store: Store,
    open_destination: OpenDestination,
    approved: Mapping[int, Collection[int]],
    run_id: str,
    settings: Config,
) -> list[int]:
    """Remove streams that a run held back and a person approved, as far as the rules still remove them.

    A channel from which the rules would now remove further streams stays as it is: the next run asks again.

    :param approved: the approved streams by channel.
    :returns: the changed channels.
    :raises SourceError: when a channel cannot be written now.
    """
    changed = []
    with open_destination() as destination:
        for channel_id, streams in approved.items():
            channel = store.library.channel(channel_id)
            leaving = arrange(store, channel_id, channel.stream_ids, settings).order.removed if channel else ()
            if not leaving:
                log.info("channel %s: no approved stream has to leave any more", channel_id)
            elif not set(leaving) <= set(streams):
                log.warning("channel %s: more streams would leave than were approved", channel_id)
            else:
                finish(store, destination, channel_id, run_id, settings)
                changed.append(channel_id)
    return changed


def _remove_dead(store: Store, open_destination: OpenDestination, run_id: str, settings: Config) -> None:
    """Remove the streams that the run held back, unless they are too many; then none of them is removed."""
    may_remove = settings.dead_streams.action == "remove" or settings.policies
    state = store.runs.state(run_id) if may_remove else None
    changes = list(state.finished_channels.values()) if state else []
    held = [change.channel_id for change in changes if change.held]
    if not held:
        return
    if removal.exceeds(changes, settings.safety.max_removed_share):
        log.error("streams of channels %s stay: the run would remove more than safety.max_removed_share", held)
        return
    with open_destination() as destination:
        for channel_id in held:
            finish(store, destination, channel_id, run_id, settings)
