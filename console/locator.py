"""Where one is in the console, as a line of text that can be typed after `:`, sent to a colleague and put in an incident. Pure.

waves                                                   /FILTER at the end filters any list
wave flights@main 2013-07-01T14                         a wave; beside its name its id may stand, which goes before it
failures flights@main 2013-07-01T14                     `wave … failures` is the same; so is `wave … changes`
changes flights@main 2013-07-01T14                      what is different from the wave before
profile flights@main 2013-07-01T14                      where its time went
entity flights@main 2013-07-01T14 JFK-LAX [weather]     an entity, at a task; its key percent-encoded where it holds spaces
pipes [VERSION[/NAME] [DATE [KEY]]] [vs VERSION]        a level of the pipes, or one pipe, beside that of another version
coverage [FLOW[@VERSION] [TASK]]                        which coming hours the forecasts of a flow serve
compare VERSION/NAME [DATE[..DATE]] vs VERSION [truth PIPE]   all pipes of a name in two versions, and which forecasts better
state [NAME [PARTITION]] · workers [VERSION] · acts · history [FLOW@VERSION] · fleet [VERSION]
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from engine.errors import BadKey, WavedeckError
from engine.keys import decode_entity, encode_entity, is_text

View = Literal[
    "waves",
    "wave",
    "failures",
    "changes",
    "profile",
    "entity",
    "pipes",
    "compare",
    "state",
    "workers",
    "acts",
    "coverage",
    "history",
    "fleet",
]
VIEWS: tuple[View, ...] = get_args(View)
OF_A_WAVE: frozenset[View] = frozenset({"wave", "failures", "changes", "profile", "entity"})

_ID = re.compile(r"w[0-9a-f]{12}")
_SHORT = {"w": "wave", "f": "failures", "e": "entity", "p": "pipes", "s": "state", "home": "waves", "pipe": "pipes"}


class BadLocator(WavedeckError):
    """A line that leads nowhere; the text says why."""


@dataclass(frozen=True, slots=True)
class Locator:
    """A place in the console. What a view has no use for is empty.

    Parameters:
        wave: the wave's id.
        name: how people call it: `flights@main 2013-07-01T14`; at least one of both leads to a wave.
        entity: as users write it; of a state one of its partitions.
        task: of an entity one of its tasks; of a comparison the pipe that says what really happened.
        path: of pipes `version` or `version/name`; a state's name; the version of workers or a fleet; the `flow@version` of a coverage or history.
        date: of a comparison `first..last` as well.
        other: the version that pipes are compared with.
        filter: what the list of the view is filtered by.
    """

    view: View = "waves"
    wave: str = ""
    name: str = ""
    entity: str = ""
    task: str = ""
    path: str = ""
    date: str = ""
    other: str = ""
    filter: str = ""

    def __str__(self) -> str:
        words: list[str] = [self.view]
        if self.view in OF_A_WAVE:
            words += [self.name, self.wave if self.wave != self.name else ""]
        words += [self.path, self.date, _key(self.entity) if self.entity else "", self.task if self.view != "compare" else ""]
        words += [f"vs {self.other}"] if self.other else []
        words += [f"truth {self.task}"] if self.view == "compare" and self.task else []
        words += [f"/{self.filter}"] if self.filter else []
        return " ".join(word for word in words if word)

    @property
    def of(self) -> str:
        """The wave as `Waves.get` takes it."""
        return self.wave or self.name

    def same(self, other: Locator | None) -> bool:
        """Whether both lead to the same screen: by the wave's id where both know it, whatever the task and the filter."""
        if other is None or self.view != other.view:
            return False
        wave = self.wave == other.wave if self.wave and other.wave else self.name == other.name
        return wave and (self.entity, self.path, self.date, self.other) == (other.entity, other.path, other.date, other.other)

    def parent(self) -> Locator | None:
        """Where `esc` leads from here; None from home."""
        if self.view == "waves":
            return None
        if self.view in ("entity", "failures", "changes", "profile"):
            return Locator("wave", wave=self.wave, name=self.name)
        if self.view == "compare":
            return Locator("pipes", path=self.path)
        if self.view == "pipes" and self.path:
            up = replace(self, other="", filter="")
            if self.entity:
                return replace(up, entity="")
            return replace(up, date="") if self.date else replace(up, path=self.path.rpartition("/")[0])
        return Locator()


