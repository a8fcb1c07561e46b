"""Proxies for the tests: HTTP with CONNECT, and SOCKS5 with a login."""

from __future__ import annotations

import base64
import socket
import struct
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from support.probing.listening import Listening

LOGIN = ("me", "se:cret")
REFUSED, UNREACHABLE, FORBIDDEN = 5, 4, 2


class Proxy(Listening):
    """Connects every client to one server, whatever host it asks for, and notes the hosts.

    :param answer: the code of a refusal, 0 to connect.
    :param mute: accept connections and send nothing.
    """

    def __init__(self, server_port: int, *, answer: int = 0, mute: bool = False) -> None:
        self.asked: list[str] = []
        self._server_port = server_port
        self._answer = answer
        self._mute = mute
        super().__init__()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, IndexError):
            if self._mute:
                client.recv(1)
                threading.Event().wait(5)
                return
            begun = self.introduce(client)
            if begun is None:
                return
            with socket.create_connection(("127.0.0.1", self._server_port)) as server:
                server.sendall(begun)
                threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()
                _pass_on(client, server)

    def introduce(self, client: socket.socket) -> bytes | None:
        """Read the client's request; return the bytes to pass on at once, None when it was refused."""
        raise NotImplementedError


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)


class Socks(Proxy):
    """A SOCKS5 proxy (RFC 1928) that accepts a login (RFC 1929)."""

    def introduce(self, client: socket.socket) -> bytes | None:
        """Read the methods, the login and the command."""
        methods = client.recv(2)[1]
        wants_login = 2 in client.recv(methods)
        client.sendall(b"\x05\x02" if wants_login else b"\x05\x00")
        if wants_login:
            _, size = client.recv(2)
            name = client.recv(size).decode()
            password = client.recv(client.recv(1)[0]).decode()
            let_in = (name, password) == LOGIN
            client.sendall(b"\x01\x00" if let_in else b"\x01\x01")
            if not let_in:
                return None
        _, _, _, kind = client.recv(4)
        host = socket.inet_ntoa(client.recv(4)) if kind == 1 else client.recv(client.recv(1)[0]).decode()
        (port,) = struct.unpack(">H", client.recv(2))
        self.asked.append(f"{host}:{port}")
        client.sendall(bytes((5, self._answer, 0, 1)) + bytes(6))
        return b"" if self._answer == 0 else None


class Http(Proxy):
    """An HTTP proxy that requires a login."""

    def introduce(self, client: socket.socket) -> bytes | None:
        """Read the head of the request."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        method, target, _ = head.split(b"\r\n")[0].decode().split()
        self.asked.append(target)
        basic = base64.b64encode(":".join(LOGIN).encode())
        if b"Proxy-Authorization: Basic " + basic not in head:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return None
        if self._answer:
            client.sendall(b"HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\n\r\n" % self._answer)
            return None
        if method == "CONNECT":
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            return b""
        parts = urlsplit(target)
        return head.replace(target.encode(), parts.path.encode(), 1)
