"""The Universal Data Index: accounts, streams, channels and results, looked up by index."""

from streamflow.udi.index import Udi, open_udi

__all__ = ["Udi", "open_udi"]
