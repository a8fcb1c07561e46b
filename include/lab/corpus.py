"""The labelled corpus: each class of media and each fault once, on an account without a limit."""

from __future__ import annotations

from collections.abc import Iterator

from lab.library import Account, Behaviour, Hls, Library, Stream
from lab.recipes import CATALOGUE

ACCOUNT = Account(1, "Corpus", "corpus", "corpus-password")

# The clips with a fault; all others are ok. The channel decides whether a stream is radio, and here no channel does.
CLIP_VERDICTS: dict[str, tuple[str, str]] = {
    "fhd25_starved": ("degraded", "low_bitrate"),
    "silent_video": ("degraded", "no_audio"),
    "radio_aac": ("dead", "no_video"),
    "radio_mp2": ("dead", "no_video"),
    "black": ("degraded", "black_video"),
    "frozen": ("degraded", "frozen_video"),
    "slate": ("degraded", "frozen_video"),
    "slate_loop": ("degraded", "frozen_video"),
    "silent_sound": ("degraded", "silent_audio"),
    "lossy": ("degraded", "unstable"),
    "scrambled": ("dead", "drm_protected"),
}

STATUS_VERDICTS: dict[int, tuple[str, str]] = {
    401: ("dead", "unauthorized"),
    403: ("dead", "unauthorized"),
    404: ("dead", "http_404"),
    410: ("dead", "http_410"),
    418: ("dead", "http_4xx"),
    429: ("unknown", "provider_busy"),
    451: ("dead", "geo_blocked"),
    458: ("unknown", "provider_busy"),
    500: ("dead", "http_5xx"),
    502: ("dead", "http_5xx"),
    503: ("unknown", "provider_busy"),
    509: ("unknown", "provider_busy"),
}


def corpus() -> Library:
    """Return the corpus. The name of a stream is the name of its class, such as ``http_404`` or ``hls_live``."""
    streams = [
        Stream(number, name, ACCOUNT.id, **fields)  # type: ignore[arg-type]
        for number, (name, fields) in enumerate(_streams(), 1)
    ]
    return Library([ACCOUNT], streams)


def _streams() -> Iterator[tuple[str, dict[str, object]]]:
    for name in CATALOGUE:
        verdict, reason = CLIP_VERDICTS.get(name, ("ok", None))
        yield name, {"clip": name, "verdict": verdict, "reason": reason}
    for status, (verdict, reason) in STATUS_VERDICTS.items():
        retry_after = 2 if status in (429, 503) else None
        behaviour = Behaviour("status", status=status, retry_after=retry_after)
        yield f"http_{status}", {"behaviour": behaviour, "verdict": verdict, "reason": reason}
    yield "redirect", {"behaviour": Behaviour(hops=1)}
    yield "redirect_chain", {"behaviour": Behaviour(hops=3)}
    yield "redirect_endless", {"behaviour": Behaviour(hops=1_000_000), "verdict": "dead", "reason": "not_media"}
    yield "slow_first_byte", {"behaviour": Behaviour(delay_s=1.5)}
    yield "big_burst", {"behaviour": Behaviour(burst_s=4)}
    yield "no_burst", {"behaviour": Behaviour(burst_s=0)}
    yield "in_packets", {"behaviour": Behaviour(in_packets=True)}
    yield "wrap", {"behaviour": Behaviour(wrap_in_s=1.5)}
    unstable = {"verdict": "degraded", "reason": "unstable"}
    yield "stall", {"behaviour": Behaviour("stall", after_s=2), **unstable}
    yield "stutter", {"behaviour": Behaviour("stall", after_s=1, for_s=1.5, burst_s=0.2), **unstable}
    yield "drop", {"behaviour": Behaviour("drop", after_s=3), **unstable}
    yield "too_slow", {"behaviour": Behaviour(speed=0.6), **unstable}
    yield "jump", {"behaviour": Behaviour("jump", after_s=1.5), **unstable}
    busy = {"verdict": "unknown", "reason": "provider_busy"}
    yield "instant_cut", {"behaviour": Behaviour("truncate", after_bytes=3760), **busy}
    not_media = {"verdict": "dead", "reason": "not_media"}
    yield "html", {"behaviour": Behaviour("html"), **not_media}
    yield "json", {"behaviour": Behaviour("json"), **not_media}
    yield "garbage", {"behaviour": Behaviour("garbage"), **not_media}
    no_data = {"verdict": "dead", "reason": "no_data"}
    yield "empty", {"behaviour": Behaviour("empty"), **no_data}
    yield "never", {"behaviour": Behaviour("never"), **no_data}
    yield "trickle", {"behaviour": Behaviour("trickle"), **no_data}
    yield "proxy_error", {"behaviour": Behaviour("proxy_error"), **no_data}
    yield "tuner_807", {"behaviour": Behaviour("tuner", tuner_error="807 No Video Data"), **no_data}
    yield "tuner_805", {"behaviour": Behaviour("tuner", tuner_error="805 All Tuners In Use"), **busy}
    yield "false_length", {"behaviour": Behaviour("false_length")}
    yield "false_head", {"behaviour": Behaviour("false_head")}
    yield "untrusted_tls", {"place": "untrusted_tls"}
    yield "not_tls", {"place": "not_tls", "verdict": "dead", "reason": "tls_error"}
    yield "unresolvable", {"place": "unresolvable", "verdict": "dead", "reason": "dns_failure"}
    yield "refused", {"place": "refused", "verdict": "dead", "reason": "connection_refused"}
    yield "silent", {"place": "silent", "verdict": "dead", "reason": "connect_timeout"}
    yield "hls_live", {"hls": Hls()}
    yield "hls_encrypted", {"hls": Hls(encrypted=True)}
    yield "hls_vod", {"hls": Hls(vod=True)}
    not_live = {"verdict": "degraded", "reason": "not_live"}
    yield "notice", {"behaviour": Behaviour("notice"), **not_live}
    yield "hls_notice", {"hls": Hls(vod=True, notice=True), **not_live}
    yield "dash_notice", {"hls": Hls(dash=True, vod=True, notice=True), **not_live}
    yield "hls_variants", {"clip": "fhd25_3m", "hls": Hls(variants=("sd480p30", "hd25_2m", "fhd25_3m"))}
    yield "hls_stale", {"hls": Hls(stale=True), "verdict": "degraded", "reason": "frozen_video"}
    yield "dash_live", {"hls": Hls(dash=True)}
    yield "dash_vod", {"hls": Hls(dash=True, vod=True)}
    yield "dash_variants", {"clip": "fhd25_3m", "hls": Hls(dash=True, variants=("sd480p30", "hd25_2m", "fhd25_3m"))}
