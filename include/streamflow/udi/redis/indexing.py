"""The changes of the indexes in Redis that follow from changed records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from streamflow.records import Channel, Stream
from streamflow.udi.redis import blocks


class Edits:
    """The ids that enter or leave each index. A later edit of the same id replaces an earlier one."""

    def __init__(self) -> None:
        self._arrays: dict[str, dict[int, bool]] = defaultdict(dict)
        # By block: line, id, is present. Lists are smaller than a table for each line, which seldom has several edits.
        self._lines: dict[str, list[tuple[str, int, bool]]] = defaultdict(list)

    def streams(self, streams: Iterable[Stream], *, is_present: bool) -> None:
        """Add streams to the indexes, or remove them."""
        every = self._arrays["streams"]
        accounts: dict[int | None, dict[int, bool]] = {}
        groups: dict[int | None, dict[int, bool]] = {}
        for stream in streams:
            key, account, group = stream.id, stream.account_id, stream.group_id
            if account not in accounts:
                accounts[account] = self._arrays[f"account:{account}:streams"]
            if group not in groups:
                groups[group] = self._arrays[f"group:{group}:streams"]
            every[key] = accounts[account][key] = groups[group][key] = is_present
            if stream.url:
                name, line = blocks.url_line(stream.url_hash)
                self._lines[name].append((line, key, is_present))

    def channels(self, channels: Iterable[Channel], *, is_present: bool) -> None:
        """Add channels and their members to the indexes, or remove them."""
        for channel in channels:
            for name in ("channels", f"group:{channel.group_id}:channels"):
                self._arrays[name][channel.id] = is_present
            self.members(channel.id, channel.stream_ids, is_present=is_present)

    def members(self, channel_id: int, stream_ids: Iterable[int], *, is_present: bool) -> None:
        """Add streams of a channel to the index of members, or remove them."""
        for stream in stream_ids:
            self._lines[blocks.name_of("member", stream)].append((str(stream), channel_id, is_present))

    @property
    def names(self) -> list[str]:
        """The names of the indexes to change. The caller reads their present values."""
        return [*self._arrays, *self._lines]

    def apply(self, before: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
        """Return the changed indexes by name, where None stands for an empty index to delete.

        :param before: the present values by name.
        """
        after: dict[str, bytes | None] = {}
        for name, changes in self._arrays.items():
            ids = set(blocks.unpacked(before.get(name)))
            ids -= changes.keys()
            ids.update(key for key, is_present in changes.items() if is_present)
            after[name] = blocks.packed(sorted(ids)) if ids else None
        for name, edits in self._lines.items():
            lines = dict(blocks.read(before.get(name)))
            for key, record, is_present in edits:
                line = key.encode()
                value = lines.get(line)
                if value is None and is_present:
                    lines[line] = b"%d" % record
                elif value is not None:
                    ids = set(blocks.unlisted(value))
                    (ids.add if is_present else ids.discard)(record)
                    lines[line] = blocks.listed(sorted(ids))
            after[name] = blocks.written({line: value for line, value in lines.items() if value})
        return after
