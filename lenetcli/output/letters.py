"""Letters that fonts may lack: which of a text they are, and sentences on those that no font has."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from lenetcli.words import plural

ORDINARY = re.compile("[\0-\u024f\u0370-\u03ff\u0400-\u045f\u2010-\u2027\u2030-\u205e\u2212]*")
"""Letters that the fonts of reports and figures have: Latin, Greek, Cyrillic and punctuation."""
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters without a look that are neither blank nor control characters: selectors and fillers."""
MOST_SHOWN = 12
"""The most letters that a sentence shows."""
SCRIPTS = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}
"""The name of a script, by the first word of the name of its letters, where that does not serve."""


def find_rare(text: str) -> list[str]:
    """The visible characters of a text that are not ordinary, each once."""
    if ORDINARY.fullmatch(text):
        return []
    return [
        one
        for one in dict.fromkeys(text)
        if not (ORDINARY.fullmatch(one) or INVISIBLE.match(one)) and unicodedata.category(one)[0] not in "CZ"
    ]


def describe_lack(whose: str, letters: Sequence[str]) -> str:
    """The sentence on letters of something (``The title’s``) that no font at hand has."""
    more = "…" if len(letters) > MOST_SHOWN else ""
    shown = "".join(letters[:MOST_SHOWN]) + more
    lack = "that has it" if len(letters) == 1 else "that has them"
    return (
        f"{whose} {plural(len(letters), 'letter')} {shown} ({name_scripts(letters)}) cannot be set, and "
        f"boxes stand in place: this machine has no font {lack}. Install one, or write otherwise."
    )


def name_scripts(letters: Iterable[str]) -> str:
    """The scripts of letters, as far as their names tell them: Chinese, Thai, symbols."""
    names = []
    for letter in letters:
        word = unicodedata.name(letter, "").split(" ")[0]
        is_letter = unicodedata.category(letter)[0] in "LM"
        names.append(SCRIPTS.get(word, word.capitalize()) if is_letter else "symbols")
    return ", ".join(dict.fromkeys(names))
