"""Made-up rows with questions, and a plain chain for each: valid input for tests and benchmarks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from annotate.depth import target, tokens
from annotate.terms import LABELS
from degrade.schema import Applied, Chain, Param, Question, Row, Stage, describe

_STAGES: dict[str, Stage] = {
    **dict.fromkeys(LABELS[:5], "acquisition"),
    **dict.fromkeys(LABELS[5:9], "transmission"),
    **dict.fromkeys(LABELS[9:13], "environment"),
    **dict.fromkeys(LABELS[13:], "postprocessing"),
}
_PARAMS: dict[str, tuple[tuple[str, float, float, str], ...]] = {
    "lens blur": (("radius", 0.0, 14.4, "px"),),
    "lens flare": (("energy", 0, 1, "x"), ("across", 0.5, 0.5, "x"), ("down", 0.1, 0.1, "x")),
    "motion blur": (("length", 0, 48, "px"), ("angle", 32, 32, "degrees")),
    "dirty lens": (("coverage", 0, 1, "share"), ("opacity", 0.6, 1, "x")),
    "hsv saturation": (("factor", 1, 0, "x saturation"),),
    "jpeg compression": (("quality", 100, 4, "JPEG quality"),),
    "block exchange": (("share", 0, 0.6, "share of blocks"), ("block", 30, 30, "px")),
    "mean shift": (("value_radius", 0, 13, "grey levels"), ("radius", 6, 12, "px")),
    "scan lines": (("depth", 0, 0.9, "share of light"), ("period", 8, 8, "px")),
    "dark illumination": (("ev", 0, 4.5, "EV"),),
    "atmospheric turbulence": (("d_over_r0", 0, 5, "D/r0"), ("correlation", 24, 24, "px")),
    "gaussian noise": (("sigma", 0, 0.3, "full scale"),),
    "color diffusion": (("sigma", 0, 38, "px"), ("delay", 0, 14, "px"), ("gain", 1, 2, "x")),
    "sharpness change": (("amount", 0, 10, "x detail"), ("radius", 3, 3, "px")),
    "graffiti": (("coverage", 0, 0.25, "share"),),
    "watermark damage": (("coverage", 0, 0.3, "share"),),
}
_COUNTS, _WEIGHTS = (0, 1, 2, 3, 4, 5, 6, 7), (5, 12, 20, 24, 20, 12, 8, 4)


def applied(label: str, intensity: float) -> Applied:
    """A record of one degradation, with parameters that grow with the intensity."""
    return Applied(
        operator=label.replace(" ", "_"),
        version=1,
        stage=_STAGES[label],
        intensity=intensity,
        short_side=480,
        params=tuple(
            Param(name=name, value=low + (high - low) * intensity, unit=unit)
            for name, low, high, unit in _PARAMS[label]
        ),
    )


def row(name: str, items: tuple[Applied, ...]) -> Row:
    """A row of a run, for a picture of 640 x 480."""
    return Row(
        file_name=f"images/{name}.jpg",
        id=name,
        source_path=f"{name}.jpg",
        width=640,
        height=480,
        encoding="jpeg quality 95",
        degradations=describe(items),
        applied=items,
    )


class Case(NamedTuple):
    """A row, its question, and a chain that agrees with both."""

    chain: Chain
    row: Row
    question: Question

    @property
    def target(self) -> int:
        """Reasoning tokens aimed at."""
        return target(self.row.applied)


_WHO = (
    "a man|a woman|two children|three cyclists|an old farmer|a surfer|a brown dog|a baker|a police"
    " officer|a small girl|four tourists|a waiter|a black cat|a nurse|a mechanic|two giraffes"
).split("|")
_WHERE = (
    "on a wooden bench|beside a bus stop|in a kitchen|near the harbor|on a tennis court|in front"
    " of a bakery|at a market stall|under a tree|on a sandy beach|next to a parked truck|in a"
    " library|beside a railway track|on a balcony|in a meadow"
).split("|")
_THING = (
    "umbrella|backpack|bicycle|kite|suitcase|bottle|hat|skateboard|book|guitar|ball|cup|camera"
    "|basket|towel|phone"
).split("|")
_COLOR = "red blue green yellow white orange purple brown pink black".split()
_DOING = "waiting|resting|looking around|eating lunch|talking|getting ready|playing".split("|")
_LETTERS = "ABCD"


def _question(rng: random.Random) -> Question:
    who, where, thing = rng.choice(_WHO), rng.choice(_WHERE), rng.choice(_THING)
    color, doing = rng.choice(_COLOR), rng.choice(_DOING)
    plural = who.split()[0] in ("two", "three", "four")
    caption = f"{who[0].upper()}{who[1:]} {'are' if plural else 'is'} {doing} {where}"
    caption += f" with a {color} {thing}."
    kind = rng.randrange(5)
    if kind == 0:
        asked, right = f"What color is the {thing}?", color
        pool = [c for c in _COLOR if c != right]
    elif kind == 1:
        asked, right = f"What lies close to {who}?", thing
        pool = [t for t in _THING if t != right]
    elif kind == 2:
        right = rng.choice(("1", "2", "3", "4"))
        asked, pool = f"How many {thing}s are there?", [n for n in "123456" if n != right]
    elif kind == 3:
        asked, right = f"What {'are' if plural else 'is'} {who.split(' ', 1)[1]} doing?", doing
        pool = [d for d in _DOING if d != right]
    else:
        asked, right, pool = f"Is the {thing} {color}?", "yes", ["no"]
    options = [*rng.sample(pool, min(3, len(pool))), right]
    rng.shuffle(options)
    form = rng.randrange(4)
    answer = (right, str(options.index(right)), _LETTERS[options.index(right)], right)[form]
    if kind == 2 and form == 1:
        answer = right  # an index among numbers would be read as a number
    number = {"1": "one", "2": "two", "3": "three", "4": "four"}.get(right, right)
    counted = f"I count {number} of them in the picture." if kind == 2 else ""
    rationales = (
        f"The {thing} belongs to {who}.",
        f"It is a {color} {thing} {where}.",
        counted or f"Everything about {who} {where} points to {right}.",
    )
    return Question(
        question=asked,
        choices=() if form == 3 else tuple(options),
        answer=answer,
        caption=caption if rng.random() < 0.8 else "",
        rationales=rationales[: rng.randrange(4)],
    )


def _items(rng: random.Random) -> tuple[Applied, ...]:
    n = rng.choices(_COUNTS, _WEIGHTS)[0]
    chosen = rng.sample(range(len(LABELS)), n)
    return tuple(applied(LABELS[i], rng.randint(1, 100) / 100) for i in sorted(chosen))


def rows(n: int, seed: int = 0) -> Iterator[tuple[Row, Question]]:
    """Rows as a recipe draws them, 5 % of them clean, with questions of several kinds."""
    rng = random.Random(seed)
    for i in range(n):
        yield row(f"{i:06d}", _items(rng)), _question(rng)


_LEVEL = ((0.25, "slight"), (0.45, "mild"), (0.65, "moderate"), (0.85, "strong"), (1.1, "severe"))
_EFFECT = {
    "lens blur": "rounds off the edges of small letters",
    "lens flare": "lays a bright veil over one side",
    "motion blur": "drags outlines along its path",
    "dirty lens": "leaves spots in front of what lies behind",
    "hsv saturation": "makes hues harder to tell apart",
    "jpeg compression": "cuts even areas into small squares",
    "block exchange": "puts pieces where they do not belong",
    "mean shift": "takes the texture out of cloth and skin",
    "scan lines": "cuts thin shapes into rows",
    "dark illumination": "sinks the shaded parts toward black",
    "atmospheric turbulence": "bends straight edges to and fro",
    "gaussian noise": "buries weak texture",
    "color diffusion": "carries hues past their outlines",
    "sharpness change": "puts bright rims along outlines",
    "graffiti": "hides whatever lies under its strokes",
    "watermark damage": "crosses the content with foreign shapes",
}
_STEPS = (
    "The question asks for one particular thing, so that thing has to be found first.",
    "Large shapes and the way they are arranged say what kind of place this is.",
    "Whoever is present stands out clearly from whatever lies behind.",
    "Nearby objects fit the same story and none of them speaks against it.",
    "Color, size and position can each be compared with what is usual here.",
    "People keep such things close to them when they mean to use them soon.",
    "Other readings were weighed, yet they would need objects that cannot be found.",
    "Posture and direction of gaze agree with this reading as well.",
    "What happens at the border of the frame adds nothing that would change it.",
    "Every single clue has therefore the same direction.",
    "Two independent hints are worth more than a first impression.",
    "Experience with similar places makes this the most natural account.",
    "Material and form tell apart what might be mistaken at first.",
    "Nobody seems hurried, which suits a quiet moment of an ordinary day.",
    "The distance between the main objects is small enough to link them.",
    "A last look at the whole confirms what the parts have shown.",
)


def plain_chain(row: Row, question: Question) -> Chain:
    """A chain of few fixed phrases: dull, and in agreement with the record."""
    sentences = []
    for item in row.applied:
        word = next(word for limit, word in _LEVEL if item.intensity < limit)
        sentences.append(f"The {word} {item.label} {_EFFECT[item.label]}.")
    steps: list[str] = []
    wanted = target(row.applied)
    for step in _STEPS:
        if steps and tokens(" ".join([*steps, step])) > 1.2 * wanted:
            break
        steps.append(step)
    return Chain(
        types=Chain.types_of(row.applied),
        influence=" ".join(sentences) or "Nothing stands between the viewer and the scene.",
        reasoning=" ".join(steps),
        conclusion=f"All of this leads to one answer: {question.answer_text}.",
        answer=question.answer,
    )


def cases(n: int, seed: int = 0) -> Iterator[Case]:
    """Rows with plain chains."""
    for made, question in rows(n, seed):
        yield Case(plain_chain(made, question), made, question)
