"""Slots of accounts, shared by every worker: an exact limiter in Redis and the deferral of tasks that wait for one.

``SlotOperator``, ``SlotWork``, ``SlotRefused`` and ``TryAgain`` are imported at their first use. A reader of the
limiter's state then does not load Airflow's operators.
"""

from typing import TYPE_CHECKING, Any

from account_limiter.airflow.connection import connect, connect_async
from account_limiter.core.adaptive import Reading
from account_limiter.core.errors import LeaseLost, LimiterError, LimiterOutdated, LimiterUnavailable
from account_limiter.core.history import History, Series
from account_limiter.core.records import (
    Account,
    AccountState,
    Budget,
    BudgetState,
    BudgetUsage,
    Granted,
    Lease,
    LeaseState,
    Queued,
    Refused,
    Renewed,
    Request,
    Reset,
    Settings,
    Snapshot,
)
from account_limiter.redis.holder import Holder
from account_limiter.redis.limiter import Limiter, new_holder

if TYPE_CHECKING:
    from account_limiter.airflow.operator import SlotOperator, SlotRefused, SlotWork, TryAgain

_OF_OPERATOR = ("SlotOperator", "SlotRefused", "SlotWork", "TryAgain")

__all__ = [
    "Account",
    "AccountState",
    "Budget",
    "BudgetState",
    "BudgetUsage",
    "Granted",
    "History",
    "Holder",
    "Lease",
    "LeaseLost",
    "LeaseState",
    "Limiter",
    "LimiterError",
    "LimiterOutdated",
    "LimiterUnavailable",
    "Queued",
    "Reading",
    "Refused",
    "Renewed",
    "Request",
    "Reset",
    "Series",
    "Settings",
    "SlotOperator",
    "SlotRefused",
    "SlotWork",
    "Snapshot",
    "TryAgain",
    "connect",
    "connect_async",
    "new_holder",
]


def __getattr__(name: str) -> Any:
    if name in _OF_OPERATOR:
        from account_limiter.airflow import operator

        return getattr(operator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
