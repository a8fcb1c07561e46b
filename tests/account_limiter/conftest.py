"""A limiter that is open and has three accounts."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from redis import Redis

from account_limiter import Account, Granted, Lease, Limiter, Request

ACCOUNTS = (Account(1, "one", 1), Account(2, "two", 2), Account(3, "endless", 0))


@pytest.fixture
def limiter(redis_client: Redis) -> Limiter:
    limiter = Limiter(redis_client)
    limiter.configure(accounts=ACCOUNTS, global_limit=4, stagger_delay=0)
    limiter.open_now()
    return limiter


@pytest.fixture
def request_of() -> Callable[..., Request]:
    """Makes a request of an account under a new id."""
    numbers = itertools.count(1)
    return lambda account=1, **more: Request(**{"lease_id": f"lease-{next(numbers)}", "account_id": account, **more})


@pytest.fixture
def take(limiter: Limiter, request_of: Callable[..., Request]) -> Callable[..., Lease]:
    """Acquires a lease that must be free."""

    def taken(account: int = 1, **more: object) -> Lease:
        request = request_of(account, **more)
        answer = limiter.acquire(request, f"holder-of-{request.lease_id}", enqueue=False)
        assert isinstance(answer, Granted), answer
        return answer.lease

    return taken
