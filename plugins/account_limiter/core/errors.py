"""Errors of the limiter.

::

    LimiterError
    ├── LimiterUnavailable    Redis is away or cannot write
    │   └── LimiterOutdated   a newer version of the package has taken over
    └── LeaseLost             a lease ended before its holder released it
"""


class LimiterError(Exception):
    """Base of every error that the limiter raises on purpose."""


class LimiterUnavailable(LimiterError):
    """Redis does not respond or cannot write. No slot is granted until it is back."""


class LimiterOutdated(LimiterUnavailable):
    """A newer version with another layout of the keys uses this Redis. This version gets no slot.

    The leases of the newer version are invisible here, so no work may start without a lease either.
    """


class LeaseLost(LimiterError):
    """The lease has ended and its slot may be granted to another holder.

    :param lease_id: id of the lease.
    :param reason: ``reset`` (all leases were dropped), ``stale`` (it reached ``stale_after``), ``taken`` (another
        holder has its id), ``full`` (it had expired and its slot is in use), ``unreachable`` (it could not be renewed
        in time), ``viewer`` (it yielded to a viewer) or ``killed`` (its task was stopped).
    """

    def __init__(self, lease_id: str, reason: str) -> None:
        super().__init__(f"lease {lease_id} is lost: {reason}")
        self.lease_id = lease_id
        self.reason = reason
