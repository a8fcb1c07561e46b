"""Radio: streams of channels that promise no video."""

from __future__ import annotations

from collections.abc import Iterable

from streamflow.planning.selection import Selection
from streamflow.probing.judgement.label import says_radio
from streamflow.records import Group


def radio_streams(selection: Selection, groups: Iterable[Group]) -> set[int]:
    """Return the streams of channels that are radio by their own name or their group's."""
    radio_groups = {group.id for group in groups if says_radio(group.name)}
    return {
        stream
        for channel in selection.channels
        if channel.group_id in radio_groups or says_radio(channel.name)
        for stream in selection.streams[channel.id]
    }
