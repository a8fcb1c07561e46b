"""Connections of a thread that asks before each of them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamflow.net import connect_guard
from streamflow.net.address_policy import ForbiddenAddressError
from streamflow.net.connect_guard import ConnectGuard, is_available, resolvers

pytestmark = pytest.mark.skipif(not is_available(), reason="the kernel cannot ask")

Place = tuple[str, int]


@pytest.fixture
def places() -> Iterator[list[Place]]:
    """Listen twice, and return both addresses."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        yield [one.getsockname(), other.getsockname()]


def guarded(guard: ConnectGuard, work: Callable[[], object]) -> None:
    """Work in a thread that the guard asks."""

    def run() -> None:
        assert guard.guard()
        work()

    with guard:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()


def connection(place: Place) -> str:
    """Return how a try to connect ends."""
    try:
        socket.create_connection(place).close()
    except OSError as error:
        return type(error).__name__
    return "connected"


def refusing(*ports: int) -> Callable[[str, int], None]:
    def decide(_: str, port: int) -> None:
        if port in ports:
            raise ForbiddenAddressError("not there")

    return decide


def test_a_guarded_thread_connects_only_where_it_may(places: list[Place]) -> None:
    guard, ends = ConnectGuard(refusing(places[1][1])), []
    guarded(guard, lambda: ends.extend(map(connection, places)))
    assert ends == ["connected", "PermissionError"]
    assert str(guard.refused) == "not there"


def test_threads_that_a_guarded_one_starts_are_guarded_and_others_are_not(places: list[Place]) -> None:
    guard, ends = ConnectGuard(refusing(places[0][1])), []

    def start_another() -> None:
        thread = threading.Thread(target=lambda: ends.append(connection(places[0])))
        thread.start()
        thread.join()

    guarded(guard, start_another)
    assert ends == ["PermissionError"]
    assert connection(places[0]) == "connected"


def test_the_decision_may_look_names_up_itself(places: list[Place]) -> None:
    ends: list[str] = []
    guarded(
        ConnectGuard(lambda host, port: socket.getaddrinfo("localhost", port)),
        lambda: ends.append(connection(places[0])),
    )
    assert ends == ["connected"]


def test_only_datagrams_to_a_resolver_pass_without_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect_guard, "resolvers", lambda: frozenset({"127.0.0.1"}))
    ends: list[str] = []

    def connect(kind: socket.SocketKind, place: Place) -> None:
        with socket.socket(socket.AF_INET, kind) as made:
            try:
                made.connect(place)
                ends.append("connected")
            except OSError as error:
                ends.append(type(error).__name__)

    def work() -> None:
        connect(socket.SOCK_DGRAM, ("127.0.0.1", 53))
        connect(socket.SOCK_STREAM, ("127.0.0.1", 53))
        connect(socket.SOCK_DGRAM, ("127.0.0.2", 53))

    guarded(ConnectGuard(refusing(53)), work)
    assert ends == ["connected", "PermissionError", "PermissionError"]


def test_a_socket_of_this_machine_is_refused(tmp_path: Path) -> None:
    ends: list[str] = []
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as made:
        listening.bind(str(tmp_path / "s"))
        listening.listen()

        def work() -> None:
            try:
                made.connect(str(tmp_path / "s"))
            except PermissionError:
                ends.append("refused")

        guarded(ConnectGuard(refusing()), work)
    assert ends == ["refused"]


def test_an_address_of_ip_version_6_is_read() -> None:
    place = socket.AF_INET6.to_bytes(2, "little") + (554).to_bytes(2, "big") + bytes(4) + bytes(15) + b"\1" + bytes(4)
    assert connect_guard._place(place) == ("::1", 554)
    assert connect_guard._place(b"\2") is None


def test_resolvers_are_those_of_the_system(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    assert resolvers(file) == {"127.0.0.1"}
    file.write_text("# none\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nsearch lan\noptions ndots:1\nnameserver\n")
    assert resolvers(file) == {"192.0.2.53", "fe80::1"}
