"""URLs of web pages: tools such as Streamlink and yt-dlp play them, a probe cannot."""

from __future__ import annotations

from urllib.parse import urlsplit

# Sites whose pages such tools play; media of these sites come from other hosts or with a suffix of media.
PAGE_HOSTS = frozenset(
    {
        "youtube.com", "youtu.be", "twitch.tv", "kick.com", "dailymotion.com", "vimeo.com", "facebook.com",
        "instagram.com", "tiktok.com", "x.com", "twitter.com", "rumble.com", "trovo.live", "odysee.com",
        "bilibili.com", "pluto.tv", "ok.ru", "vk.com",
    }
)  # fmt: skip
MEDIA_SUFFIXES = (".m3u8", ".m3u", ".mpd", ".ts", ".mp4", ".mkv", ".flv", ".aac", ".mp3")
# Programs that a Dispatcharr stream profile gives the URL as media; "" stands for its own proxy and for a redirect.
MEDIA_COMMANDS = frozenset({"", "ffmpeg", "vlc", "cvlc"})


def is_web_page(url: str | None) -> bool:
    """Return whether a URL belongs to a site of web pages and does not name a media file."""
    try:
        parts = urlsplit(url or "")
        host = parts.hostname or ""
    except ValueError:
        return False
    is_listed = any(host == site or host.endswith(f".{site}") for site in PAGE_HOSTS)
    return is_listed and not parts.path.lower().endswith(MEDIA_SUFFIXES)


def opens_pages(command: str) -> bool:
    """Return whether the program of a stream profile takes web pages, as Streamlink, yt-dlp and scripts do."""
    return command.strip().rpartition("/")[2].lower() not in MEDIA_COMMANDS
