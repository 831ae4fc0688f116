"""The letters of a report that no font at hand has: they would be printed as boxes."""

import json
import re
import unicodedata
from collections.abc import Iterable

from lenetcli.output.report.facts import Facts
from lenetcli.words import plural

ORDINARY = re.compile("[\0-\u024f\u0370-\u03ff\u0400-\u045f\u2010-\u2027\u2030-\u205e\u2212]*")
"""Letters that Typst's own fonts have: Latin, Greek, Cyrillic and punctuation."""
MOST_SHOWN = 12
"""The most letters that a warning shows."""
PRIVATE = "\uf8ff"
"""A character that no font has."""
SCRIPTS = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}
"""The name of a script, by the first word of the name of its letters, where that does not serve."""


def describe_unset(facts: Facts) -> list[str]:
    """A sentence for each text in facts with letters that cannot be set."""
    texts = {
        "title": facts.options.title,
        "author": facts.options.author or "",
        "set-up": " ".join(text for _, text in facts.setup),
        "interpretation": facts.options.interpretation or "",
    }
    if all(map(ORDINARY.fullmatch, texts.values())):
        return []
    lacking = set(find_unset("".join(texts.values())))
    found = []
    for name, text in texts.items():
        if letters := [letter for letter in dict.fromkeys(text) if letter in lacking]:
            more = "…" if len(letters) > MOST_SHOWN else ""
            shown = "".join(letters[:MOST_SHOWN]) + more
            found.append(
                f"The {name}’s {plural(len(letters), 'letter')} {shown} ({name_scripts(letters)}) cannot be "
                "set, and boxes stand in their place: no font of the report has them. Write them otherwise."
            )
    return found


def find_unset(text: str) -> list[str]:
    """The characters of a text that Typst sets as boxes, each once."""
    candidates = [
        one
        for one in dict.fromkeys(text)
        if not ORDINARY.fullmatch(one) and unicodedata.category(one)[0] != "C"
    ]
    box = _draw(PRIVATE)
    return [one for one in candidates if _draw(one) == box]


def _draw(character: str) -> list[str]:
    """The outlines that Typst draws for a character."""
    import typst

    set_up = '#set text(font: "Libertinus Serif")\n#set page(width: auto, height: auto, fill: none)\n'
    source = f"{set_up}#json(bytes({json.dumps(json.dumps(character), ensure_ascii=False)}))"
    drawn = typst.Compiler(source.encode(), ignore_system_fonts=True).compile(format="svg")
    assert isinstance(drawn, bytes)
    return re.findall(' d="([^"]*)"', drawn.decode())


def name_scripts(letters: Iterable[str]) -> str:
    """The scripts of letters, as far as their names tell them: Chinese, Thai, symbols."""
    names = []
    for letter in letters:
        word = unicodedata.name(letter, "").split(" ")[0]
        is_letter = unicodedata.category(letter)[0] in "LM"
        names.append(SCRIPTS.get(word, word.capitalize()) if is_letter else "symbols")
    return ", ".join(dict.fromkeys(names))
