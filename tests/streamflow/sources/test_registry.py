"""The choice of a source by environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamflow.errors import ConfigError
from streamflow.sources import from_env, opened
from streamflow.sources.dispatcharr import Dispatcharr
from streamflow.sources.dispatcharr.destination import Channels
from streamflow.sources.local_order import LocalOrder
from streamflow.sources.m3u import Playlist
from streamflow.sources.registry import SOURCES
from streamflow.sources.xtream import Panel, Xtream
from support.library import stored

DISPATCHARR = {"DISPATCHARR_URL": "http://192.0.2.7", "DISPATCHARR_API_KEY": "key"}
XTREAM = {
    "STREAMFLOW_XTREAM_URL": "http://tv.test",
    "STREAMFLOW_XTREAM_USERNAME": "user",
    "STREAMFLOW_XTREAM_PASSWORD": "pa55word",
}
M3U = {"STREAMFLOW_M3U": "http://tv.test/list.m3u"}


def test_dispatcharr_wins_over_a_panel_and_a_panel_over_a_playlist() -> None:
    with opened(DISPATCHARR | XTREAM | M3U) as source:
        assert isinstance(source, Dispatcharr)
    assert from_env({"DISPATCHARR_URL": " "} | XTREAM | M3U) == Xtream(Panel("http://tv.test", "user", "pa55word"))
    assert from_env(M3U) == Playlist("http://tv.test/list.m3u", 1)


def test_a_playlists_limit_is_one_unless_it_is_set() -> None:
    assert from_env(M3U | {"STREAMFLOW_M3U_MAX_STREAMS": "0"}) == Playlist("http://tv.test/list.m3u", 0)


def test_a_playlist_from_standard_input_is_read_from_the_home(tmp_path: Path) -> None:
    assert from_env({"STREAMFLOW_M3U": "-"}, tmp_path) == Playlist(str(tmp_path / "playlist.m3u"))


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({}, "no source is set.*DISPATCHARR_URL.*STREAMFLOW_XTREAM_URL.*STREAMFLOW_M3U"),
        (XTREAM | {"STREAMFLOW_XTREAM_URL": "tv.test"}, "STREAMFLOW_XTREAM_URL"),
        (XTREAM | {"STREAMFLOW_XTREAM_PASSWORD": ""}, "STREAMFLOW_XTREAM_PASSWORD"),
        (M3U | {"STREAMFLOW_M3U_MAX_STREAMS": "-1"}, "STREAMFLOW_M3U_MAX_STREAMS"),
        (M3U | {"STREAMFLOW_M3U_MAX_STREAMS": "many"}, "STREAMFLOW_M3U_MAX_STREAMS"),
    ],
)
def test_a_missing_or_wrong_variable_is_named(env: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as refused:
        from_env(env)
    assert "pa55word" not in str(refused.value)


def test_the_guide_names_every_variable_of_every_source() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "CONCURRENT_STREAM_CHECKING.md").read_text()
    assert [name for kind in SOURCES for name in kind.variables if f"`{name}`" not in guide] == []


@pytest.mark.parametrize("env", [DISPATCHARR, XTREAM, M3U])
def test_every_source_keeps_an_order_in_its_destination(env: dict[str, str], tmp_path: Path) -> None:
    store = stored(tmp_path, {1: (1, 2)})
    with opened(env, tmp_path) as source:
        destination = source.destination(store)
    assert isinstance(destination, Channels if env is DISPATCHARR else LocalOrder)
