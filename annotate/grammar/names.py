"""What a clause may speak of: things that the row's own texts put into the scene, or its parts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from annotate.grammar.pen import Pen, Slots
from annotate.grammar.phrases import texts
from annotate.grammar.scene import Scene
from annotate.grammar.things import Thing
from annotate.grammar.words import CELL_WORDS
from annotate.measure import CELLS, Seen

Slot = dict[str, "str | Sequence[str] | Callable[[], str]"]
_TEXTS = texts("names")
_SHARED = ("thin", "bits", "who", "know", "hard", "bit", "at")


def cell_name(index: int, pen: Pen) -> str:
    """A name of a cell of the grid, to stand after *the*."""
    return pen.pick(CELL_WORDS[CELLS[index]])


def light(luma: float) -> Slot:
    """``tone``: words for the mean brightness of a part of the clean picture, if it has a mark."""
    if 0.28 <= luma <= 0.6:
        return {}
    return {"tone": _TEXTS["bright" if luma > 0.6 else "deep"]}


def colored(index: int, seen: Seen, pen: Pen) -> str:
    """A cell's name, mostly with its light and color: ``mostly blue upper left``."""
    slots: Slot = {"cell": cell_name(index, pen), "color": seen.colors[index]}
    return pen.choose(_TEXTS["place"], slots | light(seen.luma[index]))


class Names:
    """Things to mention, one after another, so that none returns before all have had their turn.

    ``vague``: also parts of the frame and general words such as *the background*; always where the
    row names nothing. Parts of the frame have the colors that were measured on the clean picture.
    """

    def __init__(self, scene: Scene, seen: Seen | None, pen: Pen, vague: bool = True) -> None:
        self._pen = pen
        telling = [t for t in scene.things if not t.bare]
        self._own = pen.shuffled(telling if len(telling) > 2 else scene.things)
        self._vague = vague
        self._general = pen.shuffled(_TEXTS["general"]) if vague or not scene.things else []
        if seen and self._general:
            cells = self._cells(seen)
            few = self._general[: len(self._general) // 4]
            self._general = pen.shuffled([*cells, *few])
        self._at = 0

    def _cells(self, seen: Seen) -> Iterator[str]:
        """Parts of the frame by place and color: ``the gray ground in the upper left``."""
        pen = self._pen
        busy = sorted(range(9), key=lambda i: (seen.detail[i], i))
        for i in itertools.chain(pen.shuffled(range(9)), pen.shuffled(range(9))):
            slots: Slot = {"cell": cell_name(i, pen), "color": seen.colors[i]}
            slots |= {"ground": _TEXTS["ground"]} | light(seen.luma[i])
            if seen.detail[i] > 0.5 and i in busy[6:]:
                slots["busy"] = slots["cell"]
            elif seen.detail[i] < 0.5 and i in busy[:3]:
                slots["calm"] = slots["cell"]
            yield pen.choose(_TEXTS["cell"], slots)

    @property
    def any_own(self) -> bool:
        """Whether the row names anything."""
        return bool(self._own)

    @property
    def several(self) -> bool:
        """Whether two names in a row are two things."""
        return len(self._own) > 1

    def __call__(self) -> str:
        """The next thing to speak of."""
        self._at += 1
        own, general, pen = self._own, self._general, self._pen
        if not own or (self._vague and pen.chance(max(0.2, 0.6 / (len(own) + 1)))):
            return pen.write(general[self._at % len(general)], {})
        return self._mention(own[self._at % len(own)])

    def _mention(self, thing: Thing) -> str:
        """A thing by its full name or another."""
        own, pen = self._own, self._pen
        if thing.longer and pen.chance(0.4):
            return thing.longer
        if thing.head == "name":
            return pen.choose(_TEXTS["name"], {"t": thing.text.removeprefix("the name ")})
        if len(own) > 2 and pen.chance(0.15):
            self._at += 1
            return f"{thing.text} and {own[self._at % len(own)].text}"
        alone = sum(t.head == thing.head for t in own) == 1
        if thing.short and alone and pen.chance(0.5):
            return thing.short
        if self._vague and pen.chance(0.25):
            whole: Slot = {"t": thing.text}
            if thing.text.startswith("the ") and not thing.plural:
                whole["p"] = thing.text[4:]
            return pen.choose(_TEXTS["part"], whole)
        return thing.text


def common(names: Names, pen: Pen) -> Slot:
    """Slots of every text: ``o``, ``po``, ``fine``, and ``o2`` for another thing."""
    inner: Slots = {"o": names}
    slots: Slot = {name: _TEXTS[name] for name in _SHARED}
    if names.several:
        slots["o2"] = names
    slots["o"] = names
    slots["po"] = lambda: pen.write(pen.pick(_TEXTS["edge"]), inner)
    slots["fine"] = lambda: pen.write(pen.pick(_TEXTS["fine"]), inner)
    return slots
