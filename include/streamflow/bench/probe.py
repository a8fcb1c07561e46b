"""What a probe costs and how right it is, beside decoding every frame, on the same lab's streams in the same run."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lab import CATALOGUE, Account, Library, Media, Stream, Truth, running
from streamflow import config

SECONDS = 30.0
# The second comes again after 8 s, which a sample of 30 s rightly takes for a slate.
CLIPS = ("fhd25_6m", "uhd50_hevc")
_KILO = 1024


@dataclass(frozen=True)
class Found:
    """What a way of probing told; None where it does not tell."""

    verdict: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    bitrate_kbps: float | None = None
    detail: str | None = None


Way = Callable[[str, float], Found]


def probed(url: str, seconds: float) -> Found:
    """This probe."""
    from streamflow.probing import Target, probe

    result = probe(Target(url), config.Probe(sample_seconds=seconds)).result
    return Found(result.verdict, result.width, result.height, result.fps, result.bitrate_kbps, result.detail)


def decoded(url: str, seconds: float) -> Found:
    """Every frame of video and sound decoded, as ``ffmpeg -f null -`` does, by the same libav."""
    import av

    size = frames = 0
    until = time.monotonic() + seconds
    with av.open(url, timeout=10) as container:
        video = container.streams.video[0]
        for packet in container.demux():
            size += packet.size
            made = packet.decode()
            frames += len(made) if packet.stream is video else 0
            if time.monotonic() >= until:
                break
        return Found(
            None, video.width, video.height, float(video.average_rate or 0) or None, size / 125 / seconds,
            f"{frames} pictures",
        )  # fmt: skip


def with_ffmpeg(url: str, seconds: float) -> Found:
    """The usual checker: ``ffprobe``, and then ``ffmpeg -re -i URL -t N -f null -`` over a second connection."""
    fields = "stream=width,height,avg_frame_rate"
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", fields, "-of", "json", url],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    stream: dict[str, Any] = json.loads(told.stdout)["streams"][0]
    above, below = map(int, stream["avg_frame_rate"].split("/"))
    run = subprocess.run(
        ["ffmpeg", "-v", "debug", "-re", "-i", url, "-t", str(seconds), "-f", "null", "-"],
        capture_output=True, check=True, timeout=seconds + 60, text=True,
    )  # fmt: skip
    read = re.search(r"(\d+) bytes read", run.stderr)
    kbps = int(read[1]) / 125 / seconds if read else None
    return Found(None, stream["width"], stream["height"], above / below if below else None, kbps)


def _megabytes() -> float:
    """Resident memory as of now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / _KILO / _KILO


def _peak(stop: threading.Event, into: list[float]) -> None:
    while not stop.wait(0.1):
        into.append(_megabytes())


def _measure(way: Way, url: str, seconds: float, told: Connection) -> None:
    """In a process of its own, with everything imported before the clock starts."""
    import av  # noqa: F401

    import streamflow.probing  # noqa: F401

    idle, peaks, stop = _megabytes(), [0.0], threading.Event()
    watching = threading.Thread(target=_peak, args=(stop, peaks))
    watching.start()
    before, began = _cpu_seconds(), time.monotonic()
    found = way(url, seconds)
    figures = {"cpu_s": round(_cpu_seconds() - before, 3), "wall_s": round(time.monotonic() - began, 2)}
    stop.set()
    watching.join()
    told.send((found, figures | {"memory_mb_above_idle": round(max(peaks) - idle, 1)}))


def _cpu_seconds() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _judged(found: Found, truth: Truth) -> dict[str, Any]:
    error = None if found.bitrate_kbps is None else found.bitrate_kbps / truth.bitrate_kbps - 1
    return {
        "size_right": (found.width, found.height) == (truth.width, truth.height),
        "fps_right": found.fps is not None and round(found.fps, 3) == truth.fps,
        "bitrate_error": None if error is None else round(error, 4),
        "verdict": found.verdict,
        "detail": found.detail,
    }


def main(seconds: float = SECONDS) -> None:
    """Print one JSON object for each clip and way."""
    ways: dict[str, Way] = {"probe": probed, "decode_all": decoded}
    if shutil.which("ffprobe") and shutil.which("ffmpeg"):
        ways["ffprobe_then_ffmpeg"] = with_ffmpeg
    home = os.environ.get("STREAMFLOW_HOME")
    media = Media((Path(home) if home else Path(tempfile.gettempdir()) / f"streamflow-{os.getuid()}") / "lab-media")
    account = Account(1, "Bench", "bench", "bench")
    library = Library([account], [Stream(number, clip, 1, clip=clip) for number, clip in enumerate(CLIPS, 1)])
    spawned = multiprocessing.get_context("spawn")
    with running(library, media) as lab:
        for stream in library.streams:
            url, truth = lab.url(stream), media.clip(stream.clip).truth
            for name, way in ways.items():
                lab.reset()
                here, there = spawned.Pipe(duplex=False)
                process = spawned.Process(target=_measure, args=(way, url, seconds, there))
                process.start()
                there.close()
                found, figures = here.recv()
                process.join()
                line = {"bench": "probe", "clip": stream.clip, "kbps": CATALOGUE[stream.clip].kbps, "way": name}
                connections = lab.account_record(1)["total"]
                print(
                    json.dumps(
                        line | {"seconds": seconds, "connections": connections} | figures | _judged(found, truth)
                    ),
                    flush=True,
                )


if __name__ == "__main__":
    main()
