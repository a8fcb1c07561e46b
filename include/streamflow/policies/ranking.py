"""The ranks that a policy gives to the working streams of a channel.

Streams are compared band by band, in the order of :func:`_bands`; only streams that are equal in all bands are compared
by their points.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from streamflow.policies.languages import language
from streamflow.policies.patterns import matches
from streamflow.policies.policy import Limits, Policy, Prefer
from streamflow.records import Account, Result

# Degraded streams that show nothing: no preference puts them ahead of a stream that does.
UNWATCHABLE = ("black_video", "frozen_video")
BEST_QUALITY, WORST_QUALITY = 5.0, 1.0
# Broadcasts at 60 fields or frames a second have 60000/1001 of them (SMPTE ST 170).
NTSC = 1000 / 1001


@dataclass(frozen=True)
class Candidate:
    """A working stream that is ranked.

    :param points: its score.
    :param reliability: the factor by which its past failures lower its score.
    """

    stream_id: int
    result: Result
    account: Account | None
    points: float
    reliability: float = 1.0


@dataclass(frozen=True)
class Rank:
    """The rank of a stream: higher bands come first, then more points.

    :param merits: a few words for each band.
    """

    bands: tuple[int, ...]
    points: float
    merits: tuple[str, ...] = ()

    def merit_against(self, other: Rank) -> tuple[str, str] | None:
        """Return the words for the first band in which two ranks differ, this one's and the other's; None for none."""
        for place, (own, others) in enumerate(zip(self.bands, other.bands, strict=True)):
            if own != others:
                return self.merits[place], other.merits[place]
        return None


def ranks(policy: Policy, candidates: Sequence[Candidate]) -> dict[int, Rank]:
    """Return the rank of each stream."""
    points = _points(policy, candidates)
    usual = _usual_lines(candidates) if policy.effective_order == "same_resolution" else None
    found = {}
    for one in candidates:
        bands = list(_bands(policy, one, usual))
        if bands:
            shows = one.result.reason not in UNWATCHABLE
            bands.insert(0, (int(shows), "shows a picture" if shows else str(one.result.reason)))
        found[one.stream_id] = Rank(
            tuple(band for band, _ in bands), points[one.stream_id], tuple(merit for _, merit in bands)
        )
    return found


def turns(policy: Policy, candidates: Iterable[Candidate]) -> dict[int, int]:
    """Return the key of each stream's account, by which accounts take turns; empty unless the policy says so.

    Listed accounts have negative keys, the first one the lowest; those that are not listed have their id, or 0 for
    streams without an account.
    """
    if policy.effective_order != "interleave":
        return {}
    listed = policy.accounts or ()
    keys = {}
    for one in candidates:
        place = _place(listed, one.account)
        unlisted = one.account.id if one.account else 0
        keys[one.stream_id] = unlisted if place is None else place - len(listed)
    return keys


def beyond(limits: Limits, result: Result) -> str | None:
    """Return why a result is beyond the limits; None when it is within them. What was not measured is within."""
    lines, bitrate = result.lines, result.bitrate_kbps
    if lines and limits.max_height and lines > limits.max_height:
        return f"{lines} lines, above max_height {limits.max_height}"
    if lines and limits.min_height and lines < limits.min_height:
        return f"{lines} lines, below min_height {limits.min_height}"
    if bitrate and limits.max_bitrate_kbps and bitrate > limits.max_bitrate_kbps:
        return f"{bitrate} kbit/s, above max_bitrate_kbps {limits.max_bitrate_kbps}"
    return None


def _points(policy: Policy, candidates: Sequence[Candidate]) -> Mapping[int, float]:
    """Return the points of each stream: its score, or its quality from 0 to 1 if each stream has a quality."""
    qualities = {one.stream_id: one.result.quality for one in candidates}
    if policy.effective_order != "quality" or None in qualities.values():
        return {one.stream_id: one.points for one in candidates}
    return {
        one.stream_id: round(
            ((qualities[one.stream_id] or WORST_QUALITY) - WORST_QUALITY)
            / (BEST_QUALITY - WORST_QUALITY)
            * one.reliability,
            4,
        )
        for one in candidates
    }


def _bands(policy: Policy, one: Candidate, usual: int | None) -> Iterable[tuple[int, str]]:
    """Yield the band and the words for each rule of the policy: limits, sound, preferences, order."""
    if policy.limits.model_fields_set:
        reason = beyond(policy.limits, one.result)
        yield int(reason is None), reason or "within the limits"
    if policy.audio:
        yield _sound(policy.audio, one.result)
    if policy.prefer.model_fields_set:
        yield _preference(policy.prefer, one.result)
    if policy.effective_order == "provider":
        listed = policy.accounts or ()
        place = _place(listed, one.account)
        # Without a list, accounts come in the order of their ids.
        fallback = -(one.account.id if one.account else 0) if not listed else 0
        name = one.account.name if one.account else "none"
        yield (fallback if place is None else len(listed) - place), f"account {name}"
    if usual is not None:
        is_usual = one.result.lines == usual
        yield int(is_usual), f"{one.result.lines or 'unknown'} lines{', as usual here' if is_usual else ''}"


def _sound(wanted: Sequence[str], result: Result) -> tuple[int, str]:
    """Return the band by the best of a stream's languages. A stream that declares none is behind the listed ones."""
    declared = {code for track in result.audio if (code := language(track.language))}
    for place, code in enumerate(wanted):
        if language(code) in declared:
            return len(wanted) - place + 1, f"{code} sound"
    return (0, f"{', '.join(sorted(declared))} sound") if declared else (1, "sound of an undeclared language")


def _preference(prefer: Prefer, result: Result) -> tuple[int, str]:
    met = []
    if prefer.min_fps is not None and (result.fps or 0) >= round(prefer.min_fps * NTSC, 2):
        met.append(f"at least {prefer.min_fps:g} fps")
    if prefer.height is not None and result.lines == prefer.height:
        met.append(f"{prefer.height} lines")
    return len(met), " and ".join(met) or "without a preferred property"


def _usual_lines(candidates: Iterable[Candidate]) -> int | None:
    """Return the number of lines that most of the streams have; the larger one of two that are as frequent."""
    counts = Counter(one.result.lines for one in candidates if one.result.lines)
    return max(counts, key=lambda lines: (counts[lines], lines), default=None)


def _place(listed: Sequence[int | str], account: Account | None) -> int | None:
    if account is None:
        return None
    return next((place for place, one in enumerate(listed) if matches(one, account.id, account.name)), None)
