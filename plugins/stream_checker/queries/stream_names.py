"""Names of streams and accounts, joined to records that hold only a stream's id."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, Field

from streamflow.records import Result
from streamflow.udi.ports import Store


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


def latest_results(store: Store, stream_ids: Iterable[int]) -> list[NamedResult]:
    """Return the latest results of the streams that have one, in the given order.

    :raises UdiUnavailable: when the UDI cannot be read.
    """
    ids = list(stream_ids)
    results, names = store.results.latest_of(ids), StreamNames(store, ids)
    return [names.named_result(results[id]) for id in ids if id in results]
