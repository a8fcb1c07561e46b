"""Connections to addresses that were checked before, so that no second look-up can change them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import httpcore

from streamflow.net.resolver import NameNotFoundError


def connect(
    backend: httpcore.NetworkBackend,
    addresses: Sequence[str],
    port: int,
    timeout: float | None,
    local_address: str | None = None,
    socket_options: Iterable[Any] | None = None,
) -> httpcore.NetworkStream:
    """Return a connection to the first of a host's addresses that accepts one.

    :param timeout: seconds that all addresses share.
    :raises httpcore.ConnectError, httpcore.ConnectTimeout: none accepts one.
    """
    failure: Exception = NameNotFoundError("the host has no address")
    for address in addresses:
        try:
            share = timeout / len(addresses) if timeout else None
            return backend.connect_tcp(address, port, share, local_address, socket_options)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            failure = error
    raise failure
