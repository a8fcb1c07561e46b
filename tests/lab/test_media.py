"""Clips are what their truth says, and loop without a seam."""

from __future__ import annotations

import io
from itertools import pairwise

import av
import pytest

from lab import CATALOGUE, Clip, Media
from lab.mpegts import CLOCK, WRAP
from lab.timeline import Timeline


def endless(clip: Clip, loops: float, first_ticks: int = 0) -> io.BytesIO:
    timeline = Timeline(clip, first_ticks)
    count = round(loops * clip.truth.duration_s / timeline.slice_s)
    return io.BytesIO(b"".join(timeline.slice(number) for number in range(count)))


CHEAP = ["hd25_2m", "sd480p30", "sd576i_mpeg2", "sd576i_h264", "silent_video", "radio_aac", "hd30_ntsc_3m", "black"]


@pytest.mark.parametrize("name", CHEAP)
def test_a_clip_measures_as_its_truth_over_its_loops(lab_media: Media, name: str) -> None:
    clip = lab_media.clip(name)
    truth = clip.truth
    stream_bytes = endless(clip, 2.2)
    sizes: dict[int, int] = {}
    times: dict[int, list[int]] = {}
    with av.open(stream_bytes, format="mpegts") as media:
        for packet in media.demux():
            if packet.dts is not None:
                times.setdefault(packet.stream.index, []).append(packet.dts)
                sizes[packet.stream.index] = sizes.get(packet.stream.index, 0) + packet.size
        video = next(iter(media.streams.video), None)
        audio = [
            (track.codec_context.name, track.codec_context.channels, track.codec_context.sample_rate)
            for track in media.streams.audio
        ]
        assert [(track.codec.removesuffix("float"), track.channels, track.sample_rate) for track in truth.audio] == [
            (codec.removesuffix("float"), *rest) for codec, *rest in audio
        ]
        for ticks in times.values():
            steps = {after - before for before, after in pairwise(ticks)}
            assert max(steps) - min(steps) <= 1, "the stream jumps"
        if truth.width is None:
            assert video is None
            return
        assert video is not None
        assert (video.width, video.height, video.codec_context.name) == (truth.width, truth.height, truth.video_codec)
        ticks = times[video.index]
        assert truth.fps == pytest.approx((len(ticks) - 1) * CLOCK / (ticks[-1] - ticks[0]), abs=0.001)
        kbps = sizes[video.index] * 8 / len(ticks) * truth.fps / 1000
        assert kbps == pytest.approx(truth.video_kbps, rel=0.01)
    assert truth.bitrate_kbps == pytest.approx(CATALOGUE[name].kbps, rel=0.2 if truth.width is None else 0.04)


@pytest.mark.parametrize("name", ["hd25_2m", "sd576i_h264", "sd480p30"])
def test_a_clip_decodes_without_an_error(lab_media: Media, name: str) -> None:
    clip = lab_media.clip(name)
    av.logging.set_level(av.logging.WARNING)
    with av.logging.Capture() as log, av.open(endless(clip, 2), format="mpegts") as media:
        frames = list(media.decode(video=0))
    assert not [line for line in log if "PES packet size" not in line[2] and "corrupt" not in line[2]]
    assert {frame.interlaced_frame for frame in frames} == {clip.truth.interlaced}


def test_time_stamps_pass_their_end_without_a_jump(lab_media: Media) -> None:
    clip = lab_media.clip("sd480p30")
    with av.open(endless(clip, 0.5, first_ticks=WRAP - 2 * CLOCK), format="mpegts") as media:
        ticks = [packet.dts for packet in media.demux(video=0) if packet.dts is not None]
    assert {after - before for before, after in pairwise(ticks)} == {3000}


def test_continuity_counters_run_on_over_a_loop(lab_media: Media) -> None:
    data = endless(lab_media.clip("radio_aac"), 2).getvalue()
    last: dict[int, int] = {}
    for at in range(0, len(data), 188):
        pid, counter = (data[at + 1] & 0x1F) << 8 | data[at + 2], data[at + 3] & 0x0F
        assert last.get(pid, counter - 1) & 0x0F == (counter - 1) & 0x0F
        last[pid] = counter


def test_a_frozen_clip_repeats_its_picture_to_the_bit(lab_media: Media) -> None:
    with av.open(endless(lab_media.clip("frozen"), 0.3), format="mpegts") as media:
        pictures = {bytes(frame.planes[0]) for frame in media.decode(video=0)}
    assert len(pictures) == 1


def test_the_key_frames_of_a_moving_clip_all_differ(lab_media: Media) -> None:
    with av.open(endless(lab_media.clip("hd25_2m"), 0.99), format="mpegts") as media:
        media.streams.video[0].codec_context.skip_frame = "NONKEY"
        pictures = [bytes(frame.planes[0]) for frame in media.decode(video=0)]
    assert len(pictures) == len(set(pictures)) >= 14


def test_a_clip_is_made_once(lab_media: Media) -> None:
    path = lab_media.clip("radio_mp2").path
    made_at = path.stat().st_mtime_ns
    assert Media(path.parent).clip("radio_mp2").path.stat().st_mtime_ns == made_at
