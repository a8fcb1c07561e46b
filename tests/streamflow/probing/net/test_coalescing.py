"""Small packets are read many at once, without loss, and early ones without delay."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import httpcore
import pytest
import trustme

from streamflow.probing.net import coalescing
from streamflow.probing.net.coalescing import EXACT_SECONDS, CoalescingStream

PACKET = 1316
Serve = Callable[[socket.socket], None]


def packets(count: int, every: float) -> Serve:
    """Numbered packets, each sent by itself."""

    def serve(taken: socket.socket) -> None:
        for number in range(count):
            taken.sendall(number.to_bytes(4) * (PACKET // 4))
            time.sleep(every)

    return serve


@contextmanager
def connected(serve: Serve, *, tls: bool = False) -> Iterator[CoalescingStream]:
    def answer() -> None:
        taken, _ = listening.accept()
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with server.wrap_socket(taken, server_side=True) if tls else taken as spoken:
            spoken.recv(1)
            serve(spoken)

    authority, server, client = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("lab.invalid").configure_cert(server)
    authority.configure_trust(client)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=answer)
        serving.start()
        plain = CoalescingStream(httpcore.SyncBackend().connect_tcp("127.0.0.1", listening.getsockname()[1]))
        stream = plain.start_tls(client, "lab.invalid", 2) if tls else plain
        assert isinstance(stream, CoalescingStream)
        with closing(stream):
            stream.write(b"?")
            yield stream
            serving.join()


def read_all(stream: CoalescingStream) -> list[tuple[float, bytes]]:
    began, found = time.monotonic(), []
    while data := stream.read(65536, 2):
        found.append((time.monotonic() - began, data))
    return found


@pytest.mark.parametrize("tls", [False, True])
def test_a_stream_in_small_packets_is_read_twenty_times_a_second(tls: bool) -> None:
    with connected(packets(1000, 0.002), tls=tls) as stream:
        found = read_all(stream)
    assert b"".join(data for _, data in found) == b"".join(i.to_bytes(4) * (PACKET // 4) for i in range(1000))
    later = [at for at, _ in found if at > EXACT_SECONDS]
    lasted = found[-1][0] - EXACT_SECONDS
    assert lasted > 0.8
    assert len(later) <= lasted / coalescing.COALESCE_SECONDS + 2


def test_the_first_packets_are_read_one_by_one() -> None:
    with connected(packets(20, 0.02)) as stream:
        found = read_all(stream)
    assert len(found) >= 15


def test_a_new_request_is_answered_as_exactly_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalescing, "EXACT_SECONDS", 0.2)
    monkeypatch.setattr(coalescing, "COALESCE_SECONDS", 0.4)

    def twice(taken: socket.socket) -> None:
        taken.sendall(b"a" * 10)
        taken.recv(1)
        taken.sendall(b"b")

    with connected(twice) as stream:
        assert stream.read(100, 2) == b"a" * 10
        time.sleep(0.3)
        stream.write(b"?")
        asked = time.monotonic()
        assert stream.read(100, 2) == b"b"
        assert time.monotonic() - asked < 0.3


@pytest.mark.parametrize("at_once", [30, 1000])
def test_bytes_before_a_reset_are_returned_first(at_once: int) -> None:
    def reset(taken: socket.socket) -> None:
        taken.sendall(b"a" * 100)
        # Close with a reset instead of an end (RST: linger of no time).
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    found = b""
    with connected(reset) as stream:
        time.sleep(0.1)
        with pytest.raises(httpcore.ReadError):
            while len(found) <= 100:
                found += stream.read(at_once, 2)
    assert found == b"a" * 100


def test_a_sender_that_is_fast_is_not_held_up() -> None:
    def flood(taken: socket.socket) -> None:
        until = time.monotonic() + EXACT_SECONDS + 1
        while time.monotonic() < until:
            taken.sendall(b"x" * 1_000_000)

    with connected(flood) as stream:
        found = read_all(stream)
    assert sum(len(data) for at, data in found if at > EXACT_SECONDS) > 100_000_000
