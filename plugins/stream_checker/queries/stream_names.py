"""What a stream and its account are called, joined to what knows only a stream's id."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, Field

from streamflow.records import Result
from streamflow.udi.ports import Store


class NamedStream(BaseModel):
    """A stream as a person knows it; the names are null for what the UDI holds no more."""

    stream_id: int
    name: str | None = Field(examples=["Das Erste HD"])
    account_id: int | None
    account: str | None = Field(examples=["Provider A"])


class NamedResult(Result):
    """A result, with the names that a person knows the stream and its account by."""

    name: str | None = Field(default=None, examples=["Das Erste HD"])
    account: str | None = Field(default=None, examples=["Provider A"])


class StreamNames:
    """The labels of some streams, read at once. Raises UdiUnavailable."""

    def __init__(self, store: Store, stream_ids: Iterable[int]) -> None:
        self._streams = store.library.streams(stream_ids)
        self._accounts: dict[int | None, str] = {account.id: account.name for account in store.library.accounts()}

    def name(self, stream_id: int) -> str | None:
        stream = self._streams.get(stream_id)
        return stream.name if stream else None

    def of(self, stream_id: int) -> NamedStream:
        stream = self._streams.get(stream_id)
        account_id = stream.account_id if stream else None
        return NamedStream(
            stream_id=stream_id,
            name=stream.name if stream else None,
            account_id=account_id,
            account=self._accounts.get(account_id),
        )

    def named(self, result: Result) -> NamedResult:
        """The result under its stream's name, and that of the account it was checked with."""
        return NamedResult.model_construct(
            **dict(result), name=self.name(result.stream_id), account=self._accounts.get(result.account_id)
        )


def named(store: Store, stream_ids: Iterable[int]) -> list[NamedResult]:
    """The latest results of the streams that have one, in the given order. Raises UdiUnavailable."""
    ids = list(stream_ids)
    found, labels = store.results.latest_of(ids), StreamNames(store, ids)
    return [labels.named(found[id]) for id in ids if id in found]
