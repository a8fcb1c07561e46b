"""HTTP as players speak it, and each failure by its phase."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import socket
import ssl
import tempfile
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme

from streamflow import config
from streamflow.net.resolver import NameNotFoundError, resolve
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.judgement.refusal import Refusal
from streamflow.probing.net.cookies import CookieJar
from streamflow.probing.net.http_client import HttpClient
from streamflow.probing.net.options import NetworkOptions
from support.probing.fetching import body_of, reason
from support.probing.scripted import Scripted, response

# A prime of 1,024 bits for the key exchange (RFC 2409, 6.2), as old panels use it.
OAKLEY_PRIME = bytes.fromhex(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
)


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "data:text/plain,hello",
        "gopher://127.0.0.1:70/",
        "ftp://example/x",
        "rtmp://h/x",
        "subfile,,:x",
    ],
)
def test_a_redirect_cannot_leave_http(scripted: Scripted, location: str) -> None:
    found, _ = reason(scripted.url("/1.ts", response(b"", status=302, Location=location)))
    # "subfile,,:x" is no scheme: a path of the same server.
    assert found == ("http_404" if location.startswith("subfile") else "not_media")


@pytest.mark.parametrize("location", ["http://[", "http://", "http://host:port/", "//"])
def test_a_redirect_to_no_address_is_no_media(scripted: Scripted, location: str) -> None:
    assert reason(scripted.url("/1.ts", response(b"", status=302, Location=location)))[0] == "not_media"


def test_a_loop_of_redirects_ends(scripted: Scripted) -> None:
    url = scripted.url("/1.ts", response(b"", status=302, Location="/2.ts"))
    scripted.url("/2.ts", response(b"", status=302, Location="/1.ts"))
    assert reason(url) == ("not_media", "redirected more than 10 times")
    assert len(scripted.asked) == 11


@pytest.mark.parametrize(
    ("text", "told"), [(b"Maximum number of connections reached", "provider_busy"), (b"", "unauthorized")]
)
def test_the_body_of_a_403_decides_its_reason(scripted: Scripted, text: bytes, told: str) -> None:
    assert reason(scripted.url("/1.ts", response(text, status=403)))[0] == told


def test_a_refusal_without_its_end_is_not_waited_for(scripted: Scripted) -> None:
    def hang(taken: socket.socket) -> None:
        taken.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\nno")
        taken.recv(1)

    began = time.monotonic()
    assert reason(scripted.url("/1.ts", hang))[0] == "unauthorized"
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "no_data"),
        (b"nonsense\r\n\r\n", "no_data"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000, "no_data"),
    ],
)
def test_a_response_that_is_not_http_is_no_data(scripted: Scripted, said: bytes, told: str) -> None:
    assert reason(scripted.url("/1.ts", said))[0] == told


def test_a_login_in_the_url_goes_into_a_header_of_that_host_alone(scripted: Scripted) -> None:
    other = Scripted()
    try:
        other.url("/2.ts", response(b"media"))
        url = scripted.url("/1.ts", response(b"", status=302, Location=other.url("/2.ts")))
        assert body_of(url.replace("//", "//us%40er:sec%3Aret@")) == b"media"
    finally:
        other.close()
    basic = base64.b64encode(b"us@er:sec:ret").decode()
    assert f"Authorization: Basic {basic}" in scripted.heads[0]
    assert "Authorization" not in other.heads[0]


def test_letters_beyond_ascii_are_quoted(scripted: Scripted) -> None:
    scripted.url("/%C3%A9t%C3%A9%20x.ts?q=%C3%B8", response(b"media"))
    assert body_of(scripted.url("/été%20x.ts?q=ø")) == b"media"


def test_a_stream_asks_as_its_account_does(scripted: Scripted, settings: config.Probe) -> None:
    url = scripted.url("/1.ts", response(b"", status=404))
    probe(ProbeTarget(f"{url}|Referer=http://site/&X-Token=abc", user_agent="Player/1"), settings)
    assert {"User-Agent: Player/1", "Referer: http://site/", "X-Token: abc"} <= set(scripted.heads[0].splitlines())


def test_a_header_cannot_be_smuggled_in(scripted: Scripted, settings: config.Probe) -> None:
    url = scripted.url("/1.ts", response(b"", status=404))
    probe(ProbeTarget(f"{url}|Referer=x%0d%0aEvil:%20yes"), settings)
    assert "Evil" not in scripted.heads[0]


def test_a_resolver_that_does_not_answer_is_a_dns_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: time.sleep(0.4) or [])
    with pytest.raises(NameNotFoundError):
        resolve("panel.example", 80, 0.05)


# -- cookies ---------------------------------------------------------------------------------------
def cookies_sent(server: Scripted) -> list[str | None]:
    found = [re.search(r"\r\nCookie: (.*)\r\n", head) for head in server.heads]
    return [match[1] if match else None for match in found]


def test_a_cookie_of_a_redirect_is_sent_on(scripted: Scripted) -> None:
    headers = {"Location": "/2.ts", "Set_Cookie": "sid=abc; Path=/; HttpOnly"}
    url = scripted.url("/1.ts", response(b"", status=302, **headers))
    scripted.url("/2.ts", response(b"media"))
    assert body_of(url) == b"media"
    assert cookies_sent(scripted) == [None, "sid=abc"]


def test_a_cookie_stays_at_its_host(scripted: Scripted) -> None:
    other = Scripted()
    try:
        place = other.url("/2.ts", response(b"media")).replace("127.0.0.1", "localhost")
        headers = {"Location": place, "Set_Cookie": "sid=abc; Path=/"}
        assert body_of(scripted.url("/1.ts", response(b"", status=302, **headers))) == b"media"
        assert cookies_sent(other) == [None]
    finally:
        other.close()


@pytest.mark.parametrize(
    ("host", "set_cookie", "asked", "sent"),
    [
        ("a.panel.example", "x=1; Domain=panel.example", "b.panel.example", "x=1"),
        ("a.panel.example", "x=1; Domain=.panel.example", "panel.example", "x=1"),
        ("a.panel.example", "x=1", "b.a.panel.example", None),
        ("a.panel.example", "x=1; Domain=other.example", "other.example", None),
        ("a.panel.example", "x=1; Domain=example", "b.example", None),
        ("10.0.0.1", "x=1; Domain=0.0.1", "20.0.0.1", None),
        ("a.example", "x=1; Path=/live", "a.example", "x=1"),
        ("a.example", "x=1; Path=/liv", "a.example", None),
        ("a.example", "x=1; Max-Age=0", "a.example", None),
        ("a.example", "x=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a.example", None),
        ("a.example", "x=1; Expires=whenever", "a.example", "x=1"),
        ("a.example", "x=1; Secure", "a.example", None),
        ("a.example", "tok=exp=1~acl=/*~hmac=77; Path=/", "a.example", "tok=exp=1~acl=/*~hmac=77"),
        ("a.example", "nothing", "a.example", None),
    ],
)
def test_cookies_belong_to_domains_and_paths(host: str, set_cookie: str, asked: str, sent: str | None) -> None:
    jar = CookieJar()
    jar.store(host, "/live/1.m3u8", [set_cookie])
    assert jar.header(asked, "/live/2.ts", is_secure=False) == sent


def test_a_cookie_of_the_account_is_completed_by_those_of_the_server(scripted: Scripted) -> None:
    headers = {"Location": "/2.ts", "Set_Cookie": "sid=abc"}
    url = scripted.url("/1.ts", response(b"", status=302, **headers))
    client = HttpClient({"Cookie": "a=b"}, NetworkOptions(1, 0.5))
    with pytest.raises(Refusal), client.get(url):
        pass
    client.close()
    assert cookies_sent(scripted) == ["a=b", "a=b; sid=abc"]


def test_a_flood_of_cookies_is_bounded() -> None:
    jar = CookieJar()
    jar.store("a.example", "/", [f"name{number}={'x' * 100_000}" for number in range(5000)])
    assert len(jar.header("a.example", "/", is_secure=False) or "") <= 100 * 4200


# -- logins ----------------------------------------------------------------------------------------
CHALLENGE = 'Digest realm="tv", nonce="n0nce", opaque="0p", {}'


def digest_server(form: str, seen: list[dict[str, str]]) -> Callable[[str], bytes]:
    """Answer with media for the right response of RFC 7616, else with a challenge."""

    def answer(head: str) -> bytes:
        sent = dict(re.findall(r'(\w+)="?([^",\r\n]+)"?', head.partition("Authorization: Digest ")[2].split("\r\n")[0]))
        seen.append(sent)
        algorithm = hashlib.sha256 if "SHA-256" in form else hashlib.md5

        def digest(*parts: str) -> str:
            return algorithm(":".join(parts).encode()).hexdigest()

        secret = digest("us", "tv", "se:c")
        if "-sess" in form:
            secret = digest(secret, "n0nce", sent.get("cnonce", ""))
        body = [digest("")] if sent.get("qop") == "auth-int" else []
        request = digest("GET", "/1.ts?a=b", *body)
        parts = [sent[name] for name in ("nc", "cnonce", "qop")] if "qop" in sent else []
        if sent.get("response") == digest(secret, "n0nce", *parts, request):
            return response(b"media")
        return response(b"", status=401, WWW_Authenticate=CHALLENGE.format(form))

    return answer


@pytest.mark.parametrize(
    "form", ['qop="auth"', 'qop="auth-int"', 'qop="auth,auth-int"', "stale=false", 'algorithm=SHA-256, qop="auth"',
             'algorithm=MD5-sess, qop="auth"', 'algorithm=MD5, qop="auth"']
)  # fmt: skip
def test_a_digest_login_is_answered(scripted: Scripted, form: str) -> None:
    seen: list[dict[str, str]] = []
    scripted.answer_by_head("/1.ts?a=b", digest_server(form, seen))
    assert body_of(scripted.url("/1.ts?a=b").replace("//", "//us:se%3Ac@")) == b"media"
    assert len(seen) == 2
    assert seen[1]["opaque"] == "0p"


def test_a_wrong_digest_login_is_unauthorized_after_one_more_request(scripted: Scripted) -> None:
    seen: list[dict[str, str]] = []
    scripted.answer_by_head("/1.ts?a=b", digest_server('qop="auth"', seen))
    assert reason(scripted.url("/1.ts?a=b").replace("//", "//us:wrong@"))[0] == "unauthorized"
    assert len(seen) == 2


def test_a_nonce_that_has_expired_is_renewed(scripted: Scripted) -> None:
    heads: list[str] = []

    def answer(head: str) -> bytes:
        heads.append(head)
        if len(heads) < 3:
            stale = "true" if len(heads) == 2 else "false"
            return response(b"", status=401, WWW_Authenticate=f'Digest realm="tv", nonce="{len(heads)}", stale={stale}')
        return response(b"media" if 'nonce="2"' in head else b"wrong")

    scripted.answer_by_head("/1.ts", answer)
    assert body_of(scripted.url("/1.ts").replace("//", "//us:secret@")) == b"media"


@pytest.mark.parametrize("challenge", ["Digest", 'Digest realm="x"', 'Digest nonce="1", algorithm=SHA-512', "Bearer x"])
def test_a_challenge_that_cannot_be_answered_is_unauthorized(scripted: Scripted, challenge: str) -> None:
    url = scripted.url("/1.ts", response(b"", status=401, WWW_Authenticate=challenge))
    assert reason(url.replace("//", "//us:secret@"))[0] == "unauthorized"
    assert len(scripted.heads) == 1


# -- response heads --------------------------------------------------------------------------------
def raw(*lines: bytes, body: bytes = b"media", end: bytes = b"\r\n") -> bytes:
    return end.join([*lines, b"", b""]) + body


@pytest.mark.parametrize(
    "said",
    [
        raw(b"HTTP/1.1 200 OK", b"Server : x", b"Content-Type : video/mp2t"),
        raw(b"HTTP/1.1 200 OK", b"X-Powered-By panel", b"no colon at all", b": no name", b"b\xc3d name: x"),
        raw(b"HTTP/1.1 200 OK", b"Content-Length: -1"),
        raw(b"HTTP/1.1 200 OK", b"Content-Length: "),
        raw(b"HTTP/1.1 200 OK", b"Content-Length: 18446744073709551615999"),
        raw(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"Content-Length: 7"),
        raw(b"HTTP/1.1 200 OK", b"Content-Length: 5, 5", body=b"media and more"),
        raw(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"Connection: close"),
        raw(b"HTTP/1.1 200 OK", b"Transfer-Encoding: identity"),
        raw(b"HTTP/1.1 200 OK", b"Transfer-Encoding: Chunked", body=b"5\r\nmedia\r\n0\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK", b"X-Name: Fernsehen \xfc \x01\x00", b"X-Long: " + b"y" * 20_000),
        raw(b"HTTP/1.1 200 OK", b"X-Folded: a", b" continued", b"\tand again"),
        raw(b"ICY 200 OK", b"icy-name: TV"),
        raw(b"HTTP/1.1 200"),
        raw(b"http/1.0 200 ok"),
        raw(b"HTTP 200 OK"),
        raw(b"HTTP/1.1   200   Fine \xff"),
        raw(b"HTTP/1.1 200 OK", b"Server: x", end=b"\n"),
        b"\r\n\r\n" + raw(b"HTTP/1.1 200 OK"),
        raw(b"HTTP/1.1 100 Continue", b"Bad Line", body=b"") + raw(b"HTTP/1.1 200 OK"),
        raw(b"HTTP/1.1 200 OK", *[b"X-%d: y" % number for number in range(500)]),
    ],
)  # fmt: skip
def test_a_head_is_read_as_far_as_it_makes_sense(scripted: Scripted, said: bytes) -> None:
    assert body_of(scripted.url("/1.ts", said)) == b"media"


def test_a_head_that_comes_byte_by_byte_is_read(scripted: Scripted) -> None:
    def drip(taken: socket.socket) -> None:
        for byte in raw(b"HTTP/1.1 200 OK", b"Server : x"):
            taken.sendall(bytes((byte,)))

    assert body_of(scripted.url("/1.ts", drip)) == b"media"


def test_interim_responses_without_end_are_given_up(scripted: Scripted) -> None:
    said = raw(b"HTTP/1.1 103 Early Hints", body=b"") * 1000
    assert reason(scripted.url("/1.ts", said)) == ("no_data", "the response is not HTTP")


ENDED = "the body ended before its declared end"


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (b"", "the server closed the connection without a response"),
        (b"nonsense\r\n\r\n", "the response is not HTTP"),
        (b"\x16\x03\x01\x02\x00", "the response is not HTTP"),
        (raw(b"HTTP/1.1 200 OK", b"Content-Length: 99"), ENDED),
        (raw(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", body=b"5\r\nm"), ENDED),
    ],
)  # fmt: skip
def test_a_detail_says_how_far_the_response_came(scripted: Scripted, said: bytes, detail: str) -> None:
    assert reason(scripted.url("/1.ts", said)) == ("no_data", detail)


def test_an_empty_body_is_not_waited_for_as_long_as_a_slow_one(scripted: Scripted) -> None:
    def hang(taken: socket.socket) -> None:
        taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        taken.recv(1)

    began = time.monotonic()
    client = HttpClient({}, NetworkOptions(1, 10))
    with client.get(scripted.url("/1.ts", hang)) as found:
        assert list(found.body) == []
    client.close()
    assert time.monotonic() - began < 2


# -- bodies ----------------------------------------------------------------------------------------
PACKED = gzip.compress(b"media" * 1000, mtime=0)


@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        (PACKED, "gzip"), (PACKED, ""), (PACKED, "br"), (zlib.compress(b"media" * 1000), "deflate"),
        (b"media" * 1000, "gzip"), (b"media" * 1000, "deflate"),
    ],
)  # fmt: skip
def test_a_body_is_unpacked_by_its_first_bytes_and_not_by_its_header(
    scripted: Scripted, packed: bytes, coding: str
) -> None:
    assert body_of(scripted.url("/1.ts", response(packed, Content_Encoding=coding))) == b"media" * 1000


def test_a_small_body_cannot_become_a_large_one_in_memory(scripted: Scripted) -> None:
    client = HttpClient({}, NetworkOptions(1, 1))
    with client.get(scripted.url("/1.ts", response(gzip.compress(bytes(200_000_000))))) as found:
        assert all(len(chunk) <= 65_536 for chunk in found.body)
    client.close()


def test_a_damaged_compressed_body_is_no_media(scripted: Scripted) -> None:
    assert reason(scripted.url("/1.ts", response(PACKED[:12] + b"\xff" * 200)))[0] == "not_media"


# -- requests --------------------------------------------------------------------------------------
def test_the_first_request_looks_like_a_players(scripted: Scripted) -> None:
    client = HttpClient({"User-Agent": "VLC/3.0.20 LibVLC/3.0.20"}, NetworkOptions(1, 1))
    for path in ("/1.ts", "/2.ts"):
        with client.get(scripted.url(path, response(b"media"))) as found:
            assert b"".join(found.body) == b"media"
    client.close()
    names = [[line.partition(":")[0] for line in head.split("\r\n")[1:] if line] for head in scripted.heads]
    assert names == [["Host", "Accept", "Accept-Language", "User-Agent", "Range"],
                     ["Host", "Accept", "Accept-Language", "User-Agent"]]  # fmt: skip
    assert "Range: bytes=0-" in scripted.heads[0]


def test_a_server_without_ranges_is_asked_again_without_one(scripted: Scripted) -> None:
    scripted.answer_by_head("/1.ts", lambda head: response(b"", status=416) if "Range" in head else response(b"media"))
    assert body_of(scripted.url("/1.ts")) == b"media"


@pytest.mark.parametrize("form", ["{}", "  {} ", "\t{}"])
def test_a_redirect_may_hold_blanks_and_letters(scripted: Scripted, form: str) -> None:
    location = form.format("plain?name=Kanal Eins&x=\u00fc")
    scripted.url("/plain?name=Kanal%20Eins&x=%C3%BC", response(b"media"))
    said = b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    assert body_of(scripted.url("/1.ts", said)) == b"media"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "localhost."])
def test_every_form_of_a_host_leads_to_the_same_server(scripted: Scripted, host: str) -> None:
    assert body_of(scripted.url("/1.ts", response(b"media")).replace("127.0.0.1", host)) == b"media"


def test_a_transcoder_that_starts_on_demand_is_waited_for(scripted: Scripted) -> None:
    def slow(taken: socket.socket) -> None:
        time.sleep(0.7)
        taken.sendall(response(b"media"))

    # The first response has two read time-outs of 0.5 s, later ones have one.
    assert body_of(scripted.url("/1.ts", slow)) == b"media"


@pytest.mark.parametrize("wanted", ["Accept-Language", "User-Agent", "Accept"])
def test_a_provider_that_knows_players_by_their_headers_is_satisfied(scripted: Scripted, wanted: str) -> None:
    """Each request of a probe has the same headers: tokens are often bound to the first request's."""
    seen: list[str] = []

    def guarded(body: bytes, status: int = 200, **headers: str) -> Callable[[str], bytes]:
        def answer(head: str) -> bytes:
            line = next((line for line in head.split("\r\n") if line.startswith(f"{wanted}:")), None)
            seen.append(str(line))
            return response(b"", status=403) if line is None else response(body, status=status, **headers)

        return answer

    scripted.answer_by_head("/2.ts", guarded(b"media"))
    client = HttpClient({"User-Agent": "Player/1.0"}, NetworkOptions(1, 0.5))
    with client.get(scripted.answer_by_head("/1.ts", guarded(b"", 302, Location="/2.ts"))) as found:
        assert b"".join(found.body) == b"media"
    client.close()
    assert len(seen) == 2
    assert len(set(seen)) == 1


