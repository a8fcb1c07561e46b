"""The UDI of this home, for commands that need no running stack."""

from __future__ import annotations

from streamflow import config
from streamflow.errors import UnknownRecord
from streamflow.udi import Udi, open_udi
from streamflow_stack import redis_address


def open_local() -> Udi:
    """Return the UDI of this home.

    :raises UnknownRecord: if it holds no library.
    """
    home = config.home()
    address = redis_address.locate(home=home)
    store = open_udi(address.client() if address else None, home)
    if store.library.refreshed_at() is None:
        raise UnknownRecord(f"the UDI of {home} holds no library: run this command where the stack runs")
    return store
