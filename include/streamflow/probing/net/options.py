"""The options of a probe's connections."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamflow.net.egress import EgressOptions
from streamflow.probing.net.tls import TlsMode


@dataclass(frozen=True)
class NetworkOptions:
    """How a probe connects. Times are in seconds.

    :param proxy: the URL of the proxy that all connections go through.
    :param egress: decides which addresses may be reached.
    :param account_busy: other connections of the account are in use, so that a 403 may mean one too many.
    """

    connect_timeout: float
    read_timeout: float
    proxy: str | None = field(default=None, repr=False)
    tls: TlsMode = "report"
    egress: EgressOptions = field(default_factory=EgressOptions)
    account_busy: bool = False
