"""Languages of sound tracks, compared by their ISO 639-2 terminology codes."""

from __future__ import annotations

# ISO 639-2: the languages that have a bibliographic code (DVB uses it) beside the terminology code.
_TERMINOLOGY = {
    "alb": "sqi", "arm": "hye", "baq": "eus", "bur": "mya", "chi": "zho", "cze": "ces", "dut": "nld", "fre": "fra",
    "geo": "kat", "ger": "deu", "gre": "ell", "ice": "isl", "mac": "mkd", "mao": "mri", "may": "msa", "per": "fas",
    "rum": "ron", "slo": "slk", "tib": "bod", "wel": "cym",
}  # fmt: skip
# ISO 639-1 codes of the languages that television commonly declares, as HLS and DASH write them.
_TWO_LETTERS = {
    "ar": "ara", "bg": "bul", "bs": "bos", "ca": "cat", "cs": "ces", "cy": "cym", "da": "dan", "de": "deu", "el": "ell",
    "en": "eng", "es": "spa", "et": "est", "eu": "eus", "fa": "fas", "fi": "fin", "fr": "fra", "ga": "gle", "gl": "glg",
    "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "hy": "hye", "id": "ind", "is": "isl", "it": "ita", "ja": "jpn",
    "ka": "kat", "ko": "kor", "ku": "kur", "lt": "lit", "lv": "lav", "mk": "mkd", "ms": "msa", "mt": "mlt", "nb": "nob",
    "nl": "nld", "nn": "nno", "no": "nor", "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk", "sl": "slv",
    "sq": "sqi", "sr": "srp", "sv": "swe", "th": "tha", "tr": "tur", "uk": "ukr", "ur": "urd", "vi": "vie", "zh": "zho",
}  # fmt: skip
# ISO 639-2: not determined, no linguistic content, several languages, uncoded; and the code for "original" in use.
_UNDECLARED = frozenset({"", "und", "zxx", "mul", "mis", "qaa"})


def language(code: str | None) -> str | None:
    """Return the code of a language in one form; None for a track that declares none.

    The region of ``pt-BR`` is left out.
    """
    primary = (code or "").strip().lower().replace("_", "-").partition("-")[0]
    primary = _TWO_LETTERS.get(primary, _TERMINOLOGY.get(primary, primary))
    return None if primary in _UNDECLARED else primary
