"""Dispatcharr: the library from it, orders and statistics to it, and its viewers."""

from streamflow.sources.dispatcharr.source import Dispatcharr, from_env

__all__ = ["Dispatcharr", "from_env"]
