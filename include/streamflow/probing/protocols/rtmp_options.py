"""RTMP addresses with options behind a blank, as players on librtmp take them: ``rtmp://host/app playpath=x live=1``.

The names are those of librtmp's manual page (librtmp(3), "URL"), and those of libav's own protocol ("RTMP" in
ffmpeg-protocols).
"""

from __future__ import annotations

import re

_OPTION = re.compile(r"\s([A-Za-z]+)=(\S*)")
# A character that has a meaning in the address is written as a backslash and two hexadecimal digits.
_ESCAPE = re.compile(r"\\([0-9a-fA-F]{2})")
# "swfVfy" is left out: libav would fetch the player's file by itself, from any address.
_NAMES = {
    "app": "rtmp_app", "tcurl": "rtmp_tcurl", "pageurl": "rtmp_pageurl", "swfurl": "rtmp_swfurl",
    "flashver": "rtmp_flashver", "playpath": "rtmp_playpath", "subscribe": "rtmp_subscribe",
}  # fmt: skip
_YES = ("1", "true")


def split(url: str) -> tuple[str, dict[str, str]]:
    """Split an address from the options behind it.

    :returns: the address alone, and the options by libav's names; unknown ones are left out.
    """
    first = _OPTION.search(url)
    if first is None:
        return url, {}
    options: dict[str, str] = {}
    connect_data: list[str] = []
    for name, value in _OPTION.findall(url[first.start() :]):
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), value)
        if name.lower() == "conn":
            connect_data.append(text)
        elif name.lower() == "live" and text.lower() in _YES:
            options["rtmp_live"] = "live"
        elif libav_name := _NAMES.get(name.lower()):
            options[libav_name] = text
    if connect_data:
        options["rtmp_conn"] = " ".join(connect_data)
    return url[: first.start()].rstrip(), options
