"""Streams that libav opens itself."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from lab import Clip, Media
from lab.timeline import Timeline
from streamflow import config
from streamflow.net.egress import Egress, EgressOptions
from streamflow.probing import ProbeOutcome, ProbeTarget, probe
from streamflow.probing.net.options import NetworkOptions
from streamflow.probing.protocols import libav
from streamflow.probing.requests import FetchRequest
from streamflow.records import Result
from support.probing.inside import forked_server
from support.probing.rtsp import Rtsp


@contextmanager
def multicast(timeline: Timeline) -> Iterator[str]:
    """Send the stream as datagrams in real time to a loopback port; yield its address."""
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
        outcome = probe(ProbeTarget(url), config.Probe(sample_seconds=4, read_timeout=2))
    result = outcome.result
    assert (result.verdict, result.reason) == ("ok", None), result.detail
    assert (result.width, result.height, result.fps, result.video_codec) == (640, 480, 30.0, "h264")
    assert [track.codec for track in result.audio] == ["aac"]
    assert result.bitrate_kbps == pytest.approx(clip.truth.video_kbps + clip.truth.audio_kbps, rel=0.05)
    assert outcome.thumbnail


@pytest.fixture
def clip(lab_media: Media) -> Clip:
    return lab_media.clip("sd480p30")


def test_a_stream_over_rtsp_is_measured_on_one_connection(clip: Clip) -> None:
    with closing(Rtsp(Timeline(clip))) as camera:
        url = f"rtsp://user:secret@127.0.0.1:{camera.port}/live"
        result = probe(ProbeTarget(url), config.Probe(sample_seconds=4, read_timeout=3)).result
    assert (result.verdict, result.reason) == ("ok", None), result.detail
    assert (result.width, result.height, result.fps, result.video_codec) == (640, 480, 30.0, "h264")
    assert [track.codec for track in result.audio] == ["aac"]
    assert camera.connections == 1
    assert "PLAY" in camera.asked


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [(401, "dead", "unauthorized"), (403, "dead", "unauthorized"), (404, "dead", "http_404"), (453, "dead", "http_4xx"),
     (500, "dead", "http_5xx")],
)  # fmt: skip
def test_an_rtsp_status_has_its_meaning(clip: Clip, status: int, verdict: str, reason: str) -> None:
    with closing(Rtsp(Timeline(clip), status)) as camera:
        result = probe(ProbeTarget(f"rtsp://127.0.0.1:{camera.port}/live"), config.Probe(connect_timeout=3)).result
    assert (result.verdict, result.reason) == (verdict, reason), result.detail


def redirected(clip: Clip, location: str) -> Result:
    """Probe a camera that redirects, and return the result."""
    with closing(Rtsp(Timeline(clip), 302, location)) as camera:
        settings = config.Probe(sample_seconds=1.5, connect_timeout=3, read_timeout=3)
        return probe(ProbeTarget(f"rtsp://127.0.0.1:{camera.port}/live"), settings).result


def test_a_redirect_of_rtsp_within_the_network_is_followed(clip: Clip) -> None:
    with closing(Rtsp(Timeline(clip))) as other:
        assert redirected(clip, f"rtsp://localhost:{other.port}/live").height == 480
        assert other.connections == 1


def test_a_redirect_of_rtsp_never_reaches_a_service_of_the_stack(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Rtsp(Timeline(clip))) as service:
        monkeypatch.setenv("STREAMFLOW_OWN_SERVICES", f"127.0.0.1:{service.port}")
        result = redirected(clip, f"rtsp://127.0.0.1:{service.port}/live")
        assert service.connections == 0
    assert (result.verdict, result.reason) == ("dead", "not_media"), result.detail
    assert "StreamFlow itself" in str(result.detail)


@pytest.mark.parametrize("location", ["rtsp://169.254.169.254/latest", "rtsp://0.0.0.0:554/x", "rtsp://[::]/x"])
def test_a_redirect_of_rtsp_never_reaches_a_reserved_address(clip: Clip, location: str) -> None:
    result = redirected(clip, location)
    assert (result.verdict, result.reason) == ("dead", "not_media"), result.detail


def test_an_address_of_srt_is_the_one_that_was_checked() -> None:
    fetch = FetchRequest("srt://localhost:9000?streamid=a", {}, NetworkOptions(1, 1))
    assert libav._checked(fetch, "srt", Egress(EgressOptions())).url in (
        "srt://127.0.0.1:9000?streamid=a", "srt://[::1]:9000?streamid=a",
    )  # fmt: skip


@contextmanager
def sent_by_ffmpeg(clip: Clip, *target: str) -> Iterator[None]:
    """Send the clip in real time by ffmpeg, in a loop, while the context is open."""
    command = ["ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(clip.path), "-c", "copy", *target]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as reserved:
        reserved.bind(("127.0.0.1", 0))
        return int(reserved.getsockname()[1])


def is_listening(port: int) -> bool:
    """Return whether a port listens, by the kernel's table: the sender accepts a single connection."""
    wanted = f":{port:04X} 00000000:0000 0A"
    return wanted in Path("/proc/net/tcp").read_text(encoding="ascii")


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
@pytest.mark.parametrize("scheme", ["rtmp", "rtp"])
def test_a_stream_of_ffmpeg_is_measured(clip: Clip, scheme: str) -> None:
    port = free_port(socket.SOCK_STREAM if scheme == "rtmp" else socket.SOCK_DGRAM)
    url = f"{scheme}://127.0.0.1:{port}" + ("/live/one" if scheme == "rtmp" else "")
    target = ["-f", "flv", "-listen", "1", url] if scheme == "rtmp" else ["-f", "rtp_mpegts", url]
    with sent_by_ffmpeg(clip, *target):
        deadline = time.monotonic() + 10
        while scheme == "rtmp" and not is_listening(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        result = probe(ProbeTarget(url), config.Probe(sample_seconds=4, read_timeout=5)).result
    assert (result.width, result.height, result.fps, result.video_codec) == (640, 480, 30.0, "h264"), result.detail
    assert [track.codec for track in result.audio] == ["aac"]
    assert result.verdict in ("ok", "degraded")


@contextmanager
def mute_server() -> Iterator[int]:
    """Yield a port that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp", "udp"])
def test_nothing_in_time_is_dead(scheme: str) -> None:
    with mute_server() as port:
        result = probe(
            ProbeTarget(f"{scheme}://127.0.0.1:{port}/x"), config.Probe(connect_timeout=0.5, read_timeout=0.5)
        ).result
    assert (result.verdict, result.reason) == ("dead", "connect_timeout")
    assert result.elapsed_s < 1.5


@pytest.mark.parametrize("scheme", ["rtmp", "rtsp"])
def test_a_refused_connection_has_its_reason(scheme: str) -> None:
    with mute_server() as port:
        pass
    result = probe(ProbeTarget(f"{scheme}://127.0.0.1:{port}/x"), config.Probe(connect_timeout=1)).result
    assert (result.verdict, result.reason) == ("dead", "connection_refused")


def test_an_unknown_host_has_its_reason() -> None:
    result = probe(ProbeTarget("rtsp://user:secret@camera.lab.invalid/x"), config.Probe(connect_timeout=2)).result
    assert (result.verdict, result.reason) == ("dead", "dns_failure")
    assert "secret" not in result.model_dump_json()


def test_a_cancelled_probe_does_not_wait_for_libav() -> None:
    cancel = threading.Event()
    outcomes: list[ProbeOutcome] = []
    with mute_server() as port:
        target = ProbeTarget(f"rtmp://127.0.0.1:{port}/x")
        running = threading.Thread(
            target=lambda: outcomes.append(probe(target, config.Probe(connect_timeout=2), cancel=cancel)), daemon=True
        )
        running.start()
        time.sleep(0.2)
        cancel.set()
        running.join(timeout=0.3)
        assert not running.is_alive()
    assert outcomes[0].result.reason == "cancelled"


@contextmanager
def behind_tls(port: int, authority: trustme.CA) -> Iterator[int]:
    """Serve a port by TLS on another one, and yield that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)

    def serve() -> None:
        with suppress(OSError):
            while True:
                taken, _ = listening.accept()
                with suppress(OSError):
                    outer = context.wrap_socket(taken, server_side=True)
                    inner = socket.create_connection(("127.0.0.1", port))
                    for ends in ((outer, inner), (inner, outer)):
                        threading.Thread(target=copy, args=ends, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    ("mode", "is_trusted", "expected"),
    [
        ("report", False, ("ok", None, True)),
        ("verify", False, ("dead", "tls_error", False)),
        ("ignore", False, ("ok", None, False)),
        ("verify", True, ("ok", None, False)),
        ("report", True, ("ok", None, False)),
    ],
)
def test_a_server_is_held_to_its_certificate(
    monkeypatch: pytest.MonkeyPatch, lab_media: Media, tmp_path: Path, mode: str, is_trusted: bool, expected: object
) -> None:
    authority = trustme.CA()
    if is_trusted:
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    settings = config.Probe(sample_seconds=1, connect_timeout=3, read_timeout=2).model_copy(update={"tls": mode})
    clip = lab_media.clip("sd480p30")
    with closing(Rtsp(Timeline(clip))) as server, behind_tls(server.port, authority) as port, forked_server():
        result = probe(ProbeTarget(f"rtsps://127.0.0.1:{port}/x"), settings).result
    assert (result.verdict, result.reason, result.tls_untrusted) == expected
