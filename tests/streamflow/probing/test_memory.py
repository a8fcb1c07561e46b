"""The memory of a probe is bounded, whatever a provider sends: neither its media nor its playlists fill the machine."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from av.error import FFmpegError

from lab import Lab
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.isolation import memory
from streamflow.probing.isolation.client import End
from streamflow.probing.isolation.fork_server import JOB_BYTES
from streamflow.records import Result
from support.probing.huge_picture import huge_picture
from support.probing.inside import Send, forked_server, ran
from support.probing.scripted import Scripted, response

QUICK = config.Probe(sample_seconds=0.5, connect_timeout=2, read_timeout=1)
# What a decoder and a fetcher may have at most for hostile input; without input they have 50 MB.
MOST_DECODER_KB = 250_000
MOST_FETCHER_KB = 200_000

Measured = Callable[[str, bytes], Result]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, scripted: Scripted) -> Measured:
    """Return a function that probes a body, and asserts that no process took much memory."""
    client = sys.modules["streamflow.probing.isolation.client"]
    honest, ends = client._reports, []

    def reports(*arguments: Any) -> list[End]:
        found: list[End] = honest(*arguments)
        ends.extend(found)
        return found

    monkeypatch.setattr(client, "_reports", reports)

    def measure(path: str, body: bytes) -> Result:
        result = probe(ProbeTarget(scripted.url(path, response(body))), QUICK).result
        peaks = {end.role: end.peak_kb for end in ends}
        assert peaks.keys() == {"fetcher", "decoder"}
        assert 10_000 < peaks["decoder"] < MOST_DECODER_KB
        assert 10_000 < peaks["fetcher"] < MOST_FETCHER_KB
        return result

    return measure


# -- media ---------------------------------------------------------------------------------------
def test_a_huge_picture_in_a_small_file_is_refused(measured: Measured) -> None:
    result = measured("/1.h264", huge_picture(16_000, 16_000) * 20)
    assert (result.verdict, result.reason) == ("dead", "undecodable")


def test_a_large_picture_that_is_permitted_is_decoded(scripted: Scripted) -> None:
    url = scripted.url("/1.h264", response(huge_picture(1920, 1088) * 40))
    assert probe(ProbeTarget(url), QUICK).result.width == 1920


def test_libav_decodes_no_huge_picture_where_it_takes_no_options() -> None:
    def decode(_: Send) -> tuple[bool, int]:
        # A forked process begins with the size of its parent.
        inherited_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        codec = av.CodecContext.create("h264", "r")
        codec.thread_count = 1
        try:
            frames = [
                frame for packet in codec.parse(huge_picture(16_000, 16_000) * 3) for frame in codec.decode(packet)
            ]
        except (FFmpegError, MemoryError):
            frames = []
        return bool(frames), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - inherited_kb

    is_decoded, grown_kb = ran(decode)
    assert not is_decoded
    assert grown_kb < MOST_DECODER_KB


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg makes the picture")
def test_an_image_in_a_container_is_no_television(measured: Measured, tmp_path: Path) -> None:
    file = tmp_path / "1.mkv"
    made = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "color=s=9000x9000:r=1",
        "-frames:v",
        "1",
        "-c:v",
        "png",
        file,
    ]
    subprocess.run(made, check=True, timeout=60)
    result = measured("/1.mkv", file.read_bytes())
    assert (result.verdict, result.width) == ("dead", None)


# -- playlists -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "line",
    [
        b"#EXTINF:2,\n%d.ts\n", b'#EXT-X-KEY:METHOD=AES-128,URI="%d"\n#EXTINF:2,\n1.ts\n', b'#EXT-X-MAP:URI="%d"\na\n',
        b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="%d"\n', b"#EXT-X-STREAM-INF:BANDWIDTH=%d\na\n", b"\n",
        b"%d" * 4_000,
    ],
)  # fmt: skip
def test_a_long_playlist_takes_no_memory(measured: Measured, line: bytes) -> None:
    lines = (line.replace(b"%d", b"%d" % number) for number in range(4_000_000 // len(line)))
    assert measured("/1.m3u8", b"#EXTM3U\n" + b"".join(lines)).verdict == "dead"


@pytest.mark.parametrize(
    "inside",
    [
        b"<a/>" * 3_500_000,
        b"<a>" * 500_000 + b"</a>" * 500_000,
        b"<a " + b' a=""' * 2_000_000 + b"/>",
        b"x" * 15_000_000,
    ],
    ids=["elements", "depth", "attributes", "text"],
)
def test_a_long_manifest_takes_no_memory(measured: Measured, inside: bytes) -> None:
    document = b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>' + inside + b"</Period></MPD>"
    assert measured("/1.mpd", document).verdict == "dead"


# -- a machine without memory --------------------------------------------------------------------
def test_probes_wait_for_the_memory_of_others(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: JOB_BYTES + 1)
    lasted: list[float] = []

    def work() -> None:
        began = time.monotonic()
        assert probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result.video_codec == "h264"
        lasted.append(time.monotonic() - began)

    with forked_server():
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    first, second, third = sorted(lasted)
    assert second > first + QUICK.sample_seconds
    assert third > second + QUICK.sample_seconds


def test_a_probe_that_finds_no_memory_says_so(monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)
    long = config.Probe(sample_seconds=30)
    began, cancel = threading.Event(), threading.Event()
    with forked_server():
        other = threading.Thread(
            target=probe, args=(ProbeTarget(lab.url("hd25_2m")), long),
            kwargs={"on_progress": lambda _: began.set(), "cancel": cancel},
        )  # fmt: skip
        other.start()
        assert began.wait(20)
        monkeypatch.setattr(sys.modules["streamflow.probing.isolation.client"], "START_SECONDS", 0.5)
        result = probe(ProbeTarget(lab.url("hd25_2m")), QUICK).result
        cancel.set()
        other.join()
    assert (result.verdict, result.reason) == ("unknown", "internal_error")
    assert "memory" in str(result.detail)


# -- the machine's memory ------------------------------------------------------------------------
MACHINE = "MemTotal:  2000000 kB\nMemAvailable: 900000 kB\n"
CGROUP_V2 = {
    "memory.max": "1200000000\n",
    "memory.current": "800000000\n",
    "memory.stat": "anon 1\ninactive_file 300000000\n",
    "memory.events": "low 0\noom 2\noom_kill 2\n",
}
CGROUP_V1 = {
    "memory/docker/x/memory.limit_in_bytes": "700\n",
    "memory/docker/x/memory.usage_in_bytes": "200\n",
    "memory/docker/x/memory.stat": "inactive_file 10\ntotal_inactive_file 100\n",
    "memory/memory.oom_control": "oom_kill 4\n",
}


@pytest.mark.parametrize(
    ("own", "files", "limit", "kills", "available"),
    [
        ("0::/\n", CGROUP_V2, 1_200_000_000, 2, 700_000_000),
        ("0::/a/b\n", {"a/memory.max": "500\n", "a/memory.current": "0\n", "a/b/memory.max": "max\n"}, 500, 7, 500),
        ("4:memory:/docker/x\n1:cpu:/y\n", CGROUP_V1, 700, 4, 600),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 2_048_000_000, 7, 921_600_000),
        ("", {}, 2_048_000_000, 7, 921_600_000),
    ],
    ids=["container", "slice", "version 1", "version 1 without a limit", "no cgroup"],
)
def test_the_limit_of_the_container_and_its_kills_are_known(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    own: str,
    files: dict[str, str],
    limit: int,
    kills: int,
    available: int,
) -> None:
    for name, text in (files | {"own": own, "meminfo": MACHINE, "vmstat": "oom_kill 7\n"}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "_MACHINE", tmp_path)
    assert (memory.limit_bytes(), memory.kills(), memory.available_bytes()) == (limit, kills, available)
