"""Slots of accounts, shared by all workers of an Airflow project.

An exact limiter in Redis decides which task may use an account, and a task without a slot is deferred until it gets
one. :class:`Limiter` works without Airflow. :class:`SlotOperator` and :class:`SlotWork` are imported at their first
use, so that a program which only reads the limiter does not load Airflow.
"""

from typing import TYPE_CHECKING, Any

from account_limiter.airflow.connection import connect, connect_async
from account_limiter.core.errors import LeaseLost, LimiterError, LimiterOutdated, LimiterUnavailable
from account_limiter.core.history import History, Series
from account_limiter.core.machine_load import MachineLoad
from account_limiter.core.records import (
    AccountLimit,
    AccountState,
    Budget,
    BudgetState,
    BudgetUsage,
    Closed,
    Granted,
    Lease,
    LeaseState,
    Queued,
    QueueState,
    Refused,
    Renewed,
    Request,
    Reset,
    Settings,
    Snapshot,
)
from account_limiter.redis.holder import Holder
from account_limiter.redis.library import DEFAULT_PREFIX, events_key
from account_limiter.redis.limiter import Limiter, new_holder

if TYPE_CHECKING:
    from account_limiter.airflow.operator import SlotOperator, SlotRefused, SlotWork, State, TryAgain

__version__ = "0.1.0"

_OPERATOR_NAMES = ("SlotOperator", "SlotRefused", "SlotWork", "State", "TryAgain")

__all__ = [
    "DEFAULT_PREFIX",
    "AccountLimit",
    "AccountState",
    "Budget",
    "BudgetState",
    "BudgetUsage",
    "Closed",
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
    "MachineLoad",
    "QueueState",
    "Queued",
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
    "State",
    "TryAgain",
    "connect",
    "connect_async",
    "events_key",
    "new_holder",
]


def __getattr__(name: str) -> Any:
    if name in _OPERATOR_NAMES:
        from account_limiter.airflow import operator

        return getattr(operator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
