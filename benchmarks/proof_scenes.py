"""The small world of ``proof.py``: one colored shape in clutter, degraded by real operators.

A question is about the color of the shape, its form or the color of the frame, with the options in
random order; the answer is the text of an option. Chains state one to three true things, more of
them the stronger the damage, the one asked for last.

In the task ``place`` 40 % of the questions in training, and all in the test, want a conclusion:
where the shape belongs follows from its color and form, of which neither tells anything alone.
Their chains state both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from degrade import codecs, ops, pipeline
from degrade.images import Pixels
from degrade.schema import Applied, Chain, Question

SIDE = 64
COLORS = {
    "red": (205, 40, 40),
    "green": (40, 160, 60),
    "blue": (50, 70, 205),
    "yellow": (215, 195, 40),
}
FORMS = ("circle", "square", "triangle", "cross")
ASKED = {"color": tuple(COLORS), "form": FORMS, "frame": tuple(COLORS)}
QUESTIONS = {
    "color": "What color is the shape?",
    "form": "What form has the shape?",
    "frame": "What color is the frame?",
}
PLACES = ("north", "east", "south", "west")
PLACE, PLACE_SHARE = "place", 0.4
TASKS = ("facts", PLACE)
TESTS_FROM = 10**6
"""Numbers of the scenes of the test."""
STATED = {"color": "The shape looks {}.", "form": "It is a {}.", "frame": "The frame seems {}."}

SEEN = ("lens_blur", "gaussian_noise", "jpeg_compression", "dark_illumination")
UNSEEN = ("motion_blur", "scan_lines", "atmospheric_turbulence", "block_exchange")
LEVELS = (0.25, 0.5, 1.0)
CLEAN_SHARE = 0.15
SHORT = "Reply with a chain."
"""In place of the long instruction of the package, most of whose cost here would be reading it."""


@dataclass(frozen=True)
class Item:
    """One question about one picture.

    Attributes:
        picture: (H, W, 3) uint8.
        question: With its choices; the answer is one of them.
        applied: What was done to the picture; none where it is clean.
        facts: What is true, by what is asked.
        asked: What is asked.
    """

    picture: Pixels
    question: Question
    applied: tuple[Applied, ...]
    facts: dict[str, str]
    asked: str

    @property
    def damage(self) -> float:
        """Summed intensity."""
        return sum(a.intensity for a in self.applied)

    @property
    def chain(self) -> Chain:
        """What a model should say."""
        count = 1 + round(2 * min(1.0, self.damage))
        others = [name for name in ASKED if name != self.asked]
        order = [*others[: count - 1], self.asked]
        if self.asked == PLACE:
            order = ["color", "form"]
        hidden = ("Little", "Something", "Much")[count - 1]
        return Chain(
            types=Chain.types_of(self.applied),
            influence=f"{hidden} is hidden.",
            reasoning=" ".join(STATED[name].format(self.facts[name]) for name in order),
            conclusion=f"So {self.facts[self.asked]}.",
            answer=self.question.answer,
        )


def scene(number: int, task: str = "facts") -> tuple[Pixels, dict[str, str], str, Question]:
    """A clean picture, what is true of it, what is asked, and the question: all from the number."""
    rng = np.random.default_rng((20, number))
    facts = {name: str(rng.choice(options)) for name, options in ASKED.items()}
    picture = np.full((SIDE, SIDE, 3), rng.integers(90, 200, 3), np.uint8)
    for _ in range(5):  # clutter in muted colors
        start, end = rng.integers(0, SIDE, (2, 2))
        color = [int(v) for v in rng.integers(60, 200, 3) // 2 + 50]
        cv2.line(picture, start.tolist(), end.tolist(), color, int(rng.integers(1, 3)))
    cv2.rectangle(picture, (0, 0), (SIDE - 1, SIDE - 1), COLORS[facts["frame"]], 7)
    x, y = (int(v) for v in rng.integers(24, 41, 2))
    _shape(picture, facts["form"], x, y, int(rng.integers(11, 16)), COLORS[facts["color"]])
    asked = str(rng.choice(list(ASKED)))
    choices = tuple(str(c) for c in rng.permutation(ASKED[asked]))
    question = Question(
        question=QUESTIONS[asked], choices=choices, answer=facts[asked], answer_as="text"
    )
    if task == PLACE and (number >= TESTS_FROM or rng.random() < PLACE_SHARE):
        steps = list(COLORS).index(facts["color"]) + FORMS.index(facts["form"])
        facts[PLACE] = PLACES[steps % len(PLACES)]
        choices = tuple(str(c) for c in rng.permutation(PLACES))
        question = Question(
            question="Where does the shape belong?",
            choices=choices,
            answer=facts[PLACE],
            answer_as="text",
        )
        asked = PLACE
    return picture, facts, asked, question


def _shape(picture: Pixels, form: str, x: int, y: int, r: int, color: Sequence[int]) -> None:
    if form == "circle":
        cv2.circle(picture, (x, y), r, color, -1, cv2.LINE_AA)
    elif form == "square":
        cv2.rectangle(picture, (x - r, y - r), (x + r, y + r), color, -1)
    elif form == "triangle":
        corners = np.array([(x, y - r), (x - r, y + r), (x + r, y + r)])
        cv2.fillPoly(picture, [corners], color, cv2.LINE_AA)
    else:
        cv2.line(picture, (x - r, y), (x + r, y), color, max(4, r // 2))
        cv2.line(picture, (x, y - r), (x, y + r), color, max(4, r // 2))


def degraded(
    numbers: Sequence[int], plans: Sequence[tuple[str, float] | None], task: str = "facts"
) -> list[Item]:
    """Scenes with one operator each, or none."""
    items: list[Item] = []
    for start in range(0, len(numbers), 64):
        part, chosen = numbers[start : start + 64], plans[start : start + 64]
        scenes = [scene(n, task) for n in part]
        records = [
            (ops.get(plan[0]).sample(plan[1], f"proof/{n}", short_side=SIDE),) if plan else ()
            for n, plan in zip(part, chosen, strict=True)
        ]
        with torch.inference_mode():
            batch = codecs.from_pixels([s[0] for s in scenes], torch.device("cpu"))
            pictures = codecs.to_pixels(pipeline.run(batch, records))
        items += [
            Item(picture, question, record, facts, asked)
            for picture, record, (_, facts, asked, question) in zip(
                pictures, records, scenes, strict=True
            )
        ]
    return items


def training(count: int, damaged: bool, task: str = "facts") -> list[Item]:
    """Scenes to train on: the same ones, clean or degraded by the seen operators."""
    rng = np.random.default_rng(7)
    plans: list[tuple[str, float] | None] = []
    for _ in range(count):
        name, intensity = str(rng.choice(SEEN)), float(rng.integers(5, 101)) / 100
        clean = bool(rng.random() < CLEAN_SHARE)
        plans.append(None if clean or not damaged else (name, intensity))
    return degraded(range(count), plans, task)


def cells(count: int, task: str = "facts") -> dict[str, list[Item]]:
    """Cells of the test, ``clean``, ``seen 25 %`` ...: the same new scenes in all of them."""
    numbers = range(TESTS_FROM, TESTS_FROM + count)
    made = {"clean": degraded(numbers, [None] * count, task)}
    for name, operators in (("seen", SEEN), ("unseen", UNSEEN)):
        for level in LEVELS:
            plans = [(operators[i % len(operators)], level) for i in range(count)]
            made[f"{name} {level:.0%}"] = degraded(numbers, plans, task)
    return made
