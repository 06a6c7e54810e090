"""What a clause may speak of: things that the row's own texts put into the scene, or its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from annotate.grammar.pen import Pen, Slots
from annotate.grammar.phrases import texts
from annotate.grammar.scene import Scene
from annotate.grammar.words import CELL_WORDS
from annotate.measure import CELLS, Seen

Slot = dict[str, "str | Sequence[str] | Callable[[], str]"]
_TEXTS = texts("names")


def cell_name(index: int, pen: Pen) -> str:
    """A name of a cell of the grid, to stand after *the*."""
    return pen.pick(CELL_WORDS[CELLS[index]])


class Names:
    """Things to mention, one after another, so that none returns before all have had their turn.

    ``vague``: also parts of the frame and general words such as *the background*; always where the
    row names nothing.
    """

    def __init__(self, scene: Scene, seen: Seen | None, pen: Pen, vague: bool = True) -> None:
        self._pen = pen
        self._own = pen.shuffled(scene.things)
        self._vague = vague
        self._general = pen.shuffled(_TEXTS["general"]) if vague or not scene.things else []
        if seen:
            cells = [f"the {cell_name(i, pen)}" for i in pen.shuffled(range(9))]
            self._general = [x for pair in zip(self._general, cells, strict=False) for x in pair]
        self._at = 0

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
        if not own or (self._vague and pen.chance(0.6 / (len(own) + 1))):
            return pen.write(general[self._at % len(general)], {})
        thing = own[self._at % len(own)]
        if thing.longer and pen.chance(0.4):
            return thing.longer
        if len(own) > 2 and pen.chance(0.15):
            self._at += 1
            return f"{thing.text} and {own[self._at % len(own)].text}"
        if self._vague and pen.chance(0.15):
            return pen.choose(_TEXTS["part"], {"t": thing.text})
        return thing.text


def common(names: Names, pen: Pen) -> Slot:
    """Slots of every text: ``o``, ``po``, ``fine``, and ``o2`` for another thing."""
    inner: Slots = {"o": names}
    second: Slot = {"o2": names} if names.several else {}
    return second | {
        "o": names,
        "po": lambda: pen.write(pen.pick(_TEXTS["edge"]), inner),
        "fine": lambda: pen.write(pen.pick(_TEXTS["fine"]), inner),
    }
