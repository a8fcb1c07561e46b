"""RTMP addresses with options behind a blank, as players on librtmp take them."""

from __future__ import annotations

import socket
import threading

import pytest

from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.protocols.rtmp_options import split

HANDSHAKE_BYTES = 1536


@pytest.mark.parametrize(
    ("address", "url", "options"),
    [
        ("rtmp://h/live/one", "rtmp://h/live/one", {}),
        ("rtmp://h/live/one two", "rtmp://h/live/one two", {}),
        ("rtmp://h/live?a=b/one", "rtmp://h/live?a=b/one", {}),
        (
            "rtmp://h/live  playpath=mp4:a?k=1 swfUrl=http://s/p.swf pageUrl=http://s/ tcUrl=rtmp://h/live live=1",
            "rtmp://h/live",
            {"rtmp_playpath": "mp4:a?k=1", "rtmp_swfurl": "http://s/p.swf", "rtmp_pageurl": "http://s/",
             "rtmp_tcurl": "rtmp://h/live", "rtmp_live": "live"},
        ),
        ("rtmp://h app=a/b LIVE=true", "rtmp://h", {"rtmp_app": "a/b", "rtmp_live": "live"}),
        ("rtmp://h/a conn=S:x conn=O:1 live=0 timeout=9 swfVfy=1", "rtmp://h/a", {"rtmp_conn": "S:x O:1"}),
        (r"rtmp://h/a flashVer=WIN\2010,0 subscribe=x", "rtmp://h/a",
         {"rtmp_flashver": "WIN 10,0", "rtmp_subscribe": "x"}),
        ("rtmp://h/a playpath=", "rtmp://h/a", {"rtmp_playpath": ""}),
    ],
)  # fmt: skip
def test_options_are_split_from_the_address(address: str, url: str, options: dict[str, str]) -> None:
    assert split(address) == (url, options)


def test_the_server_receives_the_options() -> None:
    """A server that shakes hands (RTMP specification, 5.2) and keeps the client's connect message."""
    received: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        taken, _ = listening.accept()
        with taken, taken.makefile("rb") as file:
            greeting = file.read(1 + HANDSHAKE_BYTES)
            taken.sendall(b"\x03" + bytes(HANDSHAKE_BYTES) + greeting[1:])
            file.read(HANDSHAKE_BYTES)
            received.append(taken.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        url = f"rtmp://127.0.0.1:{listening.getsockname()[1]} app=tv swfUrl=http://s.test/p.swf playpath=one live=1"
        result = probe(ProbeTarget(url), config.Probe(connect_timeout=2, read_timeout=2)).result
    assert result.verdict == "dead"
    assert b"\x00\x03app\x02\x00\x02tv" in received[0]
    assert b"swfUrl\x02\x00\x13http://s.test/p.swf" in received[0]
    assert b" live=1" not in received[0]
