"""Dispatcharr's proxy: addresses that play channels and streams without the provider's login."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from streamflow.errors import SourceRefused, UnknownRecord
from streamflow.sources.dispatcharr.session import Session

# The number of streams that one request asks for.
MAX_STREAMS = 500
# The path below which the proxy plays.
PLAYED = "/proxy/ts/stream/"


def channel_path(uuid: str) -> str:
    """Return the path that plays a channel."""
    return f"{PLAYED}{quote(uuid, safe='')}"


class Proxy:
    """The proxy of a Dispatcharr. It plays a stream by the hash that Dispatcharr has given it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def stream_paths(self, stream_ids: Sequence[int]) -> dict[int, str]:
        """Return the paths that play streams, by id. A stream that Dispatcharr does not know has none.

        :param stream_ids: at most ``MAX_STREAMS`` ids.
        :raises SourceError: Dispatcharr cannot be read.
        """
        if not stream_ids:
            return {}
        try:
            found = self._session.call("POST", "/api/channels/streams/by-ids/", body={"ids": list(stream_ids)})
        except UnknownRecord as error:
            raise SourceRefused("this version of Dispatcharr does not list the streams of its proxy") from error
        records = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return {
            one["id"]: f"{PLAYED}{quote(hash, safe='')}"
            for one in records
            if isinstance(one.get("id"), int) and isinstance(hash := one.get("stream_hash"), str) and hash
        }
