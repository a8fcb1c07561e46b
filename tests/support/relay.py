"""A TCP relay that can be cut, like a network that fails."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress

HOST = "127.0.0.1"


class Relay:
    """Relays connections to a port. While it is cut, it refuses new connections and has ended the open ones.

    :param port: the port of ``target``.
    :param own: the address and the port to listen on; port 0 is any free one.
    """

    def __init__(self, port: int, target: str = HOST, own: tuple[str, int] = (HOST, 0)) -> None:
        self._target = (target, port)
        self._host, self.port = own
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.restore()

    @property
    def address(self) -> str:
        """The URL of the relay."""
        return f"http://{self._host}:{self.port}"

    def restore(self) -> None:
        """Let connections through, on the same port as before."""
        listener = socket.create_server((self._host, self.port), backlog=128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse new connections and end the open ones."""
        if self._listener:
            # This wakes the accepting thread. Closing alone would leave the thread and the port in use.
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            for end in self._open:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._target) as server:
            with self._lock:
                self._open |= {client, server}
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join()
            with self._lock:
                self._open -= {client, server}


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    # In another host: python relay.py OWN TARGET PORT… serves these ports of the target at an address of its own.
    own_address, target_address = sys.argv[1:3]
    for number in map(int, sys.argv[3:]):
        Relay(number, target_address, (own_address, number))
    threading.Event().wait()
