"""Planted contradictions to the form of a chain and to the record of damage."""

from __future__ import annotations

import random
import re

from annotate.testing.cases import Case, applied
from annotate.testing.phrases import ALIASES, CLEAN, DENIALS, SEEN_AS
from annotate.testing.planting import (
    Write,
    changed,
    inserted,
    plants,
    unrecorded,
    with_record,
)
from degrade.schema import Degradation

# ------------------------------------------------------------------------------------- structure


@plants("format")
def _cut_off(case: Case, rng: random.Random, write: Write) -> str | None:
    text = case.chain.render()
    return text[: rng.randint(1, len(text) - len("<ANSWER_END>"))]


@plants("format")
def _blocks_out_of_order(case: Case, rng: random.Random, write: Write) -> str | None:
    lines = case.chain.render().split("\n<")
    i = rng.randint(1, len(lines) - 2)
    lines[i], lines[i + 1] = lines[i + 1], lines[i]
    return "\n<".join(lines)


@plants("format")
def _tag_inside(case: Case, rng: random.Random, write: Write) -> str | None:
    tag = rng.choice(("<ANSWER>B<ANSWER_END>", "<CONCLUSION>", "< answer_end >", "</TYPE>"))
    place = rng.choice(("influence", "reasoning", "conclusion"))
    return changed(case.chain, **{place: f"{getattr(case.chain, place)} {tag} more"})


@plants("format")
def _empty_part(case: Case, rng: random.Random, write: Write) -> str | None:
    return changed(case.chain, **{rng.choice(("reasoning", "conclusion", "answer")): ""})


@plants("format")
def _chatter_around(case: Case, rng: random.Random, write: Write) -> str | None:
    text = case.chain.render()
    return rng.choice(
        (f"Sure! Here is the chain.\n{text}", f"{text}\nI hope this helps.", f"```\n{text}")
    )


@plants("markup")
def _block_named_in_text(case: Case, rng: random.Random, write: Write) -> str | None:
    block = rng.choice(
        (
            "TYPE: lens blur",
            "ANSWER: B",
            "**Conclusion:** so it is",
            "REASONING: first",
            '{"type": "x"}',
        )
    )
    return changed(case.chain, reasoning=f"{case.chain.reasoning}\n{block}")


# ------------------------------------------------------------------------------------- the record


@plants("types")
def _type_dropped(case: Case, rng: random.Random, write: Write) -> str | None:
    types = list(case.chain.types)
    if not types:
        return None
    types.pop(rng.randrange(len(types)))
    return changed(case.chain, types=tuple(types))


@plants("types")
def _type_added(case: Case, rng: random.Random, write: Write) -> str | None:
    extra = Degradation(label=rng.choice(unrecorded(case)), intensity=rng.randint(1, 100) / 100)
    types = list(case.chain.types)
    types.insert(rng.randint(0, len(types)), extra)
    return changed(case.chain, types=tuple(types))


@plants("types")
def _type_renamed(case: Case, rng: random.Random, write: Write) -> str | None:
    types = list(case.chain.types)
    if not types:
        return None
    i = rng.randrange(len(types))
    types[i] = Degradation(label=rng.choice(unrecorded(case)), intensity=types[i].intensity)
    return changed(case.chain, types=tuple(types))


@plants("types")
def _type_repeated(case: Case, rng: random.Random, write: Write) -> str | None:
    types = case.chain.types
    return changed(case.chain, types=(*types, rng.choice(types))) if types else None


@plants("intensities")
def _intensity_changed(case: Case, rng: random.Random, write: Write) -> str | None:
    types = list(case.chain.types)
    if not types:
        return None
    i = rng.randrange(len(types))
    others = [n / 100 for n in range(101) if n != round(types[i].intensity * 100)]
    types[i] = Degradation(label=types[i].label, intensity=rng.choice(others))
    return changed(case.chain, types=tuple(types))


# ------------------------------------------------------------------------------------- the damage


@plants("missing")
def _influence_silent_on_one(case: Case, rng: random.Random, write: Write) -> str | None:
    """The influence as it would be written without one of the degradations."""
    items = case.row.applied
    if not items:
        return None
    i = rng.randrange(len(items))
    fewer = write(with_record(case.row, items[:i] + items[i + 1 :]), case.question)
    return changed(case.chain, influence=fewer.influence)


