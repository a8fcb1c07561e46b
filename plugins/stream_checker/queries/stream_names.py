"""Names of streams and accounts, joined to records that hold only a stream's id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, Field

from streamflow.records import ChannelChange, Move, Result
from streamflow.udi.ports import Store

# A stream in the reason of a move, see streamflow.ordering.moves.
_MENTION = re.compile(r"\bstream (\d+)\b")


class NamedStream(BaseModel):
    """A stream with its names, which are null when the UDI no longer holds the stream or the account."""

    stream_id: int = Field(description="Id of the stream in Dispatcharr")
    name: str | None = Field(description="Name of the stream", examples=["Das Erste HD"])
    account_id: int | None = Field(description="Id of the stream's account")
    account: str | None = Field(description="Name of the account", examples=["Provider A"])


class NamedResult(Result):
    """A result with the names of its stream and account."""

    name: str | None = Field(default=None, description="Name of the stream", examples=["Das Erste HD"])
    account: str | None = Field(default=None, description="Name of the account", examples=["Provider A"])


class StreamNames:
    """The names of some streams, read in one batch.

    :raises UdiUnavailable: when the UDI cannot be read.
    """

    def __init__(self, store: Store, stream_ids: Iterable[int]) -> None:
        self._streams = store.library.streams(stream_ids)
        self._accounts: dict[int | None, str] = {account.id: account.name for account in store.library.accounts()}

    def name(self, stream_id: int) -> str | None:
        """Return the name of a stream, or None."""
        stream = self._streams.get(stream_id)
        return stream.name if stream else None

    def named(self, stream_id: int) -> NamedStream:
        """Return a stream with its names."""
        stream = self._streams.get(stream_id)
        account_id = stream.account_id if stream else None
        return NamedStream(
            stream_id=stream_id,
            name=stream.name if stream else None,
            account_id=account_id,
            account=self._accounts.get(account_id),
        )

    def named_result(self, result: Result) -> NamedResult:
        """Return a result with the names of its stream and of the account that it was checked with."""
        return NamedResult.model_construct(
            **dict(result), name=self.name(result.stream_id), account=self._accounts.get(result.account_id)
        )


def named_reason(why: str, names: Mapping[int, str]) -> str:
    """Return the reason of a move with the names of the streams that it mentions by id, in quotation marks."""

    def name(mention: re.Match[str]) -> str:
        stream_id = int(mention[1])
        return f"“{names[stream_id]}”" if stream_id in names else mention[0]

    return _MENTION.sub(name, why)


def named_change(change: ChannelChange, names: Mapping[int, str]) -> ChannelChange:
    """Return a change whose reasons name the streams that they mention."""

    def named(moves: Iterable[Move]) -> tuple[Move, ...]:
        return tuple(move.model_copy(update={"why": named_reason(move.why, names)}) for move in moves)

    return change.model_copy(update={"moves": named(change.moves), "stays": named(change.stays)})


def mentioned(why: str) -> set[int]:
    """Return the ids of the streams that a reason mentions."""
    return {int(id) for id in _MENTION.findall(why)}


def latest_results(store: Store, stream_ids: Iterable[int]) -> list[NamedResult]:
    """Return the latest results of the streams that have one, in the given order.

    :raises UdiUnavailable: when the UDI cannot be read.
    """
    ids = list(stream_ids)
    results, names = store.results.latest_of(ids), StreamNames(store, ids)
    return [names.named_result(results[id]) for id in ids if id in results]
