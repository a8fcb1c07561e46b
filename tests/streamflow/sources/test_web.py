"""Downloads end at their deadline, whatever the server does."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.sources.web import download
from support.web_server import serving

SECONDS = 1.0


@contextmanager
def speaking(speak: Callable[[socket.socket, int], None]) -> Iterator[str]:
    """Serve every connection with a function that gets its socket and its number."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket, number: int) -> None:
            with connection, suppress(OSError):
                connection.recv(65536)
                speak(connection, number)

        def accept() -> None:
            with suppress(OSError):
                for number in itertools.count():
                    connection, _ = server.accept()
                    threading.Thread(target=serve, args=(connection, number), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def flood(connection: socket.socket, _: int) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 20)
        time.sleep(0.01)


def drip(text: bytes) -> Callable[[socket.socket, int], None]:
    def speak(connection: socket.socket, _: int) -> None:
        for byte in itertools.cycle(text):
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    return speak


def redirect(connection: socket.socket, number: int) -> None:
    time.sleep(0.3)
    host, port = connection.getsockname()
    connection.sendall(
        f"HTTP/1.1 302 Found\r\nLocation: http://{host}:{port}/{number}\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n".encode()
    )


def slow_body(connection: socket.socket, _: int) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.1)


def silence(connection: socket.socket, _: int) -> None:
    connection.recv(1)


@pytest.mark.parametrize(
    "speak", [flood, drip(b"HTTP/1.1 200 OK\r\nX-Header: value\r\n"), redirect, slow_body, silence],
    ids=["interim responses", "one header byte now and then", "slow redirects", "slow body", "silence"],
)  # fmt: skip
def test_a_download_ends_at_its_deadline(speak: Callable[[socket.socket, int], None]) -> None:
    with speaking(speak) as address:
        started = time.monotonic()
        late = pytest.raises(SourceUnavailable, match=r"the panel: .* in 1 s")
        with late, download(address, name="the panel", seconds=SECONDS, max_bytes=1 << 20):
            pass
    assert time.monotonic() - started < SECONDS + 1


def test_redirects_within_the_deadline_are_followed() -> None:
    def once(connection: socket.socket, number: int) -> None:
        if number:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        else:
            redirect(connection, number)

    with speaking(once) as address, download(address, name="it", seconds=5, max_bytes=10) as body:
        assert body.read() == b"hi"


def test_endless_redirects_are_an_error() -> None:
    def forever(connection: socket.socket, number: int) -> None:
        connection.sendall(
            f"HTTP/1.1 302 Found\r\nLocation: /{number}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )

    wrong = pytest.raises(SourceUnavailable, match="TooManyRedirects")
    with speaking(forever) as address, wrong, download(address, name="it", seconds=10, max_bytes=10):
        pass


def test_a_body_beyond_the_bound_is_refused() -> None:
    with serving(b"x" * (2 << 20)) as address:
        large = pytest.raises(SourceRefused, match="more than 1 MB")
        with large, download(address, name="it", seconds=5, max_bytes=1 << 20):
            pass


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:9/a", SourceUnavailable),
        ("http://no-such-host.invalid/a", SourceUnavailable),
        ("ftp://127.0.0.1/a", SourceUnavailable),
        ("http://[::1/a", SourceRefused),
    ],
)
def test_an_address_that_cannot_be_read_is_an_error(url: str, error: type[Exception]) -> None:
    with pytest.raises(error), download(url, name="it", seconds=5, max_bytes=10):
        pass
