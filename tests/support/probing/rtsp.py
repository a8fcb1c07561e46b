"""An RTSP server like a camera's (RFC 2326): one stream of the lab as RTP, interleaved in one TCP connection."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress

from lab.timeline import Timeline
from support.probing.listening import Listening

SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=lab\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"
# Seven packets of a transport stream fit into a frame of Ethernet.
PAYLOAD = 7 * 188


class Rtsp(Listening):
    """Serves a stream; responds to DESCRIBE with ``status``, counts connections, and notes the methods requested.

    :param location: the address that a status of redirection leads to.
    """

    def __init__(self, timeline: Timeline, status: int = 200, location: str = "") -> None:
        self._location = location
        self.asked: list[str] = []
        self._timeline = timeline
        self._status = status
        super().__init__()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines, suppress(OSError):
            while first := lines.readline():
                head = {}
                while line := lines.readline().strip():
                    name, _, value = line.decode().partition(":")
                    head[name.lower()] = value.strip()
                method = first.split()[0].decode()
                self.asked.append(method)
                client.sendall(self._answer(method, head))
                if method == "PLAY":
                    self._play(client)

    def _answer(self, method: str, head: dict[str, str]) -> bytes:
        status = self._status if method == "DESCRIBE" else 200
        more = {
            "DESCRIBE": ["Content-Type: application/sdp", f"Content-Length: {len(SDP)}"] if status == 200 else [],
            "SETUP": ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"],
        }.get(method, [])
        if self._location:
            more.append(f"Location: {self._location}")
        lines = [f"RTSP/1.0 {status} X", f"CSeq: {head['cseq']}", "Session: 1", "Public: DESCRIBE, SETUP, PLAY", *more]
        return "\r\n".join([*lines, "", SDP if method == "DESCRIBE" and status == 200 else ""]).encode()

    def _play(self, client: socket.socket) -> None:
        sequence, number = 0, self._timeline.now()
        while True:
            time.sleep(max(0.0, self._timeline.due_in(number)))
            data, number = self._timeline.slice(number), number + 1
            for at in range(0, len(data), PAYLOAD):
                payload = data[at : at + PAYLOAD]
                ticks = int(time.monotonic() * 90_000) & 0xFFFFFFFF
                rtp = struct.pack(">BBHII", 0x80, 33, sequence & 0xFFFF, ticks, 7) + payload
                client.sendall(b"$\0" + len(rtp).to_bytes(2, "big") + rtp)
                sequence += 1
