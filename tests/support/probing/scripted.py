"""A server whose responses a test writes byte by byte."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Answer = bytes | Callable[["socket.socket"], None]


class Scripted:
    """Responds to each path with bytes, or by a function that writes to the socket; notes the requests."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.files: dict[str, bytes] = {}
        self.responders: dict[str, Callable[[str], bytes]] = {}
        self.asked: list[str] = []
        self.heads: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._stop = threading.Event()
        threading.Thread(target=self._accept, name="scripted", daemon=True).start()

    def url(self, path: str, answer: Answer | None = None) -> str:
        """Return the address of ``path``, after setting its response to ``answer`` where one is given."""
        if answer is not None:
            self.answers[path] = answer
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return int(self._listening.getsockname()[1])

    def serve(self, path: str, file: bytes) -> None:
        """Respond to ``path`` with a file, or with the range of it that a request asks for."""
        self.files[path] = file

    def answer_by_head(self, path: str, responder: Callable[[str], bytes]) -> str:
        """Respond to ``path`` with the bytes that ``responder`` returns for a request's head; return the address."""
        self.responders[path] = responder
        return self.url(path)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                taken, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(taken,), daemon=True).start()

    def _answer(self, taken: socket.socket) -> None:
        # Many tests are about clients that close the connection early.
        with taken, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = taken.recv(65536)
                if not piece:
                    return
                head += piece
            path = head.split()[1].decode()
            self.asked.append(path)
            self.heads.append(head.decode())
            answer = self.answers.get(path, response(b"", status=404))
            if (file := self.files.get(path.partition("?")[0])) is not None:
                answer = _part(file, head)
            if path in self.responders:
                answer = self.responders[path](head.decode())
            if callable(answer):
                answer(taken)
            else:
                taken.sendall(answer)

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._listening.close()


class Flood:
    """A response without end, of the same bytes as fast as the client reads them; ``sent`` counts them."""

    def __init__(self, again: bytes, first: bytes = b"") -> None:
        self._first, self._again = first, again
        self.sent = 0

    def __call__(self, taken: socket.socket) -> None:
        """Write the response to a client's socket."""
        taken.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + self._first)
        while True:
            taken.sendall(self._again)
            self.sent += len(self._again)


class Drip:
    """A response without end, of the same bytes every ``every`` seconds, until the client closes the connection."""

    def __init__(self, again: bytes, first: bytes = b"", *, every: float) -> None:
        self._first, self._again, self._every = first, again, every

    def __call__(self, taken: socket.socket) -> None:
        """Write the response to a client's socket."""
        taken.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + self._first)
        taken.settimeout(self._every)
        while True:
            taken.sendall(self._again)
            try:
                taken.recv(1)
            except TimeoutError:
                continue
            return


def response(body: bytes, *, status: int = 200, **headers: str) -> bytes:
    """Return an HTTP response that closes the connection; ``Content_Type="text/html"`` makes a header."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _part(file: bytes, head: bytes) -> bytes:
    asked = re.search(rb"\r\nRange: bytes=(\d+)-(\d+)", head)
    if not asked:
        return response(file)
    first, last = int(asked[1]), int(asked[2])
    return response(file[first : last + 1], status=206)
