"""The position in a live playlist: which segments are new since the last look."""

from __future__ import annotations

from streamflow.probing.protocols.hls.playlist import MediaPlaylist, Segment
from streamflow.probing.protocols.segments import JOIN_SEGMENTS


class Position:
    """Remembers the last segment taken, and returns those after it.

    Segments are numbered, but servers leave the numbers out, keep them still, or restart them. The segment's file name
    then decides.
    """

    def __init__(self) -> None:
        self._last: Segment | None = None
        self._first_number: int | None = None

    def due(self, playlist: MediaPlaylist) -> list[Segment]:
        """Return the segments to take, in order. A live stream is joined near its end, a recording at its start."""
        segments = list(playlist.segments)
        first_number, self._first_number = self._first_number, segments[0].number if segments else None
        if not segments:
            return []
        last = self._last
        if last is None:
            return segments if playlist.is_ended else segments[-JOIN_SEGMENTS:]
        # Queries distinguish names that repeat within a playlist.
        is_unique = len({segment.name for segment in segments}) == len(segments)
        same = [(one.name == last.name if is_unique else one.uri == last.uri) for one in segments]
        index = last.number - segments[0].number
        is_listed = 0 <= index < len(segments)
        if not (is_listed and same[index]):
            if any(same):
                index = len(same) - 1 - same[::-1].index(True)
            elif is_listed and first_number == segments[0].number:
                # The numbers stand still while the segments change.
                index = -1
            elif not is_listed:
                # Moved beyond the segment, counted from the start again, or sent by a server that lags behind.
                lag = last.number - segments[-1].number
                index = len(segments) if 0 < lag <= len(segments) else -1
        return segments[index + 1 :]

    def take(self, segment: Segment) -> None:
        """Note a segment as taken."""
        self._last = segment
