"""Streams into channels: candidates with evidence, refusals with reasons."""

from __future__ import annotations

import pytest

from streamflow.matching.decision import Candidate, Refusal
from streamflow.matching.matcher import match
from streamflow.matching.records import ChannelName, StreamName
from streamflow.matching.rule import Rule

NAMES = [
    "Das Erste",
    "ZDF",
    "ProSieben",
    "SAT.1",
    "VOX",
    "n-tv",
    "Discovery Channel",
    "Eurosport 1",
    "RTL",
    "Sky Sport 1",
]
GERMAN = [ChannelName(number, name) for number, name in enumerate(NAMES, 1)]
# They show which country's household this is.
SHOWING = [
    StreamName(100 + i, f"DE: {name}") for i, name in enumerate(("Das Erste", "ZDF", "Pro7", "SAT1", "VOX", "ntv"))
]


def outcomes(
    channels: list[ChannelName], streams: list[StreamName], *rules: Rule
) -> tuple[dict[int, list[Candidate]], dict[int, Refusal]]:
    taken: dict[int, list[Candidate]] = {}
    refused: dict[int, Refusal] = {}
    for one in match(channels, streams, rules or (Rule(),)):
        if isinstance(one, Candidate):
            taken.setdefault(one.stream_id, []).append(one)
        else:
            refused[one.stream_id] = one
    assert {stream.id for stream in streams} == set(taken) | set(refused)
    return taken, refused


def reason(channel: ChannelName, stream: StreamName) -> str:
    _, refused = outcomes([channel], [stream])
    return refused[stream.id].reason


def test_a_candidate_tells_its_rule_and_its_evidence() -> None:
    channel = ChannelName(1, "Das Erste", tvg_id="DasErste.de", group="DE | TV")
    taken, _ = outcomes([channel], [StreamName(7, "DE: ARD FHD Backup", tvg_id="daserste.de@HD")])
    (candidate,) = taken[7]
    assert (candidate.channel_id, candidate.rule, candidate.by) == (1, 0, "tvg_id")
    assert candidate.evidence == (
        "the tvg-id is daserste.de@HD; the name is 'ard'; both are of DE; without fhd, backup"
    )


@pytest.mark.parametrize(
    ("channel", "stream", "why"),
    [
        ("ITV1", "UK: ITV1 +1", "1 h late"),
        ("ITV1 +1", "UK: ITV1", "0 h late, the channel 1 h"),
        ("HBO", "US: HBO West", "feed west"),
        ("BBC One", "UK: BBC One London", "adds 'london'"),
        ("ZDF", "##### ZDF #####", "heading"),
        ("Sky Sport 1", "DE: Sky Sport 11", "no channel"),
        ("DE: Discovery", "UK: Discovery", "of UK, the channel of DE"),
        ("Discovery", "Discovery HD", "several countries"),
        ("Discovery", "UK: Discovery", "the channel does not say which"),
        ("UK: Discovery", "Discovery", "the stream does not say which"),
        ("ZDF", "ZDF Schweiz", "edition of CH"),
        ("UFC", "UFC | PPV", "event"),
        ("The Weather Channel", "The Weather Network", "no channel"),
    ],
)
def test_a_refusal_tells_the_reason(channel: str, stream: str, why: str) -> None:
    assert why in reason(ChannelName(1, channel), StreamName(1, stream))


def test_a_tvg_id_alone_is_no_proof() -> None:
    channel = ChannelName(1, "Sky Sport 1", tvg_id="SkySport1.de")
    wrong = [
        StreamName(i, name, tvg_id="SkySport1.de")
        for i, name in enumerate(("DE: Sky Sport 2", "DE: RTL", "UK: Sky Sport 1"))
    ]
    taken, refused = outcomes([channel], wrong)
    assert not taken
    assert refused[1].reason == "the tvg-id fits, but the name is another one"
    channel = ChannelName(1, "Das Erste", tvg_id="DasErste.de")
    typo, _ = outcomes([channel], [StreamName(1, "DE: Das Ertse", tvg_id="daserste.de")])
    assert typo[1][0].by == "tvg_id"


