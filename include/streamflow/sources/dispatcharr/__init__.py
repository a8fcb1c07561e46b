"""Dispatcharr: reads its library and viewers, writes orders and measurements back."""

from streamflow.sources.dispatcharr.source import Dispatcharr

__all__ = ["Dispatcharr"]
