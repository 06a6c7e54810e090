"""Reasoning from the undamaged content, as long as the damage asks for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

from annotate.depth import tokens
from annotate.grammar.influence import extremes
from annotate.grammar.names import Names, Slot, cell_name, colored, common, light
from annotate.grammar.numbers import share
from annotate.grammar.pen import Pen, Slots, sentence
from annotate.grammar.phrases import groups, texts
from annotate.grammar.scene import Scene, lowered
from annotate.measure import Seen
from annotate.support import names

ANSWER = "\ue000"
"""Stands for the answer until everything around it is tidied: it is never touched itself."""

_LEANS = re.compile(
    r"\b(?:it|its|them|they|their|he|she|his|her|others?|another|elsewhere|of the two|come next)\b",
    re.I,
)
"""Words by which a statement may need the one before it."""

_TEXTS = texts("reasoning")
_KIND = groups("reasoning")["kind"]
_NEAR, _TRIES = 0.09, 5  # share of the target by which a text may miss it, or the best of five
_SHORTEST = 7  # tokens of the shortest step worth adding
_LONG = 16  # words of a caption beyond which it would crowd out the steps


def reasoning(scene: Scene, seen: Seen | None, target: int, answer: str, pen: Pen) -> str:
    """The REASONING block of about ``target`` tokens; ``ANSWER`` stands for the answer.

    What the row itself says comes first: its rationales and caption; then the question, the other
    options, and what was measured on the clean picture; last, what holds of any picture.
    """
    best, miss = "", target
    for _ in range(_TRIES):
        writer = _Writer(scene, seen, target, answer, pen)
        text = writer.write()
        if not best or abs(writer.left) < miss:
            best, miss = text, abs(writer.left)
        if miss <= _NEAR * target:
            break
    return best


class _Writer:
    """Collects steps, each with its place in the text, until the target is near."""

    def __init__(self, scene: Scene, seen: Seen | None, target: int, answer: str, pen: Pen) -> None:
        self.scene, self.seen, self.target, self.pen = scene, seen, target, pen
        self.answer = answer
        self.slots: Slot = common(Names(scene, seen, pen, vague=False), pen) | {"answer": ANSWER}
        if seen:
            spots = _spots(seen, pen)
            around = itertools.cycle(spots)
            self.slots["spot"] = lambda: next(around)
            if len(spots) > 1:
                self.slots["spot2"] = lambda: next(around)
        self.parts: list[tuple[float, str]] = []
        self.left = target
        self.used: set[str] = set()

    def write(self) -> str:
        pen = self.pen
        facts = self._ordered()
        self._add(9.0, *self._close(facts))
        self._facts(facts)
        crowds = bool(facts) and self.scene.caption.count(" ") >= _LONG and pen.chance(0.8)
        if self.scene.caption and self.left > _SHORTEST and not crowds:
            self._fitting(1.0, self._caption)
        if not self.scene.question and self.scene.things:
            for place in (1.1, 1.2, 1.3)[: 1 + self.target // 60]:
                if self.left >= _SHORTEST:
                    self._fitting(place, lambda: self._draw(_TEXTS["describe"], {}))
        for step in pen.shuffled([self._ask, self._kind, self._others, self._layout, self._region]):
            if self.left >= _SHORTEST:
                step()
        self._fill()
        return " ".join(text for _, text in sorted(self.parts, key=lambda part: part[0]))

    # ------------------------------------------------------------------------------------- fitting

    def _length(self, text: str) -> int:
        return tokens(text.replace(ANSWER, self.answer))

    def _add(self, place: float, template: str, text: str) -> None:
        if text:
            self.parts.append((place, text))
            self.left -= self._length(text)
            self.used.add(template)

    def _draw(self, templates: Sequence[str], own: Slots) -> tuple[str, str]:
        """A template that was not used yet, and the sentence made of it."""
        slots = self.slots | dict(own)
        for template in self.pen.drawn(templates):
            if template not in self.used and (text := self.pen.choose((template,), slots)):
                return template, sentence(text)
        return "", ""

    def _fitting(self, place: float, make: Callable[[], tuple[str, str]], tries: int = 3) -> bool:
        """Add what ``make`` writes if one of some tries is not too long."""
        room = self.left + max(2.0, 0.05 * self.target)
        for _ in range(tries):
            template, text = make()
            if text and self._length(text) <= room:
                self._add(place, template, text)
                return True
        return False

    # --------------------------------------------------------------------------------------- steps

    def _ordered(self) -> list[str]:
        """The statements in random order, but for those that lean on the one before them."""
        groups: list[list[str]] = []
        for fact in self.scene.facts:
            if groups and _LEANS.search(fact):
                if self._tells(fact) or self.pen.chance(0.4):
                    groups[-1].append(fact)
            else:
                groups.append([fact])
        return [fact for group in self.pen.shuffled(groups) for fact in group]

    def _tells(self, fact: str) -> bool:
        """Whether a statement holds the answer."""
        return names(fact, self.answer.strip('"'))

    def _close(self, facts: list[str]) -> tuple[str, str]:
        """The last step, from the evidence to the answer."""
        if self.target < 60 and facts:
            # Short chains: one statement and what follows from it, in one sentence.
            best, length, fact = ("", ""), 0, ""
            telling = [f for f in facts if self._tells(f)] or [
                f for f in facts if not _LEANS.search(f)
            ]
            for candidate in telling:
                for _ in range(2):
                    made = self._draw(_TEXTS["fact_bear"], _said(candidate))
                    n = self._length(made[1])
                    if not best[1] or abs(n - self.target) < abs(length - self.target):
                        best, length, fact = made, n, candidate
            if best[1] and length <= self.target + 3:
                self._taken_out(facts, fact)
                return best
        short = self.target < 40 and self.pen.chance(0.5)
        return self._draw(_TEXTS["bear_short" if short else "bear"], {})

    @staticmethod
    def _taken_out(facts: list[str], fact: str) -> None:
        """Leave out a statement, and those that would lean on it."""
        at = facts.index(fact)
        end = at + 1
        while end < len(facts) and _LEANS.search(facts[end]):
            end += 1
        del facts[at:end]

    def _facts(self, facts: list[str]) -> None:
        for n, fact in enumerate(facts):
            if self.left <= _SHORTEST:
                return
            own = _said(fact)
            block = ("fact_again" if n else "fact") if "r" in own else "fact_plain"
            self._fitting(2.0 + 0.1 * n, lambda: self._draw(_TEXTS[block], own))  # noqa: B023

    def _caption(self) -> tuple[str, str]:
        caption = self.scene.caption
        low = lowered(caption)
        if not low:
            return "", sentence(caption)
        words = low.split()
        noun = words[0] in {"a", "an", "the", "two", "three", "four", "some", "several", "many"}
        clause = not {"is", "are", "was", "were", "has", "have"}.isdisjoint(words[1:8])
        block = _TEXTS["caption" if noun and not clause else "caption_clause"]
        if noun and not clause and words[0] in {"a", "an"}:
            block += _TEXTS["caption_one"]
        return self._draw(block, {"caption": low})

    def _ask(self) -> None:
        scene = self.scene
        if scene.asked and self.pen.chance(0.8):
            self._fitting(0.0, lambda: self._draw(_TEXTS["ask"], {"asked": scene.asked}), 4)
        elif scene.question and self.pen.chance(0.5):
            own: Slot = {"question": scene.question}
            self._fitting(0.0, lambda: self._draw(_TEXTS["ask_quoted"], own), 4)

    def _kind(self) -> None:
        if (kind := _KIND.get(self.scene.aspect)) and self.pen.chance(0.5):
            self._fitting(0.5, lambda: self._draw(kind, {}))

    def _others(self) -> None:
        others = self.pen.shuffled(self.scene.others)
        if not others or self.pen.chance(0.25):
            return
        own: Slot = dict(zip(("x", "x2", "x3"), others, strict=False))
        blocks = ("others_all", "others_two", "others_one")[max(0, 3 - len(others)) :]
        for block in blocks:
            if self._fitting(6.0, lambda: self._draw(_TEXTS[block], own)):  # noqa: B023
                return

    def _layout(self) -> None:
        seen, pen = self.seen, self.pen
        if seen is None or pen.chance(0.3):
            return
        order = pen.shuffled(range(9))
        for n in range(1 + (self.left > 90)):
            a = order[2 * n]
            own: Slot = {"cell": cell_name(a, pen), "color": seen.colors[a]}
            own |= light(seen.luma[a])
            b = next((i for i in order if seen.colors[i] != seen.colors[a]), None)
            if b is not None:
                own |= {"cell2": cell_name(b, pen), "color2": seen.colors[b]}
            c = order[2 * n + 1]
            if abs(seen.luma[a] - seen.luma[c]) > 0.08:
                own |= {"l": share(seen.luma[a], pen), "l2": share(seen.luma[c], pen)}
                own["at2"] = cell_name(c, pen)
            if len(seen.palette) > 1:
                first = list(seen.palette[:3])
                own["palette"] = ", ".join(first[:-1]) + " and " + first[-1]
            calm, *_, busy = sorted(range(9), key=lambda i: (seen.detail[i], i))
            if seen.detail[busy] - seen.detail[calm] > 0.3:
                own |= {"busy": cell_name(busy, pen), "calm": cell_name(calm, pen)}
                own["busycolor"] = seen.colors[busy]
                if 0.05 < seen.detail[a] < 0.9 * seen.detail[busy]:
                    own["dn"] = share(seen.detail[a] / seen.detail[busy], pen)
            dim, *_, bright = sorted(range(9), key=lambda i: (seen.luma[i], i))
            if seen.luma[bright] - seen.luma[dim] > 0.15:
                own |= {"bright": cell_name(bright, pen), "dim": cell_name(dim, pen)}
            self._fitting(1.5 + 0.1 * n, lambda: self._draw(_TEXTS["layout"], own))  # noqa: B023

    def _region(self) -> None:
        if self.seen is None or not (ends := extremes(self.seen)) or self.pen.chance(0.4):
            return
        pen, kept = self.pen, self.seen.kept
        low, high = ends
        own: Slot = {
            "worst": colored(low, self.seen, pen), "best": colored(high, self.seen, pen),
            "wp": share(kept[low], pen), "bp": share(kept[high], pen),
        }  # fmt: skip
        self._fitting(4.0, lambda: self._draw(_TEXTS["region"], own))

    def _fill(self) -> None:
        """Go on with what holds anyway until the target is near."""
        near = max(2, round(0.07 * self.target))
        place = 5.0
        while self.left > near:
            # Far from the end any will do; near it, the one that ends nearest.
            tries = 1 if self.left >= 32 else 5
            made = [self._draw(_TEXTS["method"], {}) for _ in range(tries)]
            template, text = min(made, key=lambda m: abs(self.left - self._length(m[1])))
            if not text or self._length(text) > 2 * self.left:
                return
            self._add(place, template, text)
            place += 0.01


def _spots(seen: Seen, pen: Pen) -> list[str]:
    """``the gray of the lower left``: a cell for each color of the clean picture."""
    cells = {seen.colors[i]: i for i in pen.shuffled(range(9))}
    return [
        f"the {color} {pen.pick(('of', 'in'))} the {cell_name(i, pen)}"
        for color, i in cells.items()
    ]


def _said(fact: str) -> Slot:
    own: Slot = {"R": fact}
    if low := lowered(fact):
        own["r"] = low
    return own
