"""What a change of records changes in the indexes of the Redis store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from streamflow.udi import image
from streamflow.udi.models import Channel, Stream


class Edits:
    """Which ids come into which index and which leave it; the last word on an id holds."""

    def __init__(self) -> None:
        self._arrays: dict[str, dict[int, bool]] = defaultdict(dict)
        self._lines: dict[str, dict[str, dict[int, bool]]] = defaultdict(lambda: defaultdict(dict))

    def stream(self, stream: Stream, *, there: bool) -> None:
        for name in ("streams", f"account:{stream.account_id}:streams", f"group:{stream.group_id}:streams"):
            self._arrays[name][stream.id] = there
        if stream.url:
            name, line = image.url_line(stream.url_hash)
            self._lines[name][line][stream.id] = there

    def channel(self, channel: Channel, *, there: bool) -> None:
        for name in ("channels", f"group:{channel.group_id}:channels"):
            self._arrays[name][channel.id] = there
        self.members(channel.id, channel.stream_ids, there=there)

    def members(self, channel_id: int, stream_ids: Iterable[int], *, there: bool) -> None:
        for stream in stream_ids:
            self._lines[image.block("member", stream)][str(stream)][channel_id] = there

    @property
    def names(self) -> list[str]:
        """The indexes to be written, and read before."""
        return [*self._arrays, *self._lines]

    def apply(self, before: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
        """The indexes as they are to be; None stands for one that is empty, and goes."""
        after: dict[str, bytes | None] = {}
        for name, changes in self._arrays.items():
            ids = _changed(image.unpacked(before.get(name)), changes)
            after[name] = image.packed(ids) if ids else None
        for name, edits in self._lines.items():
            lines = dict(image.read(before.get(name)))
            for key, changes in edits.items():
                line = key.encode()
                if ids := _changed(image.unlisted(lines.get(line)), changes):
                    lines[line] = image.listed(ids)
                else:
                    lines.pop(line, None)
            after[name] = image.written(lines)
        return after


def _changed(ids: Iterable[int], changes: Mapping[int, bool]) -> list[int]:
    return sorted({*(i for i in ids if i not in changes), *(i for i, there in changes.items() if there)})
