"""The conclusion: the answer in words, and how firmly."""

from __future__ import annotations

import re

from annotate.grammar.names import Names, Slot
from annotate.grammar.pen import Pen, sentence
from annotate.grammar.phrases import texts
from annotate.grammar.reasoning import ANSWER
from annotate.grammar.scene import Scene
from annotate.measure import Seen

_TEXTS = texts("conclusion")
_FIRM, _LIKELY = 0.9, 2.2
"""Summed intensities below which a conclusion is firm, and likely; cautious above."""


def conclusion(scene: Scene, seen: Seen | None, total: float, pen: Pen) -> str:
    """The CONCLUSION block, ``ANSWER`` for the answer; firm or cautious by the summed intensity.

    None of the other options is in it, not even as a word of ours.
    """
    wrong = [re.compile(rf"(?<!\w){re.escape(o)}(?!\w)", re.I) for o in scene.wrong]
    things = [t for t in scene.things if not any(w.search(f"{t.text} {t.longer}") for w in wrong)]
    names = Names(scene._replace(things=tuple(things)), seen, pen, vague=False)
    tone = "firm" if total < _FIRM else "likely" if total < _LIKELY else "cautious"
    slots: Slot = {"answer": ANSWER}
    if names.any_own or seen:
        slots["o"] = names
    for block in (tone, tone, tone, "firm", "bare", "bare", "bare"):
        text = sentence(pen.choose(_TEXTS[block], slots))
        if not any(w.search(text) for w in wrong):
            return text
    return sentence(ANSWER)
