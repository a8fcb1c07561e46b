"""Facts about a stream's source that its response tells, beside the media."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from streamflow.probing.protocols.segments import PlaylistInfo


@dataclass
class SourceInfo:
    """Facts about the first response; filled in by the thread that receives it.

    :param length: the declared number of bytes, None for a body without a declared end.
    :param is_length_false: the length is not that of a recording: the body ended before it, or comes in real time.
    :param playlist: facts about a stream in segments, None for a single body.
    :param notice_s: the seconds of a short recording in place of a live stream, None for anything else.
    :param tls_fault: why the server's certificate is not trusted, None where it is or was not checked.
    """

    content_type: str | None = None
    length: int | None = None
    is_length_false: bool = False
    redirects: int = 0
    playlist: PlaylistInfo | None = None
    tls_fault: str | None = None
    notice_s: float | None = None
    is_stopping: bool = field(default=False, repr=False)

    @property
    def is_finite(self) -> bool:
        """Whether the source is a recording, which has an end."""
        if self.playlist:
            return not self.playlist.is_live
        return self.length is not None and not self.is_length_false

    def facts(self) -> dict[str, Any]:
        """Return what the receiving thread has learned as JSON values, without the sound of a playlist."""
        facts = {name: getattr(self, name) for name in _RECEIVED}
        if self.playlist:
            facts["playlist"] = {name: _copied(getattr(self.playlist, name)) for name in _OF_PLAYLIST}
        return facts

    def update(self, facts: Mapping[str, Any]) -> None:
        """Take over what :meth:`facts` has returned in another process."""
        for name in _RECEIVED:
            setattr(self, name, facts[name])
        if playlist := facts.get("playlist"):
            self.playlist = self.playlist or PlaylistInfo(playlist["protocol"])
            # The list of borders stays the same object: what reads the media watches it.
            self.playlist.borders += playlist["borders"][len(self.playlist.borders) :]
            for name in _OF_PLAYLIST - {"borders"}:
                setattr(self.playlist, name, playlist[name])


_RECEIVED = ("content_type", "length", "redirects", "tls_fault")
_OF_PLAYLIST = frozenset(one.name for one in fields(PlaylistInfo)) - {"audio"}


def _copied(value: Any) -> Any:
    """Return a value that does not change when the receiving thread goes on."""
    return list(value) if isinstance(value, list) else value
