"""The channel that a command names by its id or name."""

from __future__ import annotations

from collections.abc import Callable

from streamflow.errors import UnknownRecord
from streamflow.udi import Udi
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.cli.console import API

SEARCHED = 1000
NAMED = 3

# Returns the names, by id, of channels whose name holds a text.
Search = Callable[[str], dict[int, str]]


def by_api(api: AirflowApi) -> Search:
    """Search the channels of a running stack."""
    return lambda part: {
        one["id"]: one["name"]
        for one in api.request("GET", f"{API}/channels", params={"q": part, "limit": SEARCHED})["channels"]
    }


def in_udi(store: Udi) -> Search:
    """Search the channels of the UDI of this home."""
    return lambda part: {
        one.id: one.name for one in store.library.channels() if part.strip().casefold() in one.name.casefold()
    }


def channel_id(channel: str, search: Search) -> int:
    """Return the id of a channel that is given by its id or name.

    :raises UnknownRecord: no channel, or more than one, has this name.
    """
    if channel.isdecimal():
        return int(channel)
    similar = search(channel)
    named = [id for id, name in similar.items() if name.casefold() == channel.strip().casefold()]
    if len(named) == 1:
        return named[0]
    if named:
        raise UnknownRecord(f"{len(named)} channels have this name; give an id: {', '.join(map(str, named))}")
    names = "; similar: " + ", ".join(list(similar.values())[:NAMED]) if similar else ""
    raise UnknownRecord(f"there is no channel of this name{names}")
