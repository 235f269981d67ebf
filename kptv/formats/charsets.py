"""Which encoding, none of Unicode's, the bytes of a text are in: what was told of it, or a guess.

Theory of operation. The words that are more than ASCII are decoded by each encoding that lists are
written in, and looked at: are all letters of a word in one language's alphabet, are capitals where
capitals are, are the characters among the frequent ones of Chinese, Japanese, Korean. A wrong
encoding fails at most words, the right one at hardly any. A detector made for prose
(charset-normalizer) errs on the few names that a list holds, but it decides well between encodings
that all explain them (Chinese or Korean, Cyrillic or Hebrew).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from charset_normalizer import from_bytes

SAMPLE = 768  # bytes of words that are looked at, some 80 names, in 2 ms
_BEFORE = 64  # bytes of a word that are looked at before the first that is more than ASCII
_FEW = 12  # words from which most encodings are told to be wrong
_FAR = 0.4  # an encoding so far behind the best after _FEW words is given up
_ENOUGH = 12  # bytes beyond ASCII; with fewer, only Russian is told from Chinese
_SURE = 0.6  # of the words; below, one of the encodings that most lists are in is as likely
_CLOSE = 0.05  # a difference that tells nothing
_RATHER_CHINESE = 0.3  # one that tells nothing of a few words: most lists without UTF-8 are Chinese
_MOST = 0.9  # of the words; some are cut off within a character

_WEST = (
    *("éèêëàâçîïôûùüœæÿ", "äöüßé", "áéíóúüñçàèïò", "áâãàçéêíóôõúü", "àèéìòùó", "åäöéü"),
    *("æøåéöä", "éëïöüèê", "áéíóúýþæöð"),
)
_MIDDLE = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ", "çë")
_CYRILLIC = (
    *("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"),
    *("абвгдеёжзійклмнопрстуўфхцчшыьэюя", "абвгдђѓежзѕиіјклљмнњопрстћќуфхцчџш"),
)
_GREEK = ("αάβγδεέζηήθιίϊΐκλμνξοόπρσςτυύϋΰφχψωώ",)
_BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äöõüšž")


def _alphabets(*languages: str) -> list[frozenset[str]]:
    return [frozenset(letters + letters.upper() + "İ" * ("ı" in letters)) for letters in languages]


# Letters beyond ASCII of each language that is written in an encoding.
_ALPHABETS = {
    "cp1252": _alphabets(*_WEST),
    "cp1251": _alphabets(*_CYRILLIC),
    "cp1250": _alphabets(*_MIDDLE),
    "iso8859_2": _alphabets(*_MIDDLE),
    "cp1254": _alphabets("çğıöşüâîû"),
    "koi8_u": _alphabets(*_CYRILLIC[:2]),
    "cp866": _alphabets(_CYRILLIC[0]),
    "iso8859_5": _alphabets(*_CYRILLIC),
    "cp1253": _alphabets(*_GREEK),
    "iso8859_7": _alphabets(*_GREEK),
    "cp1257": _alphabets(*_BALTIC),
    "cp1255": [frozenset(map(chr, range(0x5D0, 0x5EB)))],  # Hebrew
    "cp1256": [frozenset(map(chr, range(0x621, 0x653))) | frozenset("پچژگکی")],  # Arabic, Persian
    "cp874": [frozenset(map(chr, range(0xE01, 0xE5C)))],  # Thai
}
_LATIN = frozenset(("cp1252", "cp1250", "iso8859_2", "cp1254", "cp1257"))
# Of pairs of bytes: first and last lead byte, lowest second byte, and what the pair tells.
_PAIRS = {
    "gb18030": (
        *((0xB0, 0xD7, 0xA1, 1.0), (0xD8, 0xF7, 0xA1, 0.5), (0xA1, 0xA3, 0xA1, 1.0)),
        *((0xA4, 0xA5, 0xA1, 0.5), (0x81, 0xA0, 0x40, 0.25), (0xAA, 0xFE, 0x40, 0.25)),
    ),
    "cp949": ((0xB0, 0xC8, 0xA1, 1.0), (0xA1, 0xA3, 0xA1, 1.0)),
    "cp932": ((0x81, 0x83, 0x40, 1.0), (0x88, 0x97, 0x40, 1.0), (0x98, 0xEA, 0x40, 0.5)),
    "big5hkscs": ((0xA4, 0xC6, 0x40, 1.0), (0xC9, 0xF9, 0x40, 0.5), (0xA1, 0xA3, 0x40, 1.0)),
}
_RARE = -0.5  # what any other pair tells
# The more usual first: it is taken if others explain as much.
_WELL_KNOWN = (
    *("cp1252", "cp1251", "gb18030", "cp1250", "cp1254", "koi8_u", "cp1253", "cp949", "cp932"),
    *("big5hkscs", "cp1256", "cp1255", "cp866"),
)
# And these, which also explain much of what those do: they need more words.
_ENCODINGS = (*_WELL_KNOWN, "iso8859_2", "iso8859_7", "iso8859_5", "cp1257", "cp874")
_NEUTRAL = frozenset("°…„“”‘’«»–—№©®™·•§\xa0×´`²½")  # in any language, and most encodings

_HIGH_RUN = re.compile(rb"[\x80-\xff]++")
_BESIDE_LETTER = re.compile(rb"[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]")
_NOT_RUSSIAN = re.compile(rb"[\x80-\xa7\xa9-\xb7\xba-\xbf]")
_WORD = re.compile(rb"[^\x00-/:-?]++")  # none of these is the second byte of a pair
_PAIR = re.compile(rb"([\x80-\xff])(.)", re.DOTALL)
# What no word has: letters of two scripts side by side; three accents in a row, if few have any.
_BESIDE_ASCII = re.compile(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]")
_INNER_FINAL = re.compile(rf"ς\w|{_BESIDE_ASCII.pattern}")
_ODD = {
    "cp1252": re.compile(r"[^\W\x00-\x7f]{3}"),
    "cp1253": _INNER_FINAL,
    "iso8859_7": _INNER_FINAL,
    **dict.fromkeys(_LATIN - {"cp1252"}, re.compile(r"(?!)")),
}
_SENSELESS = frozenset("\ufffd")  # in no alphabet


def words_of(text: bytes) -> list[bytes]:
    """The words of ``text`` that are more than ASCII, as many as are looked at."""
    words: list[bytes] = []
    size = 0
    for word in _WORD.finditer(text):
        if not word[0].isascii():
            words.append(_around_the_first(word[0]))
            size += len(word[0])
            if size >= SAMPLE:
                break
    return words


def _around_the_first(word: bytes) -> bytes:
    """As much of a word as is looked at; some of it is beyond ASCII, or nothing could be told."""
    first = _HIGH_RUN.search(word)
    assert first is not None  # the word is more than ASCII
    return word[max(first.start() - _BEFORE, 0) :][:SAMPLE]


def guess_encoding(sample: bytes, told: Iterable[str] = ()) -> str:
    """The codec that ``sample`` is in: the first ``told`` with which its words agree.

    Otherwise the likeliest, or one of those that most lists are in if none is likely.
    """
    words = words_of(sample)
    if not words:
        return "cp1252"
    for codec in told:
        if codec and _agree(words, codec):
            return codec
    shares = _shares(words)
    best = max(shares.values())
    if best < _SURE:
        return _most_usual(words)
    likely = [encoding for encoding, share in shares.items() if share >= best - _CLOSE]
    others = [encoding for encoding in likely if encoding not in _LATIN]
    if not others or (likely[0] in _LATIN and _have_accents(words)):
        return likely[0]
    if len(words) < _FEW and best - shares["gb18030"] < _RATHER_CHINESE:
        others = list(dict.fromkeys([*others, "gb18030"]))
    return _detected(words, [e for e in others if e in _WELL_KNOWN]) or others[0]


def _shares(words: Sequence[bytes]) -> dict[str, float]:
    """How much of ``words`` makes sense in each encoding that comes into question."""
    if len(words) < _FEW:
        return {encoding: _explained(encoding, words) for encoding in _WELL_KNOWN}
    first = {encoding: _explained(encoding, words[:_FEW]) for encoding in _ENCODINGS}
    least = max(first.values()) - _FAR
    return {e: _explained(e, words) for e, share in first.items() if share >= least}


def _agree(words: Sequence[bytes], told: str) -> bool:
    """Whether ``words`` may be in ``told``, which a server may say of all its texts."""
    if told not in _PAIRS:
        return _explained(told, words) >= _SURE
    decoded = sum(_decoded(told, word) is not None for word in words)
    return decoded >= _MOST * len(words)  # pairs that are all defined are no accident


def _have_accents(words: Sequence[bytes]) -> bool:
    """Whether most words are ASCII but for a few letters."""
    return sum(map(_has_accents, words)) * 2 > len(words)


def _has_accents(word: bytes) -> bool:
    runs = [len(run) for run in _HIGH_RUN.findall(word)]
    return max(runs) <= 3 and (1 in runs or _BESIDE_LETTER.search(word) is not None)


def _most_usual(words: Sequence[bytes]) -> str:
    runs = [run for word in words for run in _HIGH_RUN.findall(word)]
    if sum(len(run) == 1 for run in runs) * 2 > len(runs):
        return "cp1252"
    return _detected(words, ["cp1251", "gb18030"]) or "cp1251"


def _detected(words: Sequence[bytes], encodings: list[str]) -> str:
    """The one of ``encodings`` that a detector takes the words for; empty if it cannot tell."""
    sample = b" ".join(words)
    if sum(map(len, _HIGH_RUN.findall(sample))) < _ENOUGH:
        encodings = [encoding for encoding in encodings if encoding in ("cp1251", "gb18030")]
        if _NOT_RUSSIAN.search(sample) and "gb18030" in encodings:
            return "gb18030"
    if len(encodings) < 2:
        return "".join(encodings)
    found = from_bytes(sample, cp_isolation=encodings).best()
    return found.encoding if found else ""


def _explained(encoding: str, words: Sequence[bytes]) -> float:
    """The share of ``words`` that make sense in ``encoding``, from 0 to 1."""
    if encoding in _PAIRS:
        return _frequent_share(encoding, words)
    texts = [_decoded(encoding, word) for word in words]
    alphabets = _ALPHABETS.get(encoding)
    if alphabets is None:
        return sum(text is not None for text in texts) / len(texts)
    odd = _ODD.get(encoding, _BESIDE_ASCII)
    letters = [_letters(text, odd) for text in texts]
    in_any = sum(any(word <= alphabet for alphabet in alphabets) for word in letters)
    in_one = max(sum(word <= alphabet for word in letters) for alphabet in alphabets)
    return (in_any + in_one) / 2 / len(words)  # a list is mostly in one language


def _decoded(encoding: str, word: bytes) -> str | None:
    try:
        return word.decode(encoding)
    except UnicodeDecodeError:
        return None


def _letters(text: str | None, odd: re.Pattern[str]) -> frozenset[str]:
    """The letters that an alphabet must have for a word; one that none has if it is odd."""
    if text is None or odd.search(text):
        return _SENSELESS
    if not (text.islower() or text.isupper() or text[1:].islower()) and any(
        one.islower() and other.isupper() for one, other in pairwise(text)
    ):
        return _SENSELESS
    return frozenset(letter for letter in text if not letter.isascii()) - _NEUTRAL


def _frequent_share(encoding: str, words: Sequence[bytes]) -> float:
    """How much of the pairs of bytes are characters that are often used."""
    count, told = 0, 0.0
    for word in words:
        if _decoded(encoding, word) is None:
            count += len(word) // 2 + 1
            continue
        for lead, second in _PAIR.findall(word):
            count += 1
            told += _weight(encoding, lead[0], second[0])
    return told / count if count else 0.0


def _weight(encoding: str, lead: int, second: int) -> float:
    for first, last, lowest, weight in _PAIRS[encoding]:
        if first <= lead <= last and second >= lowest:
            return weight
    return _RARE
