"""A server that answers as it is told, byte by byte, for what the lab has no class of."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Answer = bytes | Callable[["socket.socket"], None]


class Scripted:
    """Answers each path with bytes, or by a function that is given the socket; notes what was asked."""

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
        """The address of ``path``, which answers with ``answer`` from now on."""
        if answer is not None:
            self.answers[path] = answer
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}{path}"

    def serve(self, path: str, file: bytes) -> None:
        """Answer ``path`` with a file, or the part of it that is asked for."""
        self.files[path] = file

    def answer_by_head(self, path: str, responder: Callable[[str], bytes]) -> str:
        """Answer ``path`` with what ``responder`` returns for the head of the request; returns the address."""
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
        # A client that leaves in the middle is what many of these tests are about.
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
        self._stop.set()
        self._listening.close()


class Flood:
    """An answer without end: the same bytes as fast as they are taken; ``sent`` counts them."""

    def __init__(self, again: bytes, first: bytes = b"") -> None:
        self._first, self._again = first, again
        self.sent = 0

    def __call__(self, taken: socket.socket) -> None:
        taken.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + self._first)
        while True:
            taken.sendall(self._again)
            self.sent += len(self._again)


class Drip:
    """An answer without end, of the same byte every ``every`` seconds, until the other side leaves."""

    def __init__(self, again: bytes, first: bytes = b"", *, every: float) -> None:
        self._first, self._again, self._every = first, again, every

    def __call__(self, taken: socket.socket) -> None:
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
    """An answer of HTTP that closes; ``Content_Type="text/html"`` makes a header."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _part(file: bytes, head: bytes) -> bytes:
    asked = re.search(rb"\r\nRange: bytes=(\d+)-(\d+)", head)
    if not asked:
        return response(file)
    first, last = int(asked[1]), int(asked[2])
    return response(file[first : last + 1], status=206)
