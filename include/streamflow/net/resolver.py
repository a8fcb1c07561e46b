"""Name resolution with a time-out."""

from __future__ import annotations

import queue
import socket
import threading

import httpcore


class NameNotFoundError(httpcore.ConnectError):
    """The host's name could not be resolved."""


def resolve(host: str, port: int, timeout: float | None) -> list[str]:
    """Return the host's IP addresses, in the order of the system's resolver.

    The system's resolver has no time-out, so it runs in a thread of its own.

    :param timeout: seconds to wait, None for no limit.
    :raises NameNotFoundError: when there is none, or none in time.
    """
    outcome: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            records = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            outcome.put(list(dict.fromkeys(str(record[4][0]) for record in records)))
        except (OSError, UnicodeError) as error:
            outcome.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=look_up, name="resolver", daemon=True).start()
    try:
        addresses = outcome.get(timeout=timeout)
    except queue.Empty:
        raise NameNotFoundError(f"{host} was not resolved in {timeout:g} s") from None
    if isinstance(addresses, OSError):
        raise NameNotFoundError(f"{host} cannot be resolved")
    return addresses
