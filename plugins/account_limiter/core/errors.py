"""What can go wrong with a limiter, as its users see it."""


class LimiterError(Exception):
    """Base of every error that the limiter raises on purpose."""


class LimiterUnavailable(LimiterError):
    """Redis does not answer, or cannot write: nobody acquires until it is back."""


class LimiterOutdated(LimiterUnavailable):
    """A newer version with another layout of its keys has taken the limiter over: nobody acquires by this one.

    Its leases are not seen here, so nothing may be started without a lease either.
    """


class LeaseLost(LimiterError):
    """The lease is over, its slot may be given away.

    ``reason``: ``reset`` (all leases were dropped), ``stale`` (it lived for ``stale_after``), ``taken`` (its id has
    another holder), ``full`` (it had expired and there is no room to register again), ``unreachable`` (it could not
    be renewed in time), ``viewer`` (it yields to one) or ``killed`` (its task is to end).
    """

    def __init__(self, lease_id: str, reason: str) -> None:
        super().__init__(f"lease {lease_id} is lost: {reason}")
        self.lease_id = lease_id
        self.reason = reason