def way(place: Locator) -> list[Locator]:
    """The screens from home to `place`, both included; the levels of the pipes are one screen."""
    found = [place]
    while (up := found[0].parent()) is not None:
        found.insert(0, Locator() if up.view == found[0].view else up)
    return found


def parse(text: str) -> Locator:
    """Reads a line; one that begins with a wave leads to it.

    Raises:
        BadLocator: it leads nowhere.
    """
    if not is_text(text):
        raise BadLocator(f"{text[:40]!r} is no text; an entity's key is percent-encoded here")
    line, slash, query = text.strip().removeprefix(":").partition(" /")
    words = line.split()
    if not words:
        raise BadLocator(f"where to? one of: {', '.join(VIEWS)}")
    if _ID.fullmatch(words[0]) or "@" in words[0] or words[0] == "last":
        words.insert(0, "wave")
    view = _view(words[0])
    found = Locator(view, filter=query.strip() if slash else "")
    rest = words[1:]
    if view in OF_A_WAVE:
        return _of_a_wave(found, rest)
    if view == "pipes":
        return _pipes(found, rest)
    if view == "compare":
        return _compare(found, rest)
    if view == "state" and len(rest) == 2:
        return replace(found, path=rest[0], entity=_entity(rest[1]))
    if len(rest) <= {"coverage": 2, "state": 1, "workers": 1, "history": 1, "fleet": 1}.get(view, 0):
        path, task = (*rest, "", "")[:2]
        return replace(found, path=path, task=task)
    raise BadLocator(f"{view} takes no {' '.join(rest)!r}")


def _view(word: str) -> View:
    word = _SHORT.get(word, word)
    matches = [view for view in VIEWS if view == word] or [view for view in VIEWS if view.startswith(word)]
    if len(matches) != 1:
        raise BadLocator(f"{word!r} is no place; one of: {', '.join(VIEWS)}")
    return matches[0]


def _of_a_wave(found: Locator, words: list[str]) -> Locator:
    ids = [w for w in words if _ID.fullmatch(w)]
    words = [w for w in words if w not in ids[:1]]
    name = ""
    if words and "@" in words[0] and len(words) > 1:
        name, words = " ".join(words[:2]), words[2:]
    elif words and not ids:
        name, words = words[0], words[1:]
    if not (name or ids):
        raise BadLocator(f"{found.view}: which wave? flow@version date, an id, or last")
    found = replace(found, wave=ids[0] if ids else "", name=name)
    if found.view == "wave" and words[:1] in (["failures"], ["changes"], ["profile"]):
        found, words = replace(found, view=_view(words[0])), words[1:]
    if found.view == "entity":
        if not words:
            raise BadLocator("entity: which one of the wave?")
        found, words = replace(found, entity=_entity(words[0]), task="".join(words[1:2])), words[2:]
    if words:
        raise BadLocator(f"{found.view} takes no {' '.join(words)!r}")
    return found


def _pipes(found: Locator, words: list[str]) -> Locator:
    if "vs" in words:
        at = words.index("vs")
        if len(words) != at + 2:
            raise BadLocator("vs: one version to compare with")
        found, words = replace(found, other=words[at + 1]), words[:at]
    if len(words) > 3:
        raise BadLocator("pipes VERSION/NAME DATE KEY")
    path, date, key = [*words, "", "", ""][:3]
    return replace(found, path=path, date=date, entity=_entity(key) if key else "")


def _compare(found: Locator, words: list[str]) -> Locator:
    if "truth" in words:
        at = words.index("truth")
        if len(words) != at + 2:
            raise BadLocator("truth: one pipe that says what really happened")
        found, words = replace(found, task=words[at + 1]), words[:at]
    found = _pipes(found, words)
    if not found.other or "/" not in found.path or found.entity:
        raise BadLocator("compare VERSION/NAME [DATE[..DATE]] vs VERSION [truth PIPE]")
    return found


def _key(entity: str) -> str:
    """An entity as one word that nothing else could be."""
    word = encode_entity(entity)
    return f"%{ord(word[0]):02X}{word[1:]}" if word[0] == "/" or word == "vs" or _ID.fullmatch(word) else word


def _entity(word: str) -> str:
    try:
        entity = decode_entity(word)
        encode_entity(entity)
    except (UnicodeError, BadKey):
        raise BadLocator(f"{word[:40]!r} is no entity's key") from None
    return entity
