"""What a change of records changes in the indexes of the Redis store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from streamflow.records import Channel, Stream
from streamflow.udi.redis import blocks as image


class Edits:
    """Which ids come into which index and which leave it; the last word on an id holds."""

    def __init__(self) -> None:
        self._arrays: dict[str, dict[int, bool]] = defaultdict(dict)
        # By block and line: several of one line are rare, and a table for each would cost more than all else.
        self._lines: dict[str, list[tuple[str, int, bool]]] = defaultdict(list)

    def streams(self, streams: Iterable[Stream], *, there: bool) -> None:
        every = self._arrays["streams"]
        accounts: dict[int | None, dict[int, bool]] = {}
        groups: dict[int | None, dict[int, bool]] = {}
        for stream in streams:
            key, account, group = stream.id, stream.account_id, stream.group_id
            if account not in accounts:
                accounts[account] = self._arrays[f"account:{account}:streams"]
            if group not in groups:
                groups[group] = self._arrays[f"group:{group}:streams"]
            every[key] = accounts[account][key] = groups[group][key] = there
            if stream.url:
                name, line = image.url_line(stream.url_hash)
                self._lines[name].append((line, key, there))

    def channels(self, channels: Iterable[Channel], *, there: bool) -> None:
        for channel in channels:
            for name in ("channels", f"group:{channel.group_id}:channels"):
                self._arrays[name][channel.id] = there
            self.members(channel.id, channel.stream_ids, there=there)

    def members(self, channel_id: int, stream_ids: Iterable[int], *, there: bool) -> None:
        for stream in stream_ids:
            self._lines[image.block("member", stream)].append((str(stream), channel_id, there))

    @property
    def names(self) -> list[str]:
        """The indexes to be written, and read before."""
        return [*self._arrays, *self._lines]

    def apply(self, before: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
        """The indexes as they are to be; None stands for one that is empty, and goes."""
        after: dict[str, bytes | None] = {}
        for name, changes in self._arrays.items():
            ids = set(image.unpacked(before.get(name)))
            ids -= changes.keys()
            ids.update(key for key, there in changes.items() if there)
            after[name] = image.packed(sorted(ids)) if ids else None
        for name, edits in self._lines.items():
            lines = dict(image.read(before.get(name)))
            for key, record, there in edits:
                line = key.encode()
                known = lines.get(line)
                if known is None and there:
                    lines[line] = b"%d" % record
                elif known is not None:
                    ids = set(image.unlisted(known))
                    (ids.add if there else ids.discard)(record)
                    lines[line] = image.listed(sorted(ids))
            after[name] = image.written({line: value for line, value in lines.items() if value})
        return after
