"""``/leases``: slots of accounts for the rest of the household, such as recorders and other tools."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from account_limiter import Refused
from account_limiter.redis.lease_book import Entry, Waiting
from stream_checker.http.access import Editor
from stream_checker.http.problems import Fault, Problem, responses
from stream_checker.http.throttle import at_most
from stream_checker.resources import OpenLeaseBook, OpenLimiter, OpenRedis, OpenStore
from stream_tasks import limits
from streamflow import shared_settings
from streamflow.plain_text import plain_text

# A slot that comes free within this time, or the moment after which an idle limiter grants slots, is waited for.
PATIENCE_SECONDS = 1.5
RETRY_SECONDS = 2
LONGEST_SECONDS = 86_400

LeaseId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of the lease or of the place in the queue")]

router = APIRouter(prefix="/leases", tags=["leases"], dependencies=[Editor])


class Life(BaseModel):
    """The life of a lease."""

    model_config = ConfigDict(extra="forbid")

    seconds: float = Field(
        ge=1, le=LONGEST_SECONDS, description="Seconds after which the lease ends by itself", examples=[3600]
    )


class LeaseRequest(Life):
    """A request for one connection to an account."""

    account_id: int = Field(ge=1, le=2**63 - 1, description="Id of the account", examples=[1])
    label: str = Field(min_length=1, max_length=100, description="Name of the use, shown on the page")


class HouseholdLease(BaseModel):
    """The right to use one connection of an account until ``expires_at``."""

    lease_id: str = Field(description="Id of the lease")
    account_id: int = Field(description="Id of the account")
    login: str = Field(description="Login of the account that the connection counts against")
    label: str = Field(description="Name of the use")
    acquired_at: datetime = Field(description="Time of the grant")
    expires_at: datetime = Field(description="Time at which the lease ends; the connection must be closed by then")


@router.post(
    "",
    status_code=201,
    dependencies=[at_most(8)],
    responses=responses(401, 403, 404, 409, 413, 422, 429, 503),
)
def take_lease(
    wanted: LeaseRequest,
    response: Response,
    book: OpenLeaseBook,
    limiter: OpenLimiter,
    redis: OpenRedis,
    store: OpenStore,
) -> HouseholdLease:
    """Take a connection of an account, with the same guarantees as a check.

    409 when there is none: it contains ``lease_id`` and ``place``, the place in the queue. Ask for it with
    ``PUT /leases/{lease_id}`` every few seconds; a place that nobody asks for is lost after 40 seconds.
    """
    settings, label = shared_settings.load(redis), plain_text(wanted.label)
    limits.refresh_viewers(redis, store, settings)
    answer = book.open(wanted.account_id, label, wanted.seconds, patience=PATIENCE_SECONDS)
    if answer == Refused("unknown_account") and limits.configure(limiter, store, settings):
        answer = book.open(wanted.account_id, label, wanted.seconds, patience=PATIENCE_SECONDS)
    lease = _lease(answer)
    response.headers["Location"] = f"leases/{lease.lease_id}"
    return lease


@router.put("/{lease_id}", responses=responses(401, 403, 404, 409, 413, 422, 503))
def prolong_lease(
    lease_id: LeaseId, life: Life, book: OpenLeaseBook, redis: OpenRedis, store: OpenStore
) -> HouseholdLease:
    """Prolong a lease, so that it ends after ``seconds`` from now, or ask for the connection of a place in the queue.

    409 with the place while there is no connection, 404 when the lease has ended: close the connection then.
    """
    limits.refresh_viewers(redis, store, shared_settings.load(redis))
    answer = book.ask(lease_id, life.seconds)
    if answer is None:
        raise Problem(404, "The lease has ended, or there was none.")
    return _lease(answer)


@router.delete("/{lease_id}", status_code=204, responses=responses(401, 403, 404, 422, 503))
def give_lease_back(lease_id: LeaseId, book: OpenLeaseBook) -> None:
    """Give the connection back, or leave the queue."""
    if not book.close(lease_id):
        raise Problem(404, "The lease has ended, or there was none.")


def _lease(answer: Entry | Waiting | Refused) -> HouseholdLease:
    match answer:
        case Waiting(entry, place):
            raise Problem(
                409,
                f"The account has no free connection. Place {place} in the queue.",
                headers={"Retry-After": str(RETRY_SECONDS)},
                extra={"lease_id": entry.lease_id, "place": place},
            )
        case Refused("unknown_account"):
            fault = Fault(field="account_id", message="no account with this id is known")
            raise Problem(422, f"{fault.field}: {fault.message}", errors=[fault])
        case Refused(reason):
            raise Problem(409, f"The account has no connection to give: {reason}.")
        case entry:
            return HouseholdLease(
                lease_id=entry.lease_id,
                account_id=int(entry.account_id),
                login=entry.budget_id,
                label=entry.label,
                acquired_at=datetime.fromtimestamp(entry.acquired_at, UTC),
                expires_at=datetime.now(UTC) + timedelta(seconds=entry.left),
            )
