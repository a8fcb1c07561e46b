"""The simulated makespan, compared with bounds and with the limiter itself."""

from __future__ import annotations

import random
import threading
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from account_limiter import AccountLimit, Granted, Limiter, Queued, Request
from account_limiter.redis.limiter import new_holder
from streamflow.planning.makespan import Job, Limits, makespan


def jobs(account: str, number: int, seconds: float = 10.0) -> list[Job]:
    return [Job(account, (account,), seconds)] * number


@pytest.mark.parametrize(
    ("some", "limits", "seconds"),
    [
        ([], Limits({}), 0),
        (jobs("a", 10), Limits({"a": 1}), 100),
        (jobs("a", 10), Limits({"a": 4}), 30),
        (jobs("a", 10), Limits({"a": 0}), 10),
        (jobs("a", 10), Limits({"a": 0}, 5), 20),
        (jobs("a", 10), Limits({"a": 0}, 0, 2), 28),
        (jobs("a", 10) + jobs("b", 10), Limits({"a": 1, "b": 5}), 100),
        (jobs("a", 10) + jobs("b", 10), Limits({"a": 5, "b": 5}, 5), 40),
        ([Job("a", ("a",), 2, pauses=20)] * 3, Limits({"a": 1}), 26),
        ([Job("a", ("own", "second"), 10)] * 6, Limits({"own": 1, "second": 2}), 20),
        ([Job("a", ("login",), 10)] * 3 + [Job("b", ("login",), 10)] * 3, Limits({"login": 2}), 30),
    ],
)
def test_the_makespan_follows_from_the_limits(some: list[Job], limits: Limits, seconds: float) -> None:
    assert makespan(some, limits) == pytest.approx(seconds)


@given(
    some=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.1, 30)), min_size=1, max_size=60),
    limits=st.fixed_dictionaries({account: st.integers(0, 4) for account in "abc"}),
    together=st.integers(0, 6),
)
def test_no_schedule_is_shorter_than_its_bounds_or_longer_than_one_after_another(
    some: list[tuple[str, float]], limits: dict[str, int], together: int
) -> None:
    found = makespan([Job(account, (account,), seconds) for account, seconds in some], Limits(limits, together))
    total = sum(seconds for _, seconds in some)
    for account, limit in limits.items():
        assert found >= sum(seconds for one, seconds in some if one == account) / (limit or len(some)) - 1e-6
    assert max(seconds for _, seconds in some) - 1e-6 <= found <= total + 1e-6
    assert found >= total / (together or len(some)) - 1e-6


@pytest.mark.parametrize("together", [4, 8])
def test_the_makespan_is_within_a_tenth_of_the_limiters(redis_client: Redis, together: int) -> None:
    """Hold real slots for the seconds of each job, by as many workers as jobs, queued in their order."""
    chance = random.Random(together)
    limits = {1: 1, 2: 2, 3: 5, 4: 0}
    accounts = [1] * 5 + [2] * 12 + [3] * 18 + [4] * 15
    chance.shuffle(accounts)
    seconds = [chance.uniform(0.6, 1.4) for _ in accounts]
    # A slot passes to the next thread within some milliseconds.
    some = [Job(str(one), (f"budget-{one}",), held + 0.03) for one, held in zip(accounts, seconds, strict=True)]
    expected = makespan(some, Limits({f"budget-{one}": limit for one, limit in limits.items()}, together, 0.01))
    limiter = Limiter(redis_client)
    limiter.configure(
        accounts=[AccountLimit(one, limit=limit) for one, limit in limits.items()], global_limit=together,
        stagger_delay=0.01,
    )  # fmt: skip
    limiter.open_now()
    requests = [Request(str(uuid.uuid4()), account) for account in accounts]
    began = time.monotonic()
    queued = [(request, holder := new_holder(), limiter.acquire(request, holder)) for request in requests]

    def work(request: Request, holder: str, answer: object, seconds: float) -> None:
        if isinstance(answer, Queued):
            answer = limiter.wait(request, holder, timeout=60, rank=answer.rank)
        assert isinstance(answer, Granted)
        time.sleep(seconds)
        limiter.release(answer.lease, succeeded=True)

    threads = [threading.Thread(target=work, args=(*one, held)) for one, held in zip(queued, seconds, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began == pytest.approx(expected, rel=0.1)
