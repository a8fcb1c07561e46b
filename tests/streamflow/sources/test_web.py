"""Downloads end at their deadline, whatever the server does."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.sources.web import download
from support.names import Names
from support.probing.scripted import Scripted, response
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


# -- the addresses that a source may reach ---------------------------------------------------------
@pytest.fixture
def server() -> Iterator[Scripted]:
    with closing(Scripted()) as server:
        yield server


@pytest.mark.parametrize(
    "inner",
    ["127.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
     "[2002:7f00:1::]", "[fec0::1]", "2130706433", "0x7f000001", "127.1", "localhost.", "router.example"],
)  # fmt: skip
def test_a_public_source_cannot_lead_to_an_address_of_this_network(
    monkeypatch: pytest.MonkeyPatch, server: Scripted, inner: str
) -> None:
    numeric = {"2130706433": "127.0.0.1", "0x7f000001": "127.0.0.1", "127": "127.0.0.1", "localhost": "127.0.0.1"}
    names = Names(monkeypatch, server.port, panel="93.184.216.34", router="10.0.0.1", **numeric)
    server.url("/list", response(b"", status=302, Location=f"http://{inner}/secret"))
    with pytest.raises(SourceRefused), download("http://panel.example/list", name="it", seconds=5, max_bytes=99):
        pass
    assert (names.connected, server.asked) == (["93.184.216.34"], ["/list"])


def test_the_metadata_service_is_never_read_also_when_a_private_source_leads_to_it(
    monkeypatch: pytest.MonkeyPatch, server: Scripted
) -> None:
    Names(monkeypatch, server.port, panel="192.168.1.9")
    server.url("/list", response(b"", status=302, Location="http://169.254.169.254/latest"))
    refused = pytest.raises(SourceRefused, match="metadata")
    with refused, download("http://panel.lan/list", name="it", seconds=5, max_bytes=99):
        pass
    assert server.asked == ["/list"]


def test_a_source_is_read_from_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch, server: Scripted) -> None:
    names = Names(monkeypatch, server.port, panel="93.184.216.34")
    server.url("/list", response(b"hi"))
    with download("http://panel.example/list", name="it", seconds=5, max_bytes=99) as body:
        assert body.read() == b"hi"
    assert names.connected == ["93.184.216.34"]


def test_a_list_of_the_internet_cannot_name_a_panel_on_this_network(
    monkeypatch: pytest.MonkeyPatch, server: Scripted, tmp_path: Path
) -> None:
    url = server.url("/player_api.php", response(b"hi"))
    settings = tmp_path / "settings.json"
    monkeypatch.setenv("STREAMFLOW_CONFIG", str(settings))
    refused = pytest.raises(SourceRefused, match=r"network\.allow")
    with refused, download(url, name="it", seconds=5, max_bytes=99, source_host="93.184.216.34"):
        pass
    assert server.asked == []
    settings.write_text('{"network": {"allow": ["127.0.0.0/8"]}}')
    with download(url, name="it", seconds=5, max_bytes=99, source_host="93.184.216.34") as body:
        assert body.read() == b"hi"


def test_the_stacks_own_services_are_no_source(monkeypatch: pytest.MonkeyPatch, server: Scripted) -> None:
    monkeypatch.setenv("STREAMFLOW_OWN_SERVICES", f"elsewhere:1, localhost:{server.port}")
    own = pytest.raises(SourceRefused, match="StreamFlow itself")
    with own, download(server.url("/", response(b"hi")), name="it", seconds=5, max_bytes=99):
        pass
    assert server.asked == []
