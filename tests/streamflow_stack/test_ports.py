"""Ports are found and reserved at the address that a server listens on, on machines with IPv4 and with IPv6 alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamflow_stack import airflow, ports
from streamflow_stack.redis_address import RedisAddress

Hosts = Callable[..., None]


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Let this machine have some loopback addresses alone."""
    bind = ports._bind

    def have(*present: str) -> None:
        def bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
            if host not in present:
                raise ports.UnusableAddress(host)
            return bind("127.0.0.1", port, kind)

        monkeypatch.setattr(ports, "_bind", bound)
        ports.loopback.cache_clear()

    yield have
    ports.loopback.cache_clear()


@pytest.mark.parametrize(
    ("present", "loopback"), [(("127.0.0.1", "::1"), "127.0.0.1"), (("127.0.0.1",), "127.0.0.1"), (("::1",), "::1")]
)
def test_the_loopback_address_is_one_that_this_machine_has(hosts: Hosts, present: list[str], loopback: str) -> None:
    hosts(*present)
    assert ports.loopback() == loopback


def test_a_machine_without_loopback_learns_what_to_do(hosts: Hosts) -> None:
    hosts()
    with pytest.raises(ports.UnusableAddress, match="run `ip link set lo up`"):
        ports.loopback()


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:8080"),
        ("::1", "http://[::1]:8080"),
        ("192.0.2.7", "http://192.0.2.7:8080"),
        ("2001:db8::7", "http://[2001:db8::7]:8080"),
        ("nas.home.arpa", "http://nas.home.arpa:8080"),
    ],
)
def test_the_stack_reaches_airflow_where_it_listens(bind: str, address: str) -> None:
    assert airflow.address(8080, bind) == address


def test_a_connection_to_redis_names_an_ipv6_address_in_brackets() -> None:
    address = RedisAddress("::1", 6400, password="x")
    assert address.env["REDIS_HOST"] == "::1"
    assert address.env["AIRFLOW_CONN_REDIS_DEFAULT"] == "redis://:x@[::1]:6400/?db=0"
    assert str(address) == "[::1]:6400 (embedded)"


def test_a_server_on_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ports.UnusableAddress, match=r"^192\.0\.2\.7 is no address of this machine"):
        ports.is_free(0, "192.0.2.7")
    with pytest.raises(ports.UnusableAddress, match="is no address of this machine"):
        ports.is_free(0, "nobody.invalid")


def test_two_stacks_that_start_at_once_get_different_ports() -> None:
    with ports.reserved(ports.any_free(), ports.loopback()) as first:
        with ports.reserved(first, ports.loopback()) as second:
            assert second > first
        # The server of a stack listens on the port that the stack has reserved.
        with socket.create_server((ports.loopback(), first)), ports.reserved(first, ports.loopback()) as third:
            assert third > first
    with ports.reserved(first, ports.loopback()) as again:
        assert again == first


def test_redis_and_the_lab_run_where_ipv6_is_alone(tmp_path: Path) -> None:
    namespace = ["unshare", "--map-root-user", "--net", "sh", "-c"]
    interface = "ip link set lo up && ip addr del 127.0.0.1/8 dev lo"
    if subprocess.run([*namespace, interface], capture_output=True).returncode:
        pytest.skip("this machine makes no network namespaces")
    code = """if True:
        import sys, urllib.request
        from pathlib import Path
        from streamflow_stack import ports, redis
        from streamflow_stack.cli.demo import lab
        from streamflow_stack.processes import Processes
        home = Path(sys.argv[1])
        with Processes(home) as processes, redis.start(processes, home).client() as client, lab(processes, home) as one:
            print(client.ping(), one.record()["accounts"][0]["peak"], one.provider.rpartition(":")[0])
    """
    done = subprocess.run(
        [*namespace, f'{interface} && exec "$0" -c "$1" "$2"', sys.executable, code, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True 0 http://[::1]\n", done.stderr
