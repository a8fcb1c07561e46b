"""When a process that ended by itself is started again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """Restart a process after a pause that doubles with each failed start, and give up after too many of them.

    By default the first failed start is the last: a part of Airflow that ends soon after its start would end again.

    :param tolerated_failures: failed starts in a row before giving up; None never gives up.
    :param short_life_seconds: a process that ran for less time counts as a failed start.
    :param pause_seconds: the pause after a process that ran for longer.
    :param longest_pause_seconds: the bound of the pause.
    """

    tolerated_failures: int | None = 0
    short_life_seconds: float = 30.0
    pause_seconds: float = 1.0
    longest_pause_seconds: float = 60.0

    def pause(self, failures: int) -> float | None:
        """Return the pause in seconds after a number of failed starts in a row; None to give up."""
        if self.tolerated_failures is not None and failures > self.tolerated_failures:
            return None
        # 2 ** 10 exceeds any useful bound, and a larger power would overflow in the end.
        return min(self.pause_seconds * 2.0 ** min(failures, 10), self.longest_pause_seconds)


class Restarts:
    """Counts the failed starts of one process."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._failures = 0

    def after(self, lived: float) -> float | None:
        """Return the pause in seconds before the next start of a process that has just ended.

        :param lived: seconds between its start and its end.
        :returns: None when the process shall not be started again.
        """
        self._failures = self._failures + 1 if lived < self._policy.short_life_seconds else 0
        return self._policy.pause(self._failures)
