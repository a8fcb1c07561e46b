"""Names in normal form."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.matching.spelling import group_country, guide_country, spelling_of


@pytest.mark.parametrize(
    "names",
    [
        (
            "Das Erste",
            "DE: Das Erste HD",
            "|DE| DAS ERSTE ᴴᴰ ◉",
            "ARD FHD",
            "DE | ARD Das Erste (1080p)",
            "Das.Erste.HD",
        ),
        ("RTLZWEI", "RTL 2", "RTL2 HD", "DE: RTL II", "[DE] rtl zwei HEVC", "VIP | DE: RTLZWEI 50fps"),
        ("ZDFneo", "ZDF neo", "ZDF_neo HD", "┃DE┃ ZDFNEO ᵁᴴᴰ ³⁸⁴⁰ᴾ"),
        ("ProSieben MAXX", "Pro7 Maxx", "PRO 7 MAXX FHD H.265"),
        ("BBC One", "UK: BBC 1 HD", "BBC ONE (UK)", "BBC1 UK", "GB | BBC One Backup 2"),
        ("Téva", "FR: TEVA HD", "Teva [FR]"),
        ("Canal+ Séries", "FR: CANAL+ SERIES 4K", "Canal Plus Series", "CANAL + SERIES"),
        ("laSexta", "ES: La Sexta HD", "LA SEXTA | FHD"),
        ("Rai 1", "IT: RAI UNO", "Rai1 HD", "ITALIA: Rai 1 50FPS"),
        ("WDR Köln", "WDR Koeln HD", "WDR KOLN"),
        ("A&E", "A and E", "A & E HD"),
        ("ZDF", "ZDF HD+", "SKY | ZDF HD"),
        ("Россия 1", "RU: РОССИЯ 1 HD"),
        ("الجزيرة", "AR: الجزيرة HD"),
    ],
    ids=lambda names: names[0],
)
def test_spellings_of_one_channel_have_one_key(names: tuple[str, ...]) -> None:
    assert {name: spelling_of(name).key for name in names} == dict.fromkeys(names, spelling_of(names[0]).key)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ZDF", "ZDFneo"),
        ("Sky Sport 1", "Sky Sport 2"),
        ("Sky Sport 1", "Sky Sport 10"),
        ("France 3", "France 3 Alsace"),
        ("BBC One", "BBC One London"),
        ("WWE Network", "WWE RAW"),
        ("Canal 4K", "Canal"),
        ("SPORT1", "SPORT1+"),
        ("Canal+", "Canal"),
        ("One", "RTL One"),
        ("MTV", "MTV Live"),
        ("RTL", "RTL II"),
        ("La 1", "La 2"),
    ],
)
def test_different_channels_have_different_keys(name: str, other: str) -> None:
    assert spelling_of(name).key != spelling_of(other).key


@pytest.mark.parametrize(
    ("name", "country"),
    [
        ("DE: ZDF", "DE"),
        ("|UK| ITV1", "UK"),
        ("[FR] TF1", "FR"),
        ("(IT) Rai 1", "IT"),
        ("ES - La 1", "ES"),
        ("ZDF DE", "DE"),
        ("GERMANY: ZDF", "DE"),
        ("4K | UK: BBC One", "UK"),
        ("ZDF (DE)", "DE"),
        ("US | ESPN [HD]", "US"),
        ("AT ★ ORF 1", "AT"),
        ("Discovery Austria", "AT"),
        ("ZDF", ""),
        ("CSI: Miami", ""),
        ("Italia 1", ""),
        ("5 USA", ""),
        ("Sky Sport: Golf", ""),
        ("De Kijkbuis", ""),
    ],
)
def test_the_country_is_that_of_the_tag(name: str, country: str) -> None:
    assert spelling_of(name).country == country


@pytest.mark.parametrize(
    ("name", "shift"),
    [
        ("ITV1 +1", 1),
        ("ITV1+1 HD", 1),
        ("ITV1 (+1)", 1),
        ("ITV1 HD +1", 1),
        ("E4 Plus 1", 1),
        ("TV 2h +2h", 2),
        ("Canal+ 1", 0),
        ("Canal+", 0),
        ("Canal+ +1", 1),
        ("Sport+ 1", 0),
        ("Adult +18", 0),
    ],
)
def test_the_time_shift_is_found(name: str, shift: int) -> None:
    assert spelling_of(name).shift == shift


@pytest.mark.parametrize(
    ("name", "feed"),
    [("US: HBO East", "east"), ("US: HBO (W)", "west"), ("HBO Pacific", "west"), ("BBC One North West", "")],
)
def test_the_feed_of_a_time_zone_is_found(name: str, feed: str) -> None:
    assert spelling_of(name).feed == feed


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("##### SPORT #####", "heading"),
        ("═══ UK ═══", "heading"),
        ("---", "heading"),
        ("", "heading"),
        ("PPV 3: A vs B", "event"),
        ("NBA 04: Lakers @ Celtics", "event"),
        ("Live Event 12", "event"),
        ("Roma v Lazio", "event"),
        ("24/7 Friends", "loop"),
        ("The Matrix (1999)", "film"),
        ("Lost S01 E02", "film"),
        ("Sky Sports Main Event", "channel"),
        ("Das Erste", "channel"),
    ],
)
def test_what_is_no_channel_is_told_apart(name: str, kind: str) -> None:
    assert spelling_of(name).kind == kind


def test_groups_and_ids_tell_the_country() -> None:
    assert [
        group_country(group) for group in ("DE | Sport", "France HD", "UNITED KINGDOM", "Sport", "", "USA Movies")
    ] == [
        "DE",
        "FR",
        "UK",
        "",
        "",
        "US",
    ]
    assert [guide_country(id) for id in ("BBCOne.uk", "DasErste.de@HD", "zdf", "a.example", ".de", "")] == [
        "UK",
        "DE",
        "",
        "",
        "",
        "",
    ]


@given(st.text(max_size=300))
def test_any_text_has_a_normal_form(name: str) -> None:
    assert len(spelling_of(name).key) <= 2000


@pytest.mark.parametrize(
    "part", ["|", "DE: ", "[", "(HD) ", "+1 ", "a ", "◉", "- ", "\t", "1080p", "S1", "- | ", "ᴴᴰ", "#"]
)
def test_no_name_takes_long(part: str) -> None:
    started = time.process_time()
    for name in (part * 300, f"a{part * 300}", f"{part * 126}b{part * 126}"):
        spelling_of(name)
    assert time.process_time() - started < 0.2
