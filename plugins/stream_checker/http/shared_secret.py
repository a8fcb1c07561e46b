"""Secrets that let other programs use one route without a user of Airflow."""

from __future__ import annotations

import hmac
import math
import os

from stream_checker.http.problems import Problem
from stream_checker.http.throttle import FailureLimit

# This number of wrong secrets is allowed in a minute.
MAX_FAILURES = 10


class SharedSecret:
    """A secret that an environment variable of the API server holds. Thread-safe.

    The right secret always passes, so that wrong ones from elsewhere cannot block the program that has it.

    :param variable: the environment variable.
    :param subject: what the secret opens, as the first words of a sentence: "Webhooks are".
    :param name: the secret as a sentence names it: "The webhook's secret".
    """

    def __init__(self, variable: str, subject: str, name: str) -> None:
        self._variable = variable
        self._subject = subject
        self._name = name
        self._failures = FailureLimit(MAX_FAILURES, seconds=60)

    def require(self, given: str) -> None:
        """Let a request with the secret pass.

        :raises Problem: 404 when no secret is configured, 401 when the secret is wrong, 429 after many wrong ones.
        """
        secret = os.environ.get(self._variable)
        if not secret:
            raise Problem(404, f"{self._subject} off. Set {self._variable} where the API server runs.")
        if hmac.compare_digest(given.encode(), secret.encode()):
            return
        if wait := self._failures.record():
            raise Problem(429, "Too many wrong secrets.", headers={"Retry-After": str(math.ceil(wait))})
        raise Problem(401, f"{self._name} is missing or wrong.", headers={"WWW-Authenticate": "Bearer"})
