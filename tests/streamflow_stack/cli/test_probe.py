"""``streamflow probe URL``: the contract's fields, its exit statuses, and no password in what it prints."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from lab import Lab
from streamflow_stack.cli.probe import command

FIELDS = [
    "stream_id",
    "account_id",
    "url_hash",
    "checked_at",
    "run_id",
    "verdict",
    "reason",
    "detail",
    "attempts",
    "elapsed_s",
    "first_frame_ms",
    "width",
    "height",
    "fps",
    "interlaced",
    "hdr",
    "video_codec",
    "video_profile",
    "pixel_format",
    "bitrate_kbps",
    "container",
    "audio",
    "black_ratio",
    "frozen_ratio",
    "silent_ratio",
    "decode_errors",
    "discontinuities",
    "label_mismatch",
    "score",
    "quality",
    "tls_untrusted",
]


@pytest.fixture(autouse=True)
def default_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("STREAMFLOW_CONFIG", raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["--sample-seconds", "1.5", *arguments])


def test_json_has_the_fields_of_the_contract_in_their_order(lab: Lab) -> None:
    answer = run(lab.url("sd480p30"), "--json")
    result = json.loads(answer.stdout)
    assert list(result) == FIELDS
    assert answer.exit_code == 0
    assert (result["verdict"], result["width"], result["height"], result["fps"]) == ("ok", 640, 480, 30.0)
    assert result["audio"] == [{"codec": "aac", "channels": 2, "sample_rate": 48000, "language": "eng"}]
    assert result["checked_at"].endswith("Z")


@pytest.mark.parametrize(
    ("name", "verdict", "status"),
    [
        ("hd25_2m", "ok", 0),
        ("silent_video", "degraded", 1),
        ("http_404", "dead", 2),
        ("http_458", "unknown", 3),
    ],
)
def test_the_exit_status_shows_the_verdict(lab: Lab, name: str, verdict: str, status: int) -> None:
    answer = run(lab.url(name))
    assert answer.exit_code == status
    assert answer.output.startswith(verdict)


def test_an_address_that_is_no_stream_is_skipped_with_status_3() -> None:
    answer = run("file:///etc/passwd", "--json")
    assert answer.exit_code == 3
    assert json.loads(answer.stdout)["reason"] == "unsupported_protocol"


@pytest.mark.parametrize(
    "name", ["hd25_2m", "http_401", "unresolvable", "untrusted_tls", "redirect_endless", "hls_live"]
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_output_holds_a_password(lab: Lab, name: str, form: list[str]) -> None:
    answer = run(lab.url(name), "--sample-seconds", "0.5", *form)
    assert lab.library.accounts[0].password in lab.url(name)
    assert lab.library.accounts[0].password not in answer.output
    assert "Traceback" not in answer.output


def test_the_report_says_what_was_measured(lab: Lab) -> None:
    text = run(lab.url("sd576i_h264")).output
    assert "720x576i, 25 fps, h264" in text
    assert "mp2, stereo, 48000 Hz, eng" in text


@pytest.mark.parametrize("seconds", ["0", "-1", "ten"])
def test_a_sample_of_no_length_is_refused(seconds: str) -> None:
    answer = CliRunner().invoke(command, ["http://host/x", "--sample-seconds", seconds])
    assert answer.exit_code == 2
    assert "sample-seconds" in answer.output
