"""The playlist for players: its token, its order, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from streamflow.sources.m3u.playlist import entries
from streamflow.udi import Udi

from .. import library
from ..server import PLAYLIST_TOKEN, Server

TOKEN = {"token": PLAYLIST_TOKEN}


@pytest.fixture
def player(server: Server, udi: Udi) -> Iterator[httpx.Client]:
    """Return a client without a user of Airflow."""
    with server.client() as client:
        yield client


def names(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [entry.name for entry in entries(response.text.splitlines())]


def test_a_player_gets_the_channels_in_order_without_dead_streams(player: httpx.Client, udi: Udi) -> None:
    response = player.get("/playlist.m3u", params=TOKEN)
    assert response.headers["content-type"].startswith("application/x-mpegurl")
    assert response.headers["cache-control"] == "no-store"
    dead = set(udi.results.streams_of_verdict("dead"))
    assert dead
    urls = [entry.url for entry in entries(response.text.splitlines())]
    first = [library.url(stream) for stream in (2, 1, 3) if stream not in dead]
    assert urls[: len(first)] == first
    assert not {library.url(stream) for stream in dead} & set(urls)


def test_one_channel_and_dead_streams_can_be_asked_for(player: httpx.Client) -> None:
    whole = names(player.get("/playlist.m3u", params=TOKEN | {"channel_id": 1, "with_dead": "true"}))
    assert len(whole) == 3
    assert any(name.startswith("[dead] ") for name in whole)


def test_a_channel_that_does_not_exist_is_a_404(player: httpx.Client) -> None:
    assert player.get("/playlist.m3u", params=TOKEN | {"channel_id": 99}).status_code == 404


@pytest.mark.parametrize("params", [{}, {"token": ""}, {"token": "wrong"}])
def test_without_its_token_nothing_is_sent(player: httpx.Client, admin: httpx.Client, params: dict[str, str]) -> None:
    for client in (player, admin):
        response = client.get("/playlist.m3u", params=params)
        assert response.status_code in (401, 429)
        assert library.SECRET not in response.text
