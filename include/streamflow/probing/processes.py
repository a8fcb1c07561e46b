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

ROLES = {
    "fetcher": Role("network", fetcher.run),
    "decoder": Role("decoder", decoder.run),
    "player": Role("network", player.run),
}


# Encodings are loaded at their first use.
_ENCODINGS = ("ascii", "latin_1", "utf_8", "idna")


def load() -> None:
    """Load every module that a decoder may need: it cannot open a file.

    PyAV imports some of its own modules when a stream first needs them.
    """
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for encoding in _ENCODINGS:
        import_module(f"encodings.{encoding}")


def main(orders: int) -> None:
    """Serve the orders that arrive on a socket."""
    load()
    serve(socket.socket(fileno=orders), ROLES)
