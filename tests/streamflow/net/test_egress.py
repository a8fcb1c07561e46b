"""Name resolution that returns permitted addresses alone."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from streamflow.net import egress
from streamflow.net.address_policy import ForbiddenAddressError, PrivateStreamError
from streamflow.net.egress import Egress, EgressOptions, own_services
from streamflow.net.resolver import NameNotFoundError

ADDRESSES = {
    "panel.example": "93.184.216.34",
    "box.example": "192.168.1.5",
    "redis": "10.0.0.9",
    "broker": "10.0.0.7",
    "api": "127.0.0.1",
}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, timeout: float | None) -> list[str]:
        if host.endswith(".gone"):
            raise NameNotFoundError("gone")
        return [ADDRESSES.get(host, host)]

    monkeypatch.setattr(egress, "resolve", resolve)


@pytest.mark.parametrize("host", ["192.168.1.9", "127.0.0.1", "box.example"])
@pytest.mark.parametrize(
    ("options", "is_permitted"),
    [
        (EgressOptions(), True),
        (EgressOptions("box.example"), True),
        (EgressOptions("192.168.1.1"), True),
        (EgressOptions("panel.example"), False),
        (EgressOptions("Panel.Example."), False),
        (EgressOptions("panel.gone"), True),
        (EgressOptions("panel.example", (ip_network("192.168.0.0/16"), ip_network("127.0.0.0/8"))), True),
        (EgressOptions("panel.example", (ip_network("10.0.0.0/8"),)), False),
    ],
)
def test_a_stream_on_a_private_address_needs_a_private_source(
    names: None, host: str, options: EgressOptions, is_permitted: bool
) -> None:
    if is_permitted:
        assert Egress(options).resolve(host, 80, 1)
        return
    with pytest.raises(PrivateStreamError):
        Egress(options).resolve(host, 80, 1)


def test_a_proxy_is_asked_for_private_names_of_private_sources_alone(names: None) -> None:
    Egress(EgressOptions("192.168.1.1")).check_name("tuner", 80)
    with pytest.raises(PrivateStreamError):
        Egress(EgressOptions("panel.example")).check_name("tuner", 80)


ENV = {
    "REDIS_HOST": "redis",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://airflow:x@postgres/airflow",
    "AIRFLOW__CELERY__BROKER_URL": "redis://:x@broker:6380/1",
    "AIRFLOW__API__BASE_URL": "http://api:8080/prefix",
    "AIRFLOW__CELERY__RESULT_BACKEND": "http://[",
}


def test_the_stacks_own_services_are_found_in_its_settings() -> None:
    assert own_services(ENV) == {("redis", 6379), ("postgres", 5432), ("broker", 6380), ("api", 8080)}
    assert own_services({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////a/airflow.db"}) == frozenset()


@pytest.mark.parametrize(
    ("variable", "value", "services"),
    [
        ("AIRFLOW_CONN_REDIS_DEFAULT", "redis://:x@cache:6380/?db=1", {("cache", 6380)}),
        ("AIRFLOW_CONN_REDIS_DEFAULT", '{"conn_type": "redis", "host": "Cache", "password": "x"}', {("cache", 6379)}),
        ("AIRFLOW_CONN_REDIS_DEFAULT", "{broken", set()),
        ("STREAMFLOW_OWN_SERVICES", "postgres:5432, [fd00::1]:6379,", {("postgres", 5432), ("fd00::1", 6379)}),
        ("STREAMFLOW_OWN_SERVICES", "postgres:5432 redis:6379", {("postgres", 5432), ("redis", 6379)}),
        ("STREAMFLOW_OWN_SERVICES", "postgres:many", set()),
    ],
)
def test_a_service_is_found_in_every_notation(variable: str, value: str, services: set[tuple[str, int]]) -> None:
    assert own_services({variable: value}) == services


def test_a_proxy_may_be_private_but_never_reserved_or_a_service_of_the_stack(names: None) -> None:
    made = Egress(EgressOptions("panel.example", own_services=frozenset({("redis", 6379)})))
    assert made.resolve_proxy("box.example", 1080, 1)
    for host, port in (("169.254.169.254", 80), ("redis", 6379), ("10.0.0.9", 6379)):
        with pytest.raises(ForbiddenAddressError):
            made.resolve_proxy(host, port, 1)


@pytest.mark.parametrize(
    ("host", "port"), [("redis", 6379), ("10.0.0.9", 6379), ("127.0.0.1", 8080), ("127.9.9.9", 8080)]
)
def test_the_stacks_own_services_are_never_reached(names: None, host: str, port: int) -> None:
    made = Egress(EgressOptions(own_services=own_services(ENV)))
    with pytest.raises(ForbiddenAddressError):
        made.resolve(host, port, 1)
    assert Egress(EgressOptions(own_services=own_services(ENV))).resolve(host, port + 1, 1)
