"""A web server that sends fixed replies."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@contextmanager
def serving(
    body: bytes,
    status: int = 200,
    *,
    length: int | None = None,
    actions: Mapping[str, bytes] | None = None,
    paths: Mapping[str, bytes] | None = None,
    prefix: str = "/",
    context: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Serve ``body`` for every request, and return the server's address.

    :param length: the Content-Length that the server declares, by default the true one.
    :param actions: bodies for requests with such an ``action`` in the query.
    :param paths: bodies for requests with such an end of the path.
    :param prefix: paths outside of it get a 404.
    :param context: makes the server speak TLS.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            request = urlsplit(self.path)
            action = parse_qs(request.query).get("action", [""])[0]
            sent = next((body for end, body in (paths or {}).items() if request.path.endswith(end)), body)
            sent = (actions or {}).get(action, sent)
            self.send_response(status if request.path.startswith(prefix) else 404)
            self.send_header("Content-Length", str(len(sent) if length is None else length))
            self.end_headers()
            self.wfile.write(sent)

        do_POST = do_PATCH = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
