"""Each class of the labelled corpus gets its true verdict and figures, on one connection."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator

import httpx
import pytest

from lab import Account, Lab, Library, Media, Stream, Truth, corpus, running
from streamflow import config
from streamflow.picture_prints import prints_of
from streamflow.probing import ProbeOutcome, ProbeTarget, probe
from streamflow.records import Result
from support.probing.at_once import probe_all
from support.probing.watching import assert_nobody_watches

SETTINGS = config.Probe(sample_seconds=5, connect_timeout=2, read_timeout=2.5)
# A playlist is stale after three target durations, which are 2 s.
LONGER = SETTINGS.model_copy(update={"sample_seconds": 8})
BITRATE_ERROR = 0.05


def probed(lab: Lab, streams: Iterable[Stream]) -> dict[str, ProbeOutcome]:
    """Return the outcome of each stream by its name; all are probed at once."""
    return probe_all(
        {
            stream.name: (
                ProbeTarget(lab.url(stream), stream_id=stream.id, account_id=stream.account_id),
                LONGER if stream.name == "hls_stale" else SETTINGS,
            )
            for stream in streams
        }
    )


def word(verdict: str, reason: str | None) -> str:
    return f"{verdict}: {reason}" if reason else verdict


def print_confusion(pairs: Iterable[tuple[str, str]]) -> None:
    """Print the count of each pair of a true and a measured verdict."""
    print(f"\n{'true':30} {'measured':30} streams")
    for (true, said), count in sorted(Counter(pairs).items()):
        print(f"{true:30} {said:30} {count:7}{'' if true == said else '  WRONG'}")


def faults(result: Result, truth: Truth) -> Iterator[str]:
    """Yield each figure that was measured wrong."""
    for name in ("width", "height", "fps", "interlaced", "hdr", "video_codec", "pixel_format"):
        measured, true = getattr(result, name), getattr(truth, name)
        if measured != true:
            yield f"{name} is {true}, measured {measured}"
    tracks = [(track.codec, track.channels, track.sample_rate, track.language) for track in result.audio]
    true_tracks = [(track.codec, track.channels, track.sample_rate, track.language) for track in truth.audio]
    if tracks != true_tracks:
        yield f"audio is {true_tracks}, measured {tracks}"
    if abs((result.bitrate_kbps or 0) - truth.bitrate_kbps) > BITRATE_ERROR * truth.bitrate_kbps:
        yield f"bitrate is {truth.bitrate_kbps}, measured {result.bitrate_kbps}"


@pytest.mark.timeout(110)
def test_every_class_is_judged_and_measured_on_one_connection(lab_media: Media) -> None:
    library = corpus()
    with running(library, lab_media) as lab:
        outcomes = probed(lab, library.streams)
        connections = Counter(line["stream"] for line in lab.record(connections=True)["connections"])
    results = {name: outcome.result for name, outcome in outcomes.items()}
    words = {
        stream.name: (word(stream.verdict, stream.reason), word(found.verdict, found.reason))
        for stream in library.streams
        for found in [results[stream.name]]
    }
    print_confusion(words.values())
    wrong = {name: (*pair, results[name].detail) for name, pair in words.items() if pair[0] != pair[1]}
    assert not wrong
    measured = {
        stream.name: list(faults(results[stream.name], lab.media.clip(stream.clip).truth))
        for stream in library.streams
        if results[stream.name].bitrate_kbps is not None
    }
    assert len(measured) >= 40
    assert not {name: found for name, found in measured.items() if found}
    assert [name for name, result in results.items() if result.tls_untrusted] == ["untrusted_tls"]
    expected = {
        stream.id: int(stream.place in ("provider", "untrusted_tls") and stream.name != "redirect_endless")
        for stream in library.streams
    }
    assert {number: connections[number] for number in expected} == expected


def test_a_radio_channel_needs_no_video(lab: Lab) -> None:
    found = probe(
        ProbeTarget(lab.url("radio_mp2"), name="Jazz", radio=True), SETTINGS.model_copy(update={"sample_seconds": 2})
    )
    assert (found.result.verdict, found.result.reason) == ("ok", None)
    assert (found.result.width, [track.codec for track in found.result.audio]) == (None, ["mp2"])


def test_a_name_that_promises_more_is_reported(lab: Lab) -> None:
    found = probe(ProbeTarget(lab.url("hd25_2m"), name="News 4K"), SETTINGS.model_copy(update={"sample_seconds": 1}))
    assert found.result.label_mismatch == "named 4K, measured 720p"


def test_a_measured_picture_has_an_estimated_quality(lab: Lab) -> None:
    settings = SETTINGS.model_copy(update={"sample_seconds": 1})
    found = {name: probe(ProbeTarget(lab.url(name)), settings).result for name in ("hd25_2m", "fhd25_3m", "http_404")}
    assert found["hd25_2m"].quality == pytest.approx(3.78, abs=0.05)
    assert found["fhd25_3m"].quality == pytest.approx(4.33, abs=0.05)
    assert found["http_404"].quality is None


@pytest.mark.parametrize("thumbnails", [True, False])
def test_a_thumbnail_is_taken_where_it_is_wanted(lab: Lab, thumbnails: bool) -> None:
    settings = SETTINGS.model_copy(update={"sample_seconds": 1, "thumbnails": thumbnails})
    assert bool(probe(ProbeTarget(lab.url("hd25_2m")), settings).thumbnail) is thumbnails


def test_a_thumbnail_carries_the_fingerprints_of_the_samples_pictures(lab: Lab) -> None:
    settings = SETTINGS.model_copy(update={"sample_seconds": 3})
    jpeg = probe(ProbeTarget(lab.url("hd25_2m")), settings).thumbnail
    assert jpeg
    # All pictures of this test card have the same one.
    assert len(prints_of(jpeg)) == 1


@pytest.mark.parametrize("name", ["hd25_2m", "never", "silent", "hls_live", "stall"])
def test_a_cancelled_probe_ends_at_once_and_gives_its_connection_back(lab: Lab, name: str) -> None:
    cancel, ended = threading.Event(), threading.Event()
    outcomes: list[ProbeOutcome] = []

    def run() -> None:
        outcomes.append(probe(ProbeTarget(lab.url(name)), config.Probe(), cancel=cancel))
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    assert not ended.wait(0.5)
    cancel.set()
    assert ended.wait(2)
    result = outcomes[0].result
    assert (result.verdict, result.reason) == ("unknown", "cancelled")
    assert_nobody_watches(lab)


def test_progress_is_reported_each_second(lab: Lab) -> None:
    progress = []
    settings = SETTINGS.model_copy(update={"sample_seconds": 2.5})
    probe(ProbeTarget(lab.url("fhd25_3m")), settings, on_progress=progress.append)
    assert progress[0].phase == "connecting"
    running_ = [each for each in progress if each.phase == "measuring"]
    assert 2 <= len(running_) <= 4
    assert running_[-1].bitrate_kbps == pytest.approx(3000, rel=0.2)
    assert [each.bytes for each in running_] == sorted(each.bytes for each in running_)
    assert running_[-1].first_frame_ms is not None


@pytest.mark.parametrize(
    ("name", "seconds"), [("http_404", 1.0), ("html", 1.0), ("scrambled", 1.5), ("garbage", 2.5), ("refused", 1.0)]
)
def test_a_stream_that_is_clearly_dead_is_known_early(lab: Lab, name: str, seconds: float) -> None:
    result = probe(ProbeTarget(lab.url(name)), config.Probe()).result
    assert result.verdict == "dead"
    assert result.elapsed_s < seconds


def test_the_wait_that_a_provider_asks_for_is_passed_on(lab: Lab) -> None:
    busy = probe(ProbeTarget(lab.url("http_429")), SETTINGS)
    assert (busy.result.reason, busy.retryable, busy.retry_after) == ("provider_busy", True, 2.0)


def test_403_is_busy_where_the_account_is_in_use(lab: Lab) -> None:
    result = probe(ProbeTarget(lab.url("http_403"), account_busy=True), SETTINGS).result
    assert (result.verdict, result.reason) == ("unknown", "provider_busy")


def test_a_slate_means_busy_where_the_account_is_full_unless_it_was_shown_before(lab_media: Media) -> None:
    account = Account(1, "Small", "small", "small-password", max_streams=1, refusal="slate")
    settings = SETTINGS.model_copy(update={"sample_seconds": 3})
    with running(Library([account], [Stream(1, "One", 1)]), lab_media) as small:
        url = small.url(small.library.streams[0])
        with httpx.stream("GET", url):
            alone = probe(ProbeTarget(url), settings)
            full = probe(ProbeTarget(url, account_full=True), settings)
            known = probe(ProbeTarget(url, account_full=True, known_slates=(alone.slate or b"",)), settings)
        free = probe(ProbeTarget(url, account_full=True), settings)
    verdicts = [(one.result.verdict, one.result.reason, one.retryable) for one in (alone, full, known, free)]
    frozen = ("degraded", "frozen_video", False)
    assert verdicts == [frozen, ("unknown", "provider_busy", True), frozen, ("ok", None, False)]
    assert (bool(alone.slate), free.slate) == (True, None)
