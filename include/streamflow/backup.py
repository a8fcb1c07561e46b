"""Backups: settings, policies, results, memories and the changes of channels, in one file without any address.

The memory of a stream holds its failures, and the channels that it was removed from.

Streams are known by the hash of their URL, and channels, groups and accounts by their names. So a backup fits a
Dispatcharr that was set up again and gave everything other ids.

A backup is text in JSON, one record a line, compressed with gzip: a header, a record for each stream and for each
changed channel, and an end that shows that the file is complete. ``python -m streamflow.backup`` makes the backup of
the night.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from streamflow import config
from streamflow.config import Config
from streamflow.errors import BackupError, ConfigError
from streamflow.files import replacing
from streamflow.masking import mask
from streamflow.records import Channel, ChannelChange, DeadMemory, Decision, Move, Result
from streamflow.udi import Udi
from streamflow.udi.ports import Library
from streamflow.udi.sqlite.store import FileStore
from streamflow.version import VERSION

log = logging.getLogger(__name__)

KIND = "streamflow backup"
# Raised when an older version could not read the file any more.
FORMAT = 2
# The longest line: 50 results with all their measurements take less than a tenth of it.
MAX_LINE = 8 << 20
# Streams that are restored in one step.
STEP = 200
FOLDER = "backups"
KEPT = 7
# The hour (of the machine's time zone) from which a day's backup is made.
HOUR = 5
# Stands for the address of a proxy, which may hold a password.
HIDDEN = "***"
_NIGHTLY = re.compile(r"\d{4}-\d\d-\d\d\.backup")

T = TypeVar("T")


class Names(BaseModel):
    """The names of accounts, groups and channels, and the URL hashes of streams that settings name by their ids."""

    accounts: dict[int, str]
    groups: dict[int, str]
    channels: dict[int, tuple[str, float | None]]
    streams: dict[int, str]


class Header(BaseModel):
    """The first record of a backup."""

    kind: str
    format: int
    version: str
    made_at: datetime
    settings: dict[str, Any] | None
    names: Names


class StreamRecord(BaseModel):
    """The results and the memory of the streams with one URL, by its hash."""

    url_hash: str
    results: list[dict[str, Any]]
    memory: DeadMemory | None = None


class ChannelRecord(BaseModel):
    """The changes of a channel, oldest first, and the URL hashes of the streams in them."""

    channel_id: int
    streams: dict[int, str]
    changes: list[ChannelChange]


class End(BaseModel):
    """The last record of a backup. Format 1 holds no channels."""

    streams: int
    channels: int = 0


class Report(BaseModel):
    """The numbers of what was restored, and what was left out, in words."""

    results: int = 0
    streams: int = 0
    memories: int = 0
    removed: int = 0
    changes: int = 0
    settings: Config | None = None
    left_out: list[str] = []


# -- writing ---------------------------------------------------------------------------------
def write(store: FileStore, settings: Config, file: Path) -> int:
    """Write a backup that only its owner can read; return the number of streams in it.

    :raises BackupError: the store holds no library.
    """
    library = store.library
    if library.refreshed_at() is None:
        raise BackupError(
            "there is nothing to back up: this home holds no library. Run the command where the stack runs"
        )
    dumped = settings.model_dump(mode="json")
    header = Header(
        kind=KIND,
        format=FORMAT,
        version=VERSION,
        made_at=datetime.now(UTC),
        settings=_without_proxies(dumped),
        names=Names(
            accounts={account.id: account.name for account in library.accounts()},
            groups={group.id: group.name for group in library.groups()},
            channels={channel.id: (channel.name, channel.number) for channel in library.channels()},
            streams={stream.id: stream.url_hash for stream in library.streams(_pins(dumped)).values()},
        ),
    )
    count = channels = 0
    with replacing(file) as raw, gzip.GzipFile(fileobj=raw, mode="wb", filename="", compresslevel=6) as out:
        _put(out, header.model_dump(mode="json"))
        for record in _records(store):
            _put(out, record.model_dump(mode="json", exclude_none=True))
            count += 1
        for log_of_channel in _logs(store):
            _put(out, log_of_channel.model_dump(mode="json", exclude_defaults=True))
            channels += 1
        _put(out, End(streams=count, channels=channels).model_dump())
    return count


def _records(store: FileStore) -> Iterator[StreamRecord]:
    memories = store.results.memories()
    for stream_id, past in groupby(store.results.pasts(), key=lambda result: result.stream_id):
        results = list(past)
        if url_hash := results[-1].url_hash:
            dumped = [
                result.model_dump(mode="json", exclude={"stream_id", "account_id", "url_hash"}, exclude_defaults=True)
                for result in results
                if result.url_hash == url_hash
            ]
            yield StreamRecord(url_hash=url_hash, results=dumped, memory=memories.pop(stream_id, None))
    decided = [stream_id for stream_id, memory in memories.items() if memory.decisions]
    for stream_id, stream in store.library.streams(decided).items():
        yield StreamRecord(url_hash=stream.url_hash, results=[], memory=memories[stream_id])


def _logs(store: FileStore) -> Iterator[ChannelRecord]:
    for channel in store.library.channels():
        if changes := store.runs.changes(channel.id)[::-1]:
            ids = {stream for change in changes for stream in (*change.before, *change.after)}
            hashes = {stream.id: stream.url_hash for stream in store.library.streams(ids).values()}
            yield ChannelRecord(channel_id=channel.id, streams=hashes, changes=changes)


def _put(out: gzip.GzipFile, record: Mapping[str, Any]) -> None:
    out.write(json.dumps(_masked(record), separators=(",", ":")).encode() + b"\n")


def _masked(value: Any) -> Any:
    """Return a JSON value without addresses. Results are masked when they are made; this makes sure of it."""
    match value:
        case str():
            return mask(value) if "://" in value else value
        case list() | tuple():
            return [_masked(item) for item in value]
        case dict():
            return {key: _masked(item) for key, item in value.items()}
    return value


def _without_proxies(settings: dict[str, Any]) -> dict[str, Any]:
    def hidden(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: hidden(item, "proxy" if key == "account_proxies" else name) for name, item in value.items()}
        return HIDDEN if key == "proxy" and value is not None else value

    return {name: hidden(section, name) for name, section in settings.items()}


def _pins(settings: Mapping[str, Any]) -> list[int]:
    """Return the ids of streams that policies pin."""
    return [pin for policy in settings.get("policies", []) for pin in policy.get("pin") or [] if isinstance(pin, int)]


# -- reading ---------------------------------------------------------------------------------
def restore(udi: Udi, file: Path, present: Config | None) -> Report:
    """Restore results, memories and changes of a backup into the UDI, and return the settings to be stored.

    Results of later checks stay. A repeated call changes nothing more.

    :param present: the settings in force, which keep their proxies; None to leave the settings out.
    :raises BackupError: the file is no backup, is incomplete, or of a newer StreamFlow, or the UDI holds no library.
        The message says what to do. Nothing was restored then.
    """
    if udi.library.refreshed_at() is None:
        raise BackupError("restore needs the library of this Dispatcharr: start the stack and run refresh_udi first")
    header = _checked(file)
    ids = Ids(header.names, udi.library)
    report = Report()
    if header.settings is not None and present is not None:
        report.settings = _settings(header, ids, present, report)
    unknown = 0
    for records in _steps(_streams(file)):
        unknown += _restore_streams(udi, records, ids, report)
    for record in _channel_records(file):
        report.changes += _restore_log(udi, record, ids)
    if unknown:
        report.left_out.append(f"{unknown} streams that are not in the library now")
    if ids.missing:
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(ids.missing.items()))
        report.left_out.append(f"references to {listed} that have no counterpart of the same name here")
    return report


def _restore_streams(udi: Udi, records: list[StreamRecord], ids: Ids, report: Report) -> int:
    """Restore some streams, and return the number of those that the library does not hold."""
    results: list[Result] = []
    memories: dict[int, DeadMemory] = {}
    last: dict[int, datetime] = {}
    decided: dict[int, dict[int, Decision]] = {}
    unknown = 0
    for record in records:
        streams = udi.library.streams(udi.library.streams_of_url(record.url_hash)).values()
        unknown += not streams
        report.streams += bool(streams)
        for stream in streams:
            known = {"stream_id": stream.id, "account_id": stream.account_id, "url_hash": record.url_hash}
            past = [Result.model_validate(raw | known) for raw in record.results]
            results += past
            if record.memory and past:
                memories[stream.id] = ids.memory(record.memory)
                last[stream.id] = past[-1].checked_at
            elif record.memory:
                decided[stream.id] = ids.memory(record.memory).decisions
    present = udi.results.latest_of(last)
    # The memory belongs to the last check: that of a later one stays.
    memories = {i: m for i, m in memories.items() if i not in present or present[i].checked_at <= last[i]}
    for stream_id, memory in udi.results.dead_memory(decided).items():
        memories[stream_id] = memory.model_copy(update={"decisions": decided.pop(stream_id) | memory.decisions})
    memories |= {stream_id: DeadMemory(decisions=decisions) for stream_id, decisions in decided.items()}
    udi.results.add(results)
    if memories:
        udi.results.remember_dead(memories)
    report.results += len(results)
    report.memories += len(memories)
    report.removed += sum(len(memory.removed_from) for memory in memories.values())
    return unknown


def _restore_log(udi: Udi, record: ChannelRecord, ids: Ids) -> int:
    """Restore the changes of a channel, and return the number of those that were not in its log."""
    channel = ids.channel(record.channel_id)
    if channel is None:
        return 0
    members = frozenset(channel.stream_ids)
    streams = {}
    for former, url_hash in record.streams.items():
        found = udi.library.streams_of_url(url_hash)
        if found:
            streams[former] = next((i for i in found if i in members), found[0])
    present = set(udi.runs.changes(channel.id))
    changes = (_renumbered(change, channel.id, streams) for change in record.changes)
    new = [change for change in changes if change.is_news and change not in present]
    for change in new:
        udi.runs.finish_channel(change)
    return len(new)


def _renumbered(change: ChannelChange, channel_id: int, streams: Mapping[int, int]) -> ChannelChange:
    """Return a change with the ids of this library, without the streams that left it."""

    def ids(former: Iterable[int]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(streams[i] for i in former if i in streams))

    def moves(former: Iterable[Move]) -> tuple[Move, ...]:
        known = (move for move in former if move.stream_id in streams)
        return tuple(move.model_copy(update={"stream_id": streams[move.stream_id]}) for move in known)

    return change.model_copy(
        update={
            "channel_id": channel_id,
            "before": ids(change.before),
            "after": ids(change.after),
            "held": ids(change.held),
            "moves": moves(change.moves),
            "stays": moves(change.stays),
        }
    )


def _settings(header: Header, ids: Ids, present: Config, report: Report) -> Config:
    settings = ids.settings(header.settings or {})
    kept = present.model_dump(mode="json")
    proxies: list[str] = []

    def restored(value: Any, known: Any, path: tuple[str, ...]) -> Any:
        if value == HIDDEN:
            if not isinstance(known, str):
                proxies.append(".".join(path))
                return None
            return known
        if isinstance(value, dict):
            former = known if isinstance(known, dict) else {}
            return {key: restored(item, former.get(key), (*path, key)) for key, item in value.items()}
        return value

    probe = restored(settings.get("probe", {}), kept["probe"], ("probe",))
    if proxies:
        report.left_out.append(f"the addresses of proxies, which no backup holds: set {', '.join(proxies)} again")
    try:
        return config.parse(settings | {"probe": probe}, "the backup's settings")
    except ConfigError as error:
        raise BackupError(
            f"{error}. The backup is of StreamFlow {header.version}, this is {VERSION}: update it, or leave the "
            "settings out with --without-settings"
        ) from error


class Ids:
    """The ids of accounts, groups, channels and streams in this library, by those in a backup."""

    def __init__(self, names: Names, library: Library) -> None:
        self.missing: Counter[str] = Counter()
        self._accounts = _by_name(names.accounts, {each.id: each.name for each in library.accounts()})
        self._groups = _by_name(names.groups, {each.id: each.name for each in library.groups()})
        self._channels = _channels(names.channels, library.channels())
        self._channel = {channel.id: channel for channel in library.channels()}
        self._streams = {i: found[0] for i, url in names.streams.items() if (found := library.streams_of_url(url))}

    def channel(self, former: int) -> Channel | None:
        """Return the channel of this library; None where it has no counterpart."""
        present = self._new(former, self._channels, "channels")
        return None if present is None else self._channel[present]

    def memory(self, memory: DeadMemory) -> DeadMemory:
        """Return the memory of a stream with the channels of this library."""
        removed_from = {
            channel: position
            for former, position in memory.removed_from.items()
            if (channel := self._new(former, self._channels, "channels")) is not None
        }
        decisions = {
            channel: decision
            for former, decision in memory.decisions.items()
            if (channel := self._new(former, self._channels, "channels")) is not None
        }
        return memory.model_copy(update={"removed_from": removed_from, "decisions": decisions})

    def settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings with the ids of this library."""
        new = json.loads(json.dumps(settings))
        for section, key in (
            ("concurrent_streams", "account_priority"),
            ("probe", "account_proxies"),
            ("probe", "by_account"),
            ("scoring", "prefer_accounts"),
        ):
            if key in new.get(section, {}):
                new[section][key] = self._keys(new[section][key])
        for policy in new.get("policies", []):
            match = policy.get("match") or {}
            for holder, key, ids, kind in (
                (match, "groups", self._groups, "groups"),
                (match, "channels", self._channels, "channels"),
                (policy, "accounts", self._accounts, "accounts"),
                (policy, "pin", self._streams, "streams"),
            ):
                if holder.get(key):
                    patterns = [self._pattern(pattern, ids, kind) for pattern in holder[key]]
                    holder[key] = [pattern for pattern in patterns if pattern is not None]
        return dict(new)

    def _keys(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a mapping by account, whose keys are ids or names."""
        new = {}
        for key, value in values.items():
            if key.isdecimal():
                account = self._new(int(key), self._accounts, "accounts")
                if account is not None:
                    new[str(account)] = value
            else:
                new[key] = value
        return new

    def _pattern(self, pattern: int | str, ids: Mapping[int, int], kind: str) -> int | str | None:
        return self._new(pattern, ids, kind) if isinstance(pattern, int) else pattern

    def _new(self, former: int, ids: Mapping[int, int], kind: str) -> int | None:
        if former not in ids:
            self.missing[kind] += 1
        return ids.get(former)


def _by_name(former: Mapping[int, str], present: Mapping[int, str]) -> dict[int, int]:
    """Return the present id by the former one. A record that kept id and name is preferred among equal names."""
    ids = {name: i for i, name in present.items()}
    return {i: i if present.get(i) == name else ids[name] for i, name in former.items() if name in ids}


def _channels(former: Mapping[int, tuple[str, float | None]], present: Iterable[Channel]) -> dict[int, int]:
    """Return the present id by the former one: of the same name and number, or of the only channel of the name."""
    numbered = {(channel.name, channel.number): channel.id for channel in present}
    names = Counter(name for name, _ in numbered)
    only = {name: i for (name, _), i in numbered.items() if names[name] == 1}
    ids = {i: numbered.get(named, only.get(named[0])) for i, named in former.items()}
    return {former_id: i for former_id, i in ids.items() if i is not None}


def _checked(file: Path) -> Header:
    """Return the header of a backup that was read to its end."""
    header: Header | None = None
    streams = channels = 0
    end: End | None = None
    for line in _lines(file):
        if header is None:
            header = _header(line, file)
        elif _is_stream(line):
            streams += 1
        elif _is_channel(line):
            channels += 1
        else:
            end = _record(End, line, file)
    if header is None or end is None or (end.streams, end.channels) != (streams, channels):
        raise BackupError(f"{file} is incomplete: take another backup")
    return header


def _header(line: bytes, file: Path) -> Header:
    try:
        raw = json.loads(line)
        kind, number = raw["kind"], raw["format"]
    except (ValueError, KeyError, TypeError):
        raise BackupError(f"{file} is no backup of StreamFlow") from None
    if kind != KIND or not isinstance(number, int):
        raise BackupError(f"{file} is no backup of StreamFlow")
    if number > FORMAT:
        version = str(raw.get("version", "newer"))[:20]
        raise BackupError(
            f"{file} was made by StreamFlow {version} in format {number}. This is {VERSION}, which reads formats up to "
            f"{FORMAT}: update StreamFlow to {version} or later"
        )
    return _record(Header, line, file)


def _streams(file: Path) -> Iterator[StreamRecord]:
    return (_record(StreamRecord, line, file) for line in islice(_lines(file), 1, None) if _is_stream(line))


def _channel_records(file: Path) -> Iterator[ChannelRecord]:
    return (_record(ChannelRecord, line, file) for line in islice(_lines(file), 1, None) if _is_channel(line))


def _is_stream(line: bytes) -> bool:
    return b'"url_hash"' in line[:20]


def _is_channel(line: bytes) -> bool:
    return b'"channel_id"' in line[:20]


R = TypeVar("R", bound=BaseModel)


def _record(kind: type[R], line: bytes, file: Path) -> R:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        raise BackupError(f"{file} is damaged: take another backup") from None


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with gzip.open(file) as text:
            while line := text.readline(MAX_LINE):
                if not line.endswith(b"\n"):
                    raise BackupError(f"{file} is damaged: take another backup")
                yield line
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise BackupError(f"{file} is incomplete, or no backup of StreamFlow: take another backup") from None


def _steps(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while step := list(islice(rest, STEP)):
        yield step


# -- every night -----------------------------------------------------------------------------
def is_due(home: Path, now: datetime) -> bool:
    """Return whether the backup of the day has to be made.

    :param now: the time in the machine's time zone.
    """
    return now.hour >= HOUR and not _nightly_file(home, now).exists()


def make_nightly(home: Path, now: datetime) -> Path:
    """Make the backup of the day, and remove the oldest ones; return its file.

    :raises BackupError: the home holds no library.
    """
    file = _nightly_file(home, now)
    write(FileStore(home / "udi" / "udi.db"), config.load(), file)
    for old in sorted(file for file in file.parent.iterdir() if _NIGHTLY.fullmatch(file.name))[:-KEPT]:
        old.unlink()
    return file


def _nightly_file(home: Path, now: datetime) -> Path:
    return home / FOLDER / f"{now:%Y-%m-%d}.backup"


if __name__ == "__main__":
    make_nightly(config.home(), datetime.now().astimezone())
