from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streamflow.planning.rounds import in_rounds
from streamflow.records import Account, Profile
from support.library import stream


def ends_after(order: Sequence[int], account_of: dict[int, int], limits: dict[int, int], slots: int) -> int:
    """Return the number of rounds of equally long checks in which every task finds a slot of its account."""
    rounds, place = 0, 0
    while place < len(order):
        held: Counter[int] = Counter()
        while place < len(order) and held.total() < slots:
            account = account_of[order[place]]
            if limits[account] and held[account] >= limits[account]:
                break
            held[account] += 1
            place += 1
        rounds += 1
    return rounds


def test_the_global_limit_never_holds_up_the_account_that_takes_longest() -> None:
    limits = {1: 1, 2: 2, 3: 5, 4: 0}
    streams = [stream(i, account_id=1 + i // 50) for i in range(200)]
    account_of = {one.id: one.account_id or 0 for one in streams}
    order = in_rounds(streams, {i: Account(id=i, name=str(i), max_streams=n) for i, n in limits.items()}, 10)
    assert sorted(order) == list(range(200))
    assert ends_after(order, account_of, limits, 10) == 50
    assert [i for i in order if account_of[i] == 2] == list(range(50, 100))


def test_a_round_uses_all_profiles_of_an_account_and_a_shared_login_once() -> None:
    profiles = (Profile(id=1, max_streams=1, is_default=True), Profile(id=2, max_streams=2))
    known = {
        1: Account(id=1, name="profiles", max_streams=1, profiles=profiles),
        2: Account(id=2, name="shared", max_streams=1, budget="login"),
        3: Account(id=3, name="shared too", max_streams=1, budget="login"),
    }
    streams = [stream(i, account_id=1) for i in (1, 2, 3, 4)] + [stream(5, account_id=2), stream(6, account_id=3)]
    assert in_rounds(streams, known, 10) == [5, 1, 2, 3, 6, 4]
