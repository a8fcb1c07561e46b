"""A server that answers everything with one thing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@contextmanager
def answering(
    body: bytes, status: int = 200, *, length: int | None = None, actions: Mapping[str, bytes] | None = None
) -> Iterator[str]:
    """Its address; ``length`` is what it promises to send. ``actions`` answers queries that name one of them."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            action = parse_qs(urlsplit(self.path).query).get("action", [""])[0]
            sent = (actions or {}).get(action, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent) if length is None else length))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
