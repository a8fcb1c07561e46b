"""The first look at a source names its fault, and remembers it for health checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamflow.errors import StreamFlowError
from streamflow.names import SOURCE_FAULT_FILE
from streamflow.sources.first_look import forget_fault, hint, look

LIST = "#EXTM3U\n#EXTINF:-1,One\nhttp://provider.test/1.ts\n"


def test_a_source_that_can_be_read_leaves_no_fault(tmp_path: Path) -> None:
    (tmp_path / SOURCE_FAULT_FILE).write_text("of an earlier start")
    playlist = tmp_path / "list.m3u"
    playlist.write_text(LIST)
    assert "1 streams" in look(tmp_path, {"STREAMFLOW_M3U": str(playlist)})
    assert not (tmp_path / SOURCE_FAULT_FILE).exists()


def test_a_fault_is_remembered_until_the_source_was_read(tmp_path: Path) -> None:
    with pytest.raises(StreamFlowError) as raised:
        look(tmp_path, {"STREAMFLOW_M3U": str(tmp_path / "missing.m3u")})
    assert (tmp_path / SOURCE_FAULT_FILE).read_text() == str(raised.value)
    forget_fault(tmp_path)
    forget_fault(tmp_path)
    assert not (tmp_path / SOURCE_FAULT_FILE).exists()


def test_a_look_without_memory_leaves_the_fault_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(StreamFlowError):
        look(tmp_path, {"STREAMFLOW_M3U": str(tmp_path / "missing.m3u")}, remember=False)
    assert not (tmp_path / SOURCE_FAULT_FILE).exists()


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"DISPATCHARR_URL": "http://localhost:9191"}, "DISPATCHARR_URL is the container itself"),
        ({"DISPATCHARR_URL": "http://127.0.0.1"}, "DISPATCHARR_URL is the container itself"),
        ({"STREAMFLOW_XTREAM_URL": "http://[::1]:8080"}, "STREAMFLOW_XTREAM_URL is the container itself"),
        ({"STREAMFLOW_M3U": "http://localhost/list.m3u"}, "STREAMFLOW_M3U is the container itself"),
        ({"STREAMFLOW_M3U": "/volume1/list.m3u"}, "mount the file that STREAMFLOW_M3U names"),
        (
            {"DISPATCHARR_URL": "https://nas", "DISPATCHARR_CA_FILE": "/volume1/ca.pem"},
            "that DISPATCHARR_CA_FILE names",
        ),
    ],
)
def test_what_is_wrong_only_inside_a_container_is_named_there(env: dict[str, str], named: str) -> None:
    assert named in hint(env, is_container=True)
    assert hint(env, is_container=False) == ""


def test_right_settings_get_no_hint() -> None:
    assert hint({"DISPATCHARR_URL": "http://nas:9191", "STREAMFLOW_M3U": "-"}, is_container=True) == ""
