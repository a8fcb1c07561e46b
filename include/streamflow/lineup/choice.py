"""The choice among the candidates of a channel: the accounts take turns, within the bounds of the settings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from streamflow.config import Matching
from streamflow.records import Stream


def chosen(
    present: Sequence[int], candidates: Iterable[int], streams: Mapping[int, Stream], settings: Matching, most: int
) -> list[int]:
    """Return the candidates that a channel gets, in the order in which they come behind the streams that are there.

    The account with the fewest streams in the channel comes first each time, so that no account fills it alone.

    :param candidates: the candidates of the channel; those of one account in the order of preference.
    :param most: the number of streams that the channel may reach.
    """
    counts = Counter(streams[stream].account_id for stream in present if stream in streams)
    queues: dict[int | None, list[int]] = defaultdict(list)
    for stream in dict.fromkeys(candidates):
        if stream not in present:
            queues[streams[stream].account_id].append(stream)
    picked: list[int] = []
    while len(present) + len(picked) < most:
        open_accounts = [
            account
            for account, queue in queues.items()
            if queue and (settings.most_per_account is None or counts[account] < settings.most_per_account)
        ]
        if not open_accounts:
            break
        account = min(open_accounts, key=lambda one: (counts[one], one is None, one or 0))
        picked.append(queues[account].pop(0))
        counts[account] += 1
    return picked
