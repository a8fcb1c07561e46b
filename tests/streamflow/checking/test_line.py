"""A canary tells a line that is down from a provider that is down."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from streamflow.checking import line


@pytest.fixture
def open_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed_port() -> Iterator[str]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def test_a_line_without_canaries_counts_as_up() -> None:
    assert line.is_up([])


def test_one_canary_that_accepts_a_connection_is_enough(open_port: str, closed_port: str) -> None:
    assert line.is_up([closed_port, open_port])


def test_a_line_is_down_when_no_canary_accepts_a_connection(closed_port: str) -> None:
    assert not line.is_up([closed_port, "provider.invalid:443"])