def test_the_household_gives_its_country_to_channels_that_state_none() -> None:
    named = [
        StreamName(1, "DE: Discovery"),
        StreamName(2, "UK: Discovery"),
        StreamName(3, "PL| RTL"),
        StreamName(4, "Discovery"),
    ]
    taken, refused = outcomes(GERMAN, [*SHOWING, *named])
    assert {id for id in taken if id < 100} == {1}
    assert "of UK, the channel of DE" in refused[2].reason
    assert "the stream does not say which" in refused[4].reason


def test_a_household_of_two_countries_gives_none() -> None:
    mixed = [
        *GERMAN[:5],
        *(ChannelName(20 + i, name) for i, name in enumerate(("BBC One", "ITV1", "Dave", "E4", "Quest", "MTV"))),
    ]
    streams = [
        *SHOWING[:5],
        *(StreamName(200 + i, f"UK: {name}") for i, name in enumerate(("BBC 1", "ITV1", "Dave", "E4", "Quest"))),
    ]
    taken, refused = outcomes(mixed, [*streams, StreamName(1, "UK: MTV"), StreamName(2, "DE: MTV")])
    assert len(taken) == 10
    assert set(refused) == {1, 2}


def test_an_account_of_one_country_gives_it_to_its_streams() -> None:
    labelled = [StreamName(300 + i, f"DE: Something {i}", account_id=1) for i in range(20)]
    streams = [
        *SHOWING,
        *labelled,
        StreamName(1, "Discovery HD", account_id=1),
        StreamName(2, "Discovery HD", account_id=2),
    ]
    taken, refused = outcomes(GERMAN, streams)
    assert 1 in taken
    assert 2 in refused


def test_words_such_as_tv_may_be_missing_on_one_side_unless_two_channels_differ_by_them() -> None:
    taken, _ = outcomes([ChannelName(1, "DE: Kinowelt TV")], [StreamName(1, "DE: Kinowelt HD")])
    assert "apart from words such as TV" in taken[1][0].evidence
    both = [ChannelName(1, "DE: Kinowelt"), ChannelName(2, "DE: Kinowelt TV")]
    taken, _ = outcomes(both, [StreamName(1, "DE: Kinowelt TV"), StreamName(2, "DE: Kinowelt")])
    assert [(one.stream_id, one.channel_id) for found in taken.values() for one in found] == [(1, 2), (2, 1)]


def test_channels_of_one_name_all_get_the_stream() -> None:
    taken, _ = outcomes([ChannelName(1, "ZDF HD"), ChannelName(2, "ZDF SD")], [StreamName(1, "DE: ZDF")])
    assert [one.channel_id for one in taken[1]] == [1, 2]


def test_a_rules_expression_decides_alone_and_once() -> None:
    rules = [Rule(exclude=("*Backup*",)), Rule(channels=("Das Erste",), by=(r"re:^(DE: )?Das Erste( HD| FHD)?$",))]
    streams = [StreamName(1, "DE: Das Erste HD"), StreamName(2, "Das Erste FHD Backup"), StreamName(3, "DE: ZDF HD")]
    taken, refused = outcomes(GERMAN[:2], streams, *rules)
    assert [(one.rule, one.by[:3], one.channel_id) for one in taken[1]] == [(1, "re:", 1)]
    assert [(one.rule, one.by) for one in taken[3]] == [(0, "name")]
    assert "excludes '*Backup*'" in refused[2].reason


def test_a_channel_without_a_rule_gets_nothing() -> None:
    taken, refused = outcomes(GERMAN[:2], [StreamName(1, "DE: ZDF")], Rule(channels=("Das Erste",)))
    assert not taken
    assert refused[1].channel_id is None
