"""Facts about a stream's source that its response tells, beside the media."""

from __future__ import annotations

from dataclasses import dataclass, field

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
