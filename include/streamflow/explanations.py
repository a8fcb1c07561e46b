"""The meaning of each verdict, reason and figure for people, and what they can do about it.

The page and the documents show these texts, so that each is written once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamflow.records import Verdict


@dataclass(frozen=True)
class Explanation:
    """The explanation of one word.

    :param meaning: what the word says, as a sentence.
    :param advice: what the owner can do, as a sentence; empty where nothing has to be done.
    """

    meaning: str
    advice: str = ""


VERDICTS: Mapping[Verdict, Explanation] = {
    "ok": Explanation("The stream works."),
    "degraded": Explanation("The stream plays with a fault."),
    "dead": Explanation("The stream does not play, also after several tries."),
    "unknown": Explanation("The check decided nothing, and nothing counts against the stream."),
    "skipped": Explanation("The stream was not probed."),
}

REASONS: Mapping[Verdict, Mapping[str, Explanation]] = {
    "degraded": {
        "black_video": Explanation(
            "The picture is black.",
            "Watch the stream: some channels are black outside of their broadcasting hours. A policy can treat black "
            "streams as dead (dead_like).",
        ),
        "frozen_video": Explanation(
            "The picture stands still.",
            "Watch the stream. A policy can treat frozen streams as dead (dead_like).",
        ),
        "silent_audio": Explanation("The sound is silent.", "Watch the stream; its other sound tracks may work."),
        "no_audio": Explanation("The stream has no sound track.", "Prefer another stream of the channel."),
        "unstable": Explanation(
            "The stream stalls, loses data or arrives damaged.",
            "If many streams of this account are unstable, check fewer at once, or test your line.",
        ),
        "low_bitrate": Explanation(
            "The bitrate is too low for the size of the picture.", "Prefer another stream of the channel."
        ),
        "not_live": Explanation(
            "A short recording, as a file or a finished playlist, is sent in place of the channel: often a notice.",
            "Watch it: the notice often says what the provider wants.",
        ),
    },
    "dead": {
        "dns_failure": Explanation(
            "The name of the server does not exist.",
            "If it happens to all streams of an account, check the address of the account and your DNS.",
        ),
        "connection_refused": Explanation(
            "The server accepts no connection.",
            "The provider may have moved the server: refresh the account.",
        ),
        "tls_error": Explanation(
            "No encrypted connection could be made.",
            "If the server works in a player, set probe.tls to report or ignore for this account.",
        ),
        "connect_timeout": Explanation(
            "The server did not respond in time.",
            "Raise probe.connect_timeout in probe.by_account if it is slow.",
        ),
        "no_data": Explanation(
            "The server accepted the request and sent nothing.",
            "For a provider that starts slowly, raise probe.read_timeout in probe.by_account.",
        ),
        "http_404": Explanation("The server has no such stream (404).", "Refresh the account: the address is old."),
        "http_410": Explanation("The server has removed the stream (410).", "Refresh the account: the address is old."),
        "http_4xx": Explanation(
            "The server rejected the request.",
            "Open the stream in a player; the provider may expect its user agent.",
        ),
        "http_5xx": Explanation("The server failed.", "Wait: the next checks try the stream again."),
        "unauthorized": Explanation(
            "The provider rejected the login (401 or 403).",
            "Check that the account is paid for, and that its user name, password and user agent are right.",
        ),
        "not_media": Explanation(
            "The reply is no media, for example a web page.",
            "Open the address in a browser. The detail names the beginning of the reply.",
        ),
        "no_video": Explanation(
            "The stream has sound and no picture.",
            "If it is radio, let the name of its channel or group say so; then no picture is expected.",
        ),
        "undecodable": Explanation(
            "The media is too damaged to be decoded.", "Open the stream in a player; it probably fails there, too."
        ),
        "geo_blocked": Explanation(
            "The provider blocks the country or the network of this machine.", "Set probe.proxy for this account."
        ),
        "drm_protected": Explanation(
            "The media is encrypted and needs a licence.", "Remove the stream; no player of yours can play it."
        ),
    },
    "unknown": {
        "provider_busy": Explanation(
            "The provider refused the connection as one too many, or ended it while all of the account were in use.",
            "Somebody uses the login outside of Dispatcharr, or max_streams of the account is too high.",
        ),
        "slot_timeout": Explanation(
            "The account had no free connection for the check.", "Check at a time when fewer people watch."
        ),
        "limiter_unavailable": Explanation(
            "Redis could not grant a connection.", "Run ./streamflow doctor; it checks Redis."
        ),
        "source_unavailable": Explanation(
            "The provider, the proxy or the line is down, so the stream is not to blame.",
            "The next run checks the stream again. The detail names the evidence.",
        ),
        "codec_unsupported": Explanation(
            "StreamFlow has no decoder for the picture. The detail names its codec.",
            "Watch the stream in a player that has the decoder.",
        ),
        "no_key_frame": Explanation(
            "No complete picture began while the check waited.", "The next run checks the stream again."
        ),
        "cancelled": Explanation("The run was stopped, or its connection was needed by a viewer."),
        "internal_error": Explanation(
            "The check itself failed.", "Read the log of its task in Airflow, and report the error with it."
        ),
    },
    "skipped": {
        "fresh": Explanation(
            "The last result is recent enough, or (watched) people have watched the stream for ten minutes since.",
            "Start the check with force to probe it anyway.",
        ),
        "account_inactive": Explanation("The account is switched off.", "Switch it on in Dispatcharr."),
        "unsupported_protocol": Explanation(
            "StreamFlow cannot open this kind of address.", "Only a player can show whether the stream works."
        ),
        "window_closed": Explanation(
            "The time window of the schedule had ended.", "The next night checks what has waited longest first."
        ),
        "not_probeable": Explanation(
            "The address is a web page or lies in a private network.",
            "Allow private networks with network.allow. Only Streamlink or yt-dlp can open a page.",
        ),
        "excluded": Explanation("A policy excludes the channels of this stream.", "Change check in the policy."),
    },
}

TERMS: Mapping[str, Explanation] = {
    "score": Explanation(
        "The rank of a stream within its channel, from 0 to 1: bitrate, resolution, frame rate and codec, lowered by "
        "the failures of the past weeks.",
        "Weights and preferences are settings of the section scoring.",
    ),
    "quality": Explanation(
        "The estimated opinion of viewers from 1 (bad) to 5 (excellent), by ITU-T P.1203.1. It is empty where the "
        "model does not apply.",
    ),
    "limit": Explanation(
        "The number of connections that the account allows at once (max_streams). 0 means no limit.",
        "Change max_streams of the account in Dispatcharr.",
    ),
    "believed limit": Explanation(
        "The number of connections that the provider accepts, as far as its refusals and its panel show.",
        "If it stays below the limit, lower max_streams, or find out who else uses the login.",
    ),
    "viewers": Explanation("Connections of the account that people use through Dispatcharr. Checks leave them free."),
    "slot": Explanation("The right of one check to hold one connection to an account."),
    "early end": Explanation(
        "A healthy stream is measured for a shorter time, once more of it would change nothing or once it confirms the "
        "figures of its last good check. The result says so in early_end, and in saved_s how many seconds it saved.",
        "Set probe.min_sample_seconds to null to measure each stream for the whole time.",
    ),
    "waiting": Explanation("Checks that are in the queue for a slot. They hold no worker and no connection."),
}


def explained(verdict: Verdict, reason: str | None) -> Explanation:
    """Return the explanation of a reason, or that of the verdict where the reason is missing or unknown."""
    return REASONS.get(verdict, {}).get(reason or "", VERDICTS[verdict])
