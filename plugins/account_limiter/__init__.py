"""Slots of accounts, shared by every worker: an exact limiter in Redis and the deferral of tasks that wait for one."""

from account_limiter.connection import connect, connect_async
from account_limiter.errors import LeaseLost, LimiterError, LimiterUnavailable
from account_limiter.holder import Holder
from account_limiter.limiter import Limiter, new_holder
from account_limiter.records import (
    Account,
    AccountState,
    Budget,
    BudgetState,
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

__all__ = [
    "Account",
    "AccountState",
    "Budget",
    "BudgetState",
    "Granted",
    "Holder",
    "Lease",
    "LeaseLost",
    "LeaseState",
    "Limiter",
    "LimiterError",
    "LimiterUnavailable",
    "Queued",
    "Refused",
    "Renewed",
    "Request",
    "Reset",
    "Settings",
    "Snapshot",
    "connect",
    "connect_async",
    "new_holder",
]
