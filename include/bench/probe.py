"""Measure the cost and the accuracy of a probe beside decoding every frame, on the lab's streams in the same run."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lab import CATALOGUE, Account, Behaviour, Library, Media, Stream, Truth, running
from streamflow import config

SECONDS = 30.0
# Pictures that repeat within a sample are rightly taken for a slate.
GOPS = 40
CLIPS = {
    f"bench_{name}": replace(CATALOGUE[name], name=f"bench_{name}", gops=GOPS) for name in ("fhd25_6m", "uhd50_hevc")
}
MEMORY_EVERY = 0.25
# Two cores may decode 2160 lines at a tenth of real time while they have other work.
PATIENCE = 10
_KILO = 1024


@dataclass(frozen=True)
class Figures:
    """The figures that a method of probing found; None where it finds none."""

    verdict: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    bitrate_kbps: float | None = None
    detail: str | None = None
    bytes: int | None = None


Method = Callable[[str, float], Figures]


def probed(url: str, seconds: float) -> Figures:
    """Measure with this probe."""
    from streamflow.probing import ProbeTarget, probe

    result = probe(ProbeTarget(url), config.Probe(sample_seconds=seconds, min_sample_seconds=None)).result
    return Figures(result.verdict, result.width, result.height, result.fps, result.bitrate_kbps, result.detail,
                 result.extra.get("bytes"))  # fmt: skip


def decoded(url: str, seconds: float) -> Figures:
    """Decode every frame of video and sound, as ``ffmpeg -f null -`` does, by the same libav."""
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
        return Figures(
            None, video.width, video.height, float(video.average_rate or 0) or None, size / 125 / seconds,
            f"{frames} pictures", size,
        )  # fmt: skip


def with_ffmpeg(url: str, seconds: float) -> Figures:
    """Measure as the usual checker: ``ffprobe``, then ``ffmpeg -re -i URL -t N -f null -`` over a second connection."""
    fields = "stream=width,height,avg_frame_rate"
    inspected = subprocess.run(
        ["ffprobe", "-v", "debug", "-select_streams", "v:0", "-show_entries", fields, "-of", "json", url],
        capture_output=True, check=True, timeout=PATIENCE * seconds, text=True,
    )  # fmt: skip
    stream: dict[str, Any] = json.loads(inspected.stdout)["streams"][0]
    above, below = map(int, stream["avg_frame_rate"].split("/"))
    run = subprocess.run(
        ["ffmpeg", "-v", "debug", "-re", "-i", url, "-t", str(seconds), "-f", "null", "-"],
        capture_output=True, check=True, timeout=PATIENCE * seconds, text=True,
    )  # fmt: skip
    looked, played = _bytes_read(inspected.stderr), _bytes_read(run.stderr)
    rate = above / below if below else None
    return Figures(None, stream["width"], stream["height"], rate, played / 125 / seconds, bytes=looked + played)


def _bytes_read(log: str) -> int:
    """Return the bytes that ffmpeg read from the network: the largest of its contexts' figures."""
    return max(map(int, re.findall(r"Statistics: (\d+) bytes read", log)), default=0)


def _processes(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    pids = [pid]
    for one in pids:
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
            pids += [int(child) for task in tasks for child in (task / "children").read_text(encoding="ascii").split()]
        except OSError:
            # The process has ended meanwhile.
            continue
    return pids


def _megabytes(pid: int) -> float:
    """Return the memory of a process and its descendants, shared memory counted once."""
    return sum(map(_share, _processes(pid))) / _KILO


def _share(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0


def _measure(method: Method, url: str, seconds: float, there: Connection) -> None:
    """Run a method in this process, with everything imported before the clock starts."""
    import av  # noqa: F401

    from streamflow.probing import ProbeTarget, probe

    # The first probe of a worker starts its fork server.
    probe(ProbeTarget("http://127.0.0.1:1/"), config.Probe(connect_timeout=1))
    there.send("ready")
    there.recv()
    before, began = _cpu_seconds(), time.monotonic()
    found = method(url, seconds)
    there.send((found, {"cpu_s": round(_cpu_seconds() - before, 3), "wall_s": round(time.monotonic() - began, 2)}))


def _measured(method: Method, url: str, seconds: float) -> tuple[Figures, dict[str, float]]:
    """Return what a method found and what it cost; its memory is read from outside, which costs it nothing."""
    spawned = multiprocessing.get_context("spawn")
    here, there = spawned.Pipe()
    process = spawned.Process(target=_measure, args=(method, url, seconds, there))
    process.start()
    there.close()
    here.recv()
    idle = peak = _megabytes(process.pid or 0)
    here.send("go")
    while not here.poll(MEMORY_EVERY):
        peak = max(peak, _megabytes(process.pid or 0))
    found, figures = here.recv()
    process.join()
    return found, figures | {"memory_mb_above_idle": round(peak - idle, 1)}


def _cpu_seconds() -> float:
    """Return the CPU time of this process, of its descendants, and of those that have ended (``proc_pid_stat(5)``)."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    ticks = sum(map(_ticks, _processes(os.getpid())[1:]))
    spent = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return spent + ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    # Its own time as a user and in the kernel, and that of its ended children.
    return sum(map(int, fields[11:15]))


def _judged(found: Figures, truth: Truth) -> dict[str, Any]:
    error = None if found.bitrate_kbps is None else found.bitrate_kbps / truth.bitrate_kbps - 1
    return {
        "size_right": (found.width, found.height) == (truth.width, truth.height),
        "fps_right": found.fps is not None and round(found.fps, 3) == truth.fps,
        "bitrate_error": None if error is None else round(error, 4),
        "verdict": found.verdict,
        "detail": found.detail,
        "bytes": found.bytes,
    }


def kept_media() -> Media:
    """Return the lab's clips, kept where later runs find them."""
    home = os.environ.get("STREAMFLOW_HOME")
    return Media((Path(home) if home else Path(tempfile.gettempdir()) / f"streamflow-{os.getuid()}") / "lab-media")


def _streams() -> Iterator[Stream]:
    """Yield each clip as a server sends it in slices, and the first as it comes over a real network."""
    for number, clip in enumerate(CLIPS, 1):
        yield Stream(number, clip, 1, clip=clip)
    clip = next(iter(CLIPS))
    yield Stream(len(CLIPS) + 1, f"{clip} in packets", 1, clip, Behaviour(in_packets=True))


def main(seconds: float = SECONDS) -> None:
    """Print one JSON object for each clip and method."""
    methods: dict[str, Method] = {"probe": probed, "decode_all": decoded}
    if shutil.which("ffprobe") and shutil.which("ffmpeg"):
        methods["ffprobe_then_ffmpeg"] = with_ffmpeg
    media = kept_media()
    account = Account(1, "Bench", "bench", "bench")
    library = Library([account], list(_streams()))
    CATALOGUE.update(CLIPS)
    with running(library, media) as lab:
        for stream in library.streams:
            url, truth = lab.url(stream), media.clip(stream.clip).truth
            for name, method in methods.items():
                lab.reset()
                found, figures = _measured(method, url, seconds)
                line = {"bench": "probe", "clip": stream.name, "kbps": CATALOGUE[stream.clip].kbps, "way": name}
                line |= {"seconds": seconds, "connections": lab.account_record(1)["total"]}
                print(json.dumps(line | figures | _judged(found, truth)), flush=True)


if __name__ == "__main__":
    main()