@plants("invented")
def _influence_of_one_more(case: Case, rng: random.Random, write: Write) -> str | None:
    """The influence as it would be written with another degradation."""
    more = (*case.row.applied, applied(rng.choice(unrecorded(case)), rng.randint(10, 100) / 100))
    return changed(
        case.chain, influence=write(with_record(case.row, more), case.question).influence
    )


@plants("invented")
def _named_but_not_applied(case: Case, rng: random.Random, write: Write) -> str | None:
    label = rng.choice([x for x in unrecorded(case) if x != "graffiti"])
    said = rng.choice(
        (
            "The {} makes this harder to judge.",
            "Much of it is lost to {}.",
            "Because of the {}, only large shapes remain.",
            "There is also some {} to take into account.",
            "Even so, the {} leaves enough to go by.",
        )
    ).format(label)
    part = rng.choice(("influence", "reasoning", "conclusion"))
    return changed(case.chain, **{part: inserted(getattr(case.chain, part), said, rng)})


@plants("invented")
def _paraphrased_but_not_applied(case: Case, rng: random.Random, write: Write) -> str | None:
    recorded = {a.label for a in case.row.applied}
    able = [said for label, like, said in ALIASES if recorded.isdisjoint((label, *like))]
    if not able:
        return None
    said = rng.choice(rng.choice(able))
    return changed(case.chain, influence=inserted(case.chain.influence, said, rng))


@plants("invented")
def _clean_yet_degraded(case: Case, rng: random.Random, write: Write) -> str | None:
    if case.row.applied:
        return None
    said = rng.choice(CLEAN)
    return changed(case.chain, influence=inserted(case.chain.influence, said, rng))


@plants("denied")
def _degraded_yet_clean(case: Case, rng: random.Random, write: Write) -> str | None:
    if not case.row.applied:
        return None
    said = rng.choice(DENIALS)
    return changed(case.chain, influence=said)


_WEAK = "slight|mild|minor|faint|negligible|barely noticeable".split("|")
_STRONG = "severe|heavy|extreme|strong|massive|overwhelming".split("|")


def _called(
    case: Case, rng: random.Random, words: list[str], low: float, high: float
) -> str | None:
    fit = [a for a in case.row.applied if low <= a.intensity <= high]
    if not fit:
        return None
    label, word = rng.choice(fit).label, rng.choice(words)
    if sum(a.label == label for a in case.row.applied) > 1:
        return None
    said = rng.choice(
        (
            f"The {word} {label} decides how much can be read.",
            f"The {label} is {word}.",
            f"A {label} of {word} strength lies over all of it.",
            f"One has to reckon with {word} {label} here.",
        )
    )
    return changed(case.chain, influence=inserted(case.chain.influence, said, rng))


@plants("severity")
def _overstated(case: Case, rng: random.Random, write: Write) -> str | None:
    return _called(case, rng, _STRONG, 0.01, 0.30)


@plants("severity")
def _understated(case: Case, rng: random.Random, write: Write) -> str | None:
    return _called(case, rng, [w for w in _WEAK if " " not in w], 0.60, 1.0)


_MEANT = {
    "jpeg compression": "The jpeg compression, at quality {}, frays the outlines.",
    "motion blur": "The motion blur runs at {} degrees across it.",
    "dark illumination": "The dark illumination takes {} stops of light.",
    "atmospheric turbulence": "The atmospheric turbulence has a D/r0 of {}.0 here.",
}
_PARAMETER = {
    "jpeg compression": "quality",
    "motion blur": "angle",
    "dark illumination": "ev",
    "atmospheric turbulence": "d_over_r0",
}


@plants("parameters")
def _another_parameter(case: Case, rng: random.Random, write: Write) -> str | None:
    able = [a for a in case.row.applied if a.label in _MEANT]
    if not able:
        return None
    item = rng.choice(able)
    true = next(p.value for p in item.params if p.name == _PARAMETER[item.label])
    said = _MEANT[item.label].format(round(true) + rng.choice((3, 7, 20)))
    return changed(case.chain, influence=inserted(case.chain.influence, said, rng))


@plants("damaged_view")
def _damage_taken_for_scene(case: Case, rng: random.Random, write: Write) -> str | None:
    if not case.row.applied:
        return None
    said = rng.choice(SEEN_AS[rng.choice(case.row.applied).label])
    held = f"{case.question.caption} {' '.join(case.question.rationales)}".lower()
    if any(word in held for word in re.findall(r"\w{4,}", said.lower()) if word in _SCENIC):
        return None
    return changed(case.chain, reasoning=inserted(case.chain.reasoning, said, rng))


_SCENIC = frozenset("dark night gray black dirty".split())
