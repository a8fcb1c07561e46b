"""The processes of a probe: the entry of the fork server, and what each of them does.

A stream over HTTP has two: the ``fetcher`` speaks with the network and never decodes, the ``decoder`` decodes and never
speaks with the network. A stream that libav must open itself has one, the ``player``.
"""

from __future__ import annotations

import pkgutil
import socket
from importlib import import_module

import av

from streamflow.probing import decoder, fetcher, player
from streamflow.probing.isolation.fork_server import Role, serve
from streamflow.probing.media.demuxer import limit_allocations
from streamflow.records import Result
from streamflow.records.record import prepare

# The largest playlist and the media that wait, a few times over.
FETCHER_MEMORY_BYTES = 400_000_000
ROLES = {
    "fetcher": Role("network", fetcher.run, FETCHER_MEMORY_BYTES),
    "decoder": Role("decoder", decoder.run),
    "player": Role("network", player.run),
}


# Encodings are loaded at their first use.
_ENCODINGS = ("ascii", "latin_1", "utf_8", "idna")


def load() -> None:
    """Load what all processes share: a decoder cannot open a file later. Bound what libav allocates.

    PyAV imports some of its own modules when a stream first needs them.
    """
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for encoding in _ENCODINGS:
        import_module(f"encodings.{encoding}")
    limit_allocations()
    prepare(Result)


def main(orders: int) -> None:
    """Serve the orders that arrive on a socket."""
    load()
    serve(socket.socket(fileno=orders), ROLES)