# -- TLS -------------------------------------------------------------------------------------------
@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[str]:
    """Answer each connection with media over TLS."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                taken, _ = listening.accept()
                with suppress(OSError), context.wrap_socket(taken, server_side=True) as spoken:
                    spoken.recv(65536)
                    spoken.sendall(response(b"media"))

    threading.Thread(target=serve, daemon=True).start()
    with listening:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/1.ts"
        # Closing alone does not end a thread that waits in accept.
        listening.shutdown(socket.SHUT_RDWR)


def untrusted() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("somebody-else.invalid").configure_cert(context)
    return context


def old_version() -> ssl.SSLContext:
    context = untrusted()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def old_ciphers(ciphers: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("somebody-else.invalid", key_type=trustme.KeyType.RSA).configure_cert(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    return context


def small_group() -> ssl.SSLContext:
    context = old_ciphers("DHE")
    # PKCS #3 in DER: a sequence of the prime and the generator 2.
    group = b"\x30\x81\x87\x02\x81\x81\x00" + OAKLEY_PRIME + b"\x02\x01\x02"
    with tempfile.NamedTemporaryFile() as file:
        file.write(ssl.DER_cert_to_PEM_cert(group).replace("CERTIFICATE", "DH PARAMETERS").encode())
        file.flush()
        context.load_dh_params(file.name)
    return context


def without_forward_secrecy() -> ssl.SSLContext:
    return old_ciphers("AES128-SHA")


@pytest.mark.parametrize("made", [untrusted, old_version, small_group, without_forward_secrecy])
@pytest.mark.parametrize("mode", ["verify", "report", "ignore"])
def test_an_untrusted_server_is_refused_reported_or_accepted(made: Callable[[], ssl.SSLContext], mode: str) -> None:
    with tls_server(made()) as url:
        client = HttpClient({}, NetworkOptions(1, 1, tls=mode))  # type: ignore[arg-type]
        try:
            if mode == "verify":
                with pytest.raises(Refusal) as caught, client.get(url):
                    pass
                assert caught.value.reason == "tls_error"
                assert caught.value.detail
                return
            with client.get(url) as found:
                assert b"".join(found.body) == b"media"
            assert bool(client.tls_fault) == (mode == "report")
        finally:
            client.close()
