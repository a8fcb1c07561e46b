"""A server that answers everything with one thing."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@contextmanager
def answering(
    body: bytes,
    status: int = 200,
    *,
    length: int | None = None,
    actions: Mapping[str, bytes] | None = None,
    paths: Mapping[str, bytes] | None = None,
    prefix: str = "/",
    context: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Its address; ``length`` is what it promises to send, ``context`` makes it speak TLS.

    ``actions`` answers queries that name one of them, ``paths`` what ends so; outside of ``prefix`` all is 404.
    """

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            action = parse_qs(asked.query).get("action", [""])[0]
            sent = next((told for end, told in (paths or {}).items() if asked.path.endswith(end)), body)
            sent = (actions or {}).get(action, sent)
            self.send_response(status if asked.path.startswith(prefix) else 404)
            self.send_header("Content-Length", str(len(sent) if length is None else length))
            self.end_headers()
            self.wfile.write(sent)

        do_POST = do_PATCH = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
