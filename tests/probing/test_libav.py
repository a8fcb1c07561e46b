"""Streams that libav opens itself."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from lab import Media
from lab.timeline import Timeline
from streamflow import config
from streamflow.probing import Outcome, Target, probe


@contextmanager
def multicast(timeline: Timeline) -> Iterator[str]:
    """The stream as datagrams in real time to a port of loopback."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    stop = threading.Event()

    def send() -> None:
        number = timeline.now()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not stop.wait(max(0.0, timeline.due_in(number))):
                data = timeline.slice(number)
                for at in range(0, len(data), 1316):
                    out.sendto(data[at : at + 1316], ("127.0.0.1", port))
                number += 1

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield f"udp://127.0.0.1:{port}"
    stop.set()
    thread.join()


def test_a_stream_over_udp_is_measured(lab_media: Media) -> None:
    clip = lab_media.clip("sd480p30")
    with multicast(Timeline(clip)) as url:
        outcome = probe(Target(url), config.Probe(sample_seconds=4, read_timeout=2))
    result = outcome.result
    assert (result.verdict, result.reason) == ("ok", None), result.detail
    assert (result.width, result.height, result.fps, result.video_codec) == (640, 480, 30.0, "h264")
    assert [track.codec for track in result.audio] == ["aac"]
    assert result.bitrate_kbps == pytest.approx(clip.truth.video_kbps + clip.truth.audio_kbps, rel=0.05)
    assert outcome.thumbnail


@contextmanager
def mute_server() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp", "udp"])
def test_nothing_in_time_is_dead(scheme: str) -> None:
    with mute_server() as port:
        result = probe(
            Target(f"{scheme}://127.0.0.1:{port}/x"), config.Probe(connect_timeout=0.5, read_timeout=0.5)
        ).result
    assert (result.verdict, result.reason) == ("dead", "connect_timeout")
    assert result.elapsed_s < 1.5


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp"])
def test_a_refused_connection_is_told(scheme: str) -> None:
    with mute_server() as port:
        pass
    result = probe(Target(f"{scheme}://127.0.0.1:{port}/x"), config.Probe(connect_timeout=1)).result
    assert (result.verdict, result.reason) == ("dead", "connection_refused")


def test_an_unknown_host_is_told() -> None:
    result = probe(Target("rtsp://user:secret@camera.lab.invalid/x"), config.Probe(connect_timeout=2)).result
    assert (result.verdict, result.reason) == ("dead", "dns_failure")
    assert "secret" not in result.model_dump_json()


def test_a_cancelled_probe_does_not_wait_for_libav() -> None:
    cancel = threading.Event()
    outcomes: list[Outcome] = []
    with mute_server() as port:
        target = Target(f"rtmp://127.0.0.1:{port}/x")
        running = threading.Thread(
            target=lambda: outcomes.append(probe(target, config.Probe(connect_timeout=2), cancel=cancel)), daemon=True
        )
        running.start()
        time.sleep(0.2)
        cancel.set()
        running.join(timeout=0.3)
        assert not running.is_alive()
    assert outcomes[0].result.reason == "cancelled"
