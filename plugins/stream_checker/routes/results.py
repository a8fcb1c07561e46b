"""``/results``: the latest result of each stream, filtered by indexes and paged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from stream_checker import cursors
from stream_checker.access import Reader
from stream_checker.problems import responses
from stream_checker.stores import KnownNames, Udi
from streamflow.udi.models import Account, Result, Stream, Verdict
from streamflow.udi.store import Store

router = APIRouter(tags=["results"], dependencies=[Reader])

EVER = datetime(1970, 1, 1, tzinfo=UTC)


class NamedResult(Result):
    """A result, with the names that a person knows the stream and its account by."""

    name: str | None = Field(default=None, examples=["Das Erste HD"])
    account: str | None = Field(default=None, examples=["Provider A"])


class ResultPage(BaseModel):
    """``total`` counts what the filters let through; ``next_cursor`` is null on the last page."""

    results: list[NamedResult]
    total: int
    next_cursor: str | None


@router.get("/results", responses=responses(401, 403, 422, 503))
def results(
    store: Udi,
    names: KnownNames,
    channel_id: int | None = None,
    account_id: int | None = None,
    status: Annotated[Verdict | None, Query(description="The verdict")] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of the stream's name")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=100, description="`next_cursor` of the page before")] = None,
) -> ResultPage:
    """Latest results in the order of their streams' ids."""
    chosen = set(store.streams_of_verdict(status) if status else store.checked_since(EVER))
    if channel_id is not None:
        channel = store.channel(channel_id)
        chosen.intersection_update(channel.stream_ids if channel else ())
    if account_id is not None:
        chosen.intersection_update(store.streams_of_account(account_id))
    if q:
        chosen.intersection_update(names.streams(store, q))
    ids, following = cursors.page(sorted(chosen), cursor, limit)
    return ResultPage(results=named(store, ids), total=len(chosen), next_cursor=following)


def named(store: Store, stream_ids: Sequence[int]) -> list[NamedResult]:
    """The latest results of the streams that have one, in the given order."""
    found, streams = store.results(stream_ids), store.streams(stream_ids)
    accounts = {account.id: account for account in store.accounts()}
    return [name(found[id], streams.get(id), accounts) for id in stream_ids if id in found]


def name(result: Result, stream: Stream | None, accounts: dict[int, Account]) -> NamedResult:
    account = accounts.get(result.account_id) if result.account_id is not None else None
    return NamedResult.model_construct(
        **dict(result), name=stream.name if stream else None, account=account.name if account else None
    )
