"""The fonts of a report: Typst's own, and fonts of this machine for letters that these lack."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from lenetcli.files import temporary_folder
from lenetcli.output.figures.fonts import NAME, UNASSIGNED, Font, find_fonts, find_lacking, register
from lenetcli.output.letters import describe_lack, find_rare
from lenetcli.output.report.facts import Facts
from lenetcli.words import join_words

if TYPE_CHECKING:
    import typst

PREFIX = "font "
"""What precedes the name of a font among the versions of a report; its hash is its version."""
DIGITS = 12
"""How many digits of the hash of a font the pages show."""
HASH = f"[0-9a-f]{{{DIGITS}}}([0-9a-f]{{{64 - DIGITS}}})?"
"""The pattern of such a hash, or of these digits."""
TEXT = "Libertinus Serif"
"""The font of the text, which comes with Typst."""
FIGURES = "The figures’"
"""Whose letters those of the figures are, in a sentence."""


def choose_fonts(facts: Facts) -> tuple[Font, ...]:
    """The fonts of this machine for the letters of a report that its own fonts lack, in order of names."""
    return order_fonts(find_fonts(find_foreign(facts)))


def order_fonts(fonts: Iterable[Font]) -> tuple[Font, ...]:
    """Fonts in the order in which a report names and tries them."""
    return tuple(sorted(fonts, key=lambda font: font.name))


def find_foreign(facts: Facts) -> list[str]:
    """The letters of a report that its own fonts lack: those of its text, and in figures that of these."""
    rare = find_rare(str(facts))
    if not rare:
        return []
    return list(dict.fromkeys([*find_unset(rare), *_find_undrawn(facts)]))


def _find_undrawn(facts: Facts, fonts: Sequence[Font] = ()) -> list[str]:
    """The letters in the figures of a report that neither their own font nor these have."""
    figures = [section.figure for section in (facts.learning_rates, facts.filters) if section.figure]
    rare = find_rare("".join(str(figure.series) for figure in figures))
    return find_lacking(rare, list(map(register, fonts))) if rare else []


def name_fonts(facts: Facts, fonts: Sequence[Font]) -> Facts:
    """The facts of a report that is set with fonts of this machine, which are named among its versions."""
    return replace(facts, versions={**facts.versions, **{PREFIX + font.name: font.sha256 for font in fonts}})


def read_fonts(versions: Mapping[str, str]) -> dict[str, str]:
    """The hashes, or their first digits, of the fonts that are named among the versions of a report."""
    return {key.removeprefix(PREFIX): value for key, value in versions.items() if key.startswith(PREFIX)}


def are_fonts(named: Mapping[str, str]) -> bool:
    """Whether these can be names and hashes of fonts; any other text in their place could be a sentence."""
    return all(NAME.fullmatch(name) and re.fullmatch(HASH, sha256) for name, sha256 in named.items())


@contextmanager
def open_fonts(fonts: Sequence[Font]) -> Iterator[tuple["typst.Fonts", list[str]]]:
    """The context in which Typst has its own fonts and these, and the names under which it knows these."""
    import typst

    if not fonts:
        yield typst.Fonts(include_system_fonts=False), []
        return
    with temporary_folder() as folder:
        names = []
        for number, font in enumerate(fonts):
            # Typst takes folders of fonts, and may call a family otherwise than matplotlib does.
            (folder / f"{number}").mkdir()
            (folder / f"{number}" / font.path.name).symlink_to(font.path.absolute())
            faces = typst.Fonts(False, False, [str(folder / f"{number}")]).fonts()
            names += [face.family for face in faces if face.index == 0]
        yield typst.Fonts(include_system_fonts=False, font_paths=[str(folder)]), names


def describe_fonts(fonts: Sequence[Font]) -> str:
    """The sentence on fonts of this machine in which a report is set; empty if there are none."""
    if not fonts:
        return ""
    names = join_words([font.name for font in fonts])
    lacks = "one of them is" if len(fonts) > 1 else "it is"
    compares = f"where {lacks} missing, --verify compares the text alone"
    return f"Letters that its own fonts lack are set in {names}; {compares}."


def describe_unset(facts: Facts, fonts: Sequence[Font]) -> list[str]:
    """A sentence for each text in facts with letters that neither the report's own fonts nor these have."""
    options = facts.options
    texts = {
        "title": options.title,
        "author": options.author or "",
        "set-up": " ".join(text for _, text in facts.setup),
        "interpretation": options.interpretation or "",
        "name of the store": options.store,
    }
    unset = find_unset(find_rare(str(facts)), fonts)
    found = {f"The {name}’s": [one for one in unset if one in text] for name, text in texts.items()}
    drawn = _find_undrawn(facts, fonts)
    others = [one for one in unset if not any(one in text for text in (*texts.values(), drawn))]
    lacks = {**found, FIGURES: drawn, "Other": others}
    return [describe_lack(whose, letters) for whose, letters in lacks.items() if letters]


def describe_undrawn(facts: Facts, fonts: Sequence[Font]) -> list[str]:
    """A sentence on letters in the figures that neither their own font nor these have, if there are any."""
    undrawn = _find_undrawn(facts, fonts)
    return [describe_lack(FIGURES, undrawn)] if undrawn else []


def find_unset(letters: Sequence[str], fonts: Sequence[Font] = ()) -> list[str]:
    """The letters that neither Typst's own fonts nor these have, which it sets as boxes."""
    if not letters:
        return []
    box, *drawings = _draw([chr(UNASSIGNED), *letters], fonts)
    return [letter for letter, drawing in zip(letters, drawings, strict=True) if drawing == box]


def write_names(names: Sequence[str]) -> str:
    """The array of names in Typst."""
    return f"({''.join(json.dumps(name, ensure_ascii=False) + ', ' for name in names)})"


def _draw(letters: Sequence[str], fonts: Sequence[Font]) -> list[list[str]]:
    """What Typst draws for each letter: its outlines, or images."""
    import typst

    text = json.dumps(json.dumps(letters), ensure_ascii=False)
    with open_fonts(fonts) as (known, names):
        source = (
            f"#set text(font: {write_names([TEXT, *names])})\n"
            "#set page(width: auto, height: auto, fill: none)\n"
            f"#for letter in json(bytes({text})) {{ page(letter) }}"
        )
        compiler = typst.Compiler(source.encode(), font_paths=known, ignore_system_fonts=True)
        pages = compiler.compile(format="svg")
    drawings = [pages] if isinstance(pages, bytes) else pages or []
    return [re.findall(r' d="([^"]*)"|(<image [^>]*>)', drawing.decode()) for drawing in drawings]
