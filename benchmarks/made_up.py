"""Made-up questions in the manner of A-OKVQA: four options, an answer, rationales, a caption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from annotate.grammar.pen import Pen, sentence, tidy
from degrade.schema import Question

_WORLD: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
_WORDS = {name: text.split() for name, text in _WORLD["words"].items()}
_LISTS = {name: _WORLD[name].split(", ") for name in ("deeds", "goals", "near")}


def plural(noun: str) -> str:
    """``boxes``, ``ponies``, ``women``."""
    if noun in {"sheep", "child", "goose"}:
        return {"sheep": "sheep", "child": "children", "goose": "geese"}[noun]
    if noun.endswith("man"):
        return noun[:-3] + "men"
    if noun.endswith(("s", "x", "sh", "ch")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun[:-2] + "ves" if noun.endswith("fe") else noun + "s"


def caption(seed: int, key: str) -> str:
    """A caption for a row's id."""
    pen = Pen(seed, key, "caption")
    return _caption(pen, _slots(pen))


def _caption(pen: Pen, slots: dict[str, Any]) -> str:
    return sentence(pen.choose(_WORLD["caption"].strip().split("\n"), slots))


def _slots(pen: Pen) -> dict[str, Any]:
    def word(name: str) -> Any:
        return lambda: pen.pick(_WORDS[name])

    slots: dict[str, Any] = {name: word(name) for name in _WORDS}
    slots |= {
        "doing": lambda: pen.pick(_LISTS["deeds"]),
        "handling": lambda: pen.pick(_LISTS["deeds"][2:9]),
        "near": lambda: pen.pick(_LISTS["near"]),
        "goal": lambda: pen.pick(_LISTS["goals"]),
    }
    slots["place"] = f"{slots['near']()} the {slots['spot']()}"
    slots["a"], slots["a2"] = pen.shuffled(_WORDS["actor"])[:2]
    slots["as"] = plural(slots["a"])
    slots["actors"] = lambda: plural(pen.pick(_WORDS["actor"]))
    slots["things"] = lambda: plural(pen.pick(_WORDS["thing"]))
    slots["c"], slots["d"] = pen.shuffled(_WORDS["thing"])[:2]
    return slots


def question(seed: int, key: str) -> Question:
    """A question for a row's id; in half of them with a caption."""
    pen = Pen(seed, key, "question")
    slots = _slots(pen)
    kind = pen.pick(_WORLD["questions"])
    options = pen.shuffled(_LISTS.get(kind["pool"]) or _WORDS[kind["pool"]])[:4]
    answer = slots["x"] = pen.pick(options)
    reasons = pen.shuffled(kind["why"].strip().split("\n"))[: 1 + pen.below(2)]
    reasons += pen.shuffled(_WORLD["any"].strip().split("\n"))[: 3 - len(reasons)]
    form = pen.below(10)
    given = str(options.index(answer)) if form < 4 else "ABCD"[options.index(answer)]
    return Question(
        question=tidy(pen.write(kind["ask"], slots)),
        choices=tuple(options),
        answer=given if form < 5 else answer,
        caption=_caption(pen, slots) if pen.chance(0.5) else "",
        rationales=tuple(sentence(pen.write(r, slots)) for r in reasons),
    )
