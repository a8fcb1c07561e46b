"""The order of concurrent checks that ends a run soonest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from streamflow.records import Account, Stream

# Stands for a number of connections that is not limited.
UNLIMITED = 1_000


def in_rounds(streams: Iterable[Stream], accounts: Mapping[int, Account], global_limit: int) -> list[int]:
    """Return the streams in the order that ends the run soonest and starts the fewest tasks only to wait.

    Checks that can run at once form a round. Each round serves the account with the most rounds to come first, because
    the run lasts as long as that account does; the others share the rest of the global limit.
    """
    waiting: dict[str, deque[int]] = {}
    widths: dict[str, int] = {}
    for stream in streams:
        account = accounts.get(stream.account_id) if stream.account_id is not None else None
        budget = (account.budget or str(account.id)) if account else ""
        waiting.setdefault(budget, deque()).append(stream.id)
        widths[budget] = min(_connections(account) if account else UNLIMITED, widths.get(budget, UNLIMITED))
    order: list[int] = []
    while waiting:
        free = global_limit or UNLIMITED
        for budget in sorted(waiting, key=lambda budget: -len(waiting[budget]) / widths[budget]):
            queue = waiting[budget]
            served = min(free, widths[budget], len(queue))
            order += [queue.popleft() for _ in range(served)]
            free -= served
            if not queue:
                del waiting[budget]
    return order


def _connections(account: Account) -> int:
    """Return how many streams of the account can be open at once, by all its active profiles."""
    limits = [profile.max_streams for profile in account.profiles if profile.is_active] or [account.max_streams]
    return sum(limits) if all(limits) else UNLIMITED
