"""The one vocabulary: what was done to a picture, as data. Pydantic only, no torch.

Parameters and seeds are lists of uniform structs rather than free-form maps, so that a column of
records has one Arrow type however many operators exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Stage = Literal["acquisition", "transmission", "environment", "postprocessing"]
STAGES: tuple[Stage, ...] = get_args(Stage)

Intensity = Annotated[float, Field(ge=0.0, le=1.0)]

PUBLISHED = "published:"
"""Begins the name of an operator that is a formula as others released it; no identifier has it."""


class Record(BaseModel):
    """Base of everything that is written down: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Param(Record):
    """One physical parameter of an operator, in the unit a person would use for it."""

    name: str
    value: float
    unit: str


class SeedValue(Record):
    """The seed of one pixel field (noise, positions): the field itself is never stored."""

    name: str
    value: Annotated[int, Field(ge=0, lt=2**32)]


class Applied(Record):
    """One operator applied to one picture: enough to do it again.

    ``short_side`` is min(height, width) in pixels of the picture it was drawn for: lengths are
    recorded in pixels, and their share of the short side is ``value / short_side``.
    """

    operator: str
    version: Annotated[int, Field(ge=1)]
    stage: Stage
    intensity: Intensity
    short_side: Annotated[int, Field(ge=1)]
    params: tuple[Param, ...] = ()
    seeds: tuple[SeedValue, ...] = ()

    @property
    def label(self) -> str:
        """The paper's name for it, ``lens blur`` for ``lens_blur`` and ``published:lens_blur``."""
        return self.operator.removeprefix(PUBLISHED).replace("_", " ")


def describe(applied: Iterable[Applied]) -> str:
    """Types and intensities as the paper writes them: ``lens blur(0.47), graffiti(0.10)``."""
    return ", ".join(f"{a.label}({a.intensity:.2f})" for a in applied)


def recorded(applied: Applied) -> str:
    """One record in a line for people: intensity, stage, version, every parameter with its unit."""
    values = [f"{p.name} {p.value:.4g} {p.unit}".strip() for p in applied.params]
    head = f"{applied.label}, intensity {applied.intensity:.2f}, {applied.stage}, "
    return head + f"version {applied.version}" + (f": {'; '.join(values)}" if values else "")


class Row(Record):
    """One degraded picture of a run: a line of ``metadata.jsonl``, a row of the Parquet.

    ``file_name`` is relative to the run, ``source_path`` to the source folder; bytes of a source's
    name that are not UTF-8 appear as ``%XX``. (A column called ``source_file_name`` would be read
    as a second picture by the ``imagefolder`` loader, which claims every ``*_file_name``.)
    ``width`` and ``height`` are pixels; ``encoding`` is how the picture was written.
    """

    file_name: str
    id: str
    source_path: str
    width: int
    height: int
    encoding: str
    degradations: str
    applied: tuple[Applied, ...]


AnswerForm = Literal["text", "index", "letter"]
LETTERS = 26

Task = Literal["mcq", "vqa", "caption"]
"""What a question wants: one of its choices, a free answer, a description of the picture."""


class Question(Record):
    """What is asked about a picture and what is known of it; empty where nothing is.

    ``answer`` is as the data set has it: a text, an option's text, its 0-based index or its letter.
    ``answer_as`` says which; empty, it is read as an option's text where it is one, then as an
    index, then as a letter, which cannot tell the index 2 from an option that reads "2".
    """

    question: str = ""
    choices: tuple[str, ...] = ()
    answer: str = ""
    answer_as: AnswerForm | Literal[""] = ""
    caption: str = ""
    rationales: tuple[str, ...] = ()

    @property
    def answer_index(self) -> int | None:
        """The 0-based option that the answer is; None where it is none of them."""
        index = -1
        if self.answer_as in ("", "text") and self.answer in self.choices:
            index = self.choices.index(self.answer)
        elif self.answer_as in ("", "index") and self.answer.isascii() and self.answer.isdigit():
            index = int(self.answer)
        elif self.answer_as in ("", "letter") and len(self.answer) == 1 and self.answer.isalpha():
            index = ord(self.answer.upper()) - ord("A")
        return index if 0 <= index < len(self.choices) else None

    @property
    def answer_text(self) -> str:
        """The answer in words: the option that an index or a letter stands for."""
        index = self.answer_index
        return self.answer if index is None else self.choices[index]

    def answered(self, form: AnswerForm) -> Question:
        """The same question with its answer in another form; free answers stay as they are.

        Raises:
            ValueError: There are choices and the answer is none of them, or letters do not reach.
        """
        if not self.choices or not self.answer:
            return self.model_copy(update={"answer_as": "text"})
        index = self.answer_index
        if index is None:
            raise ValueError(f"the answer {self.answer!r} is none of {list(self.choices)}")
        if form == "letter" and len(self.choices) > LETTERS:
            raise ValueError(f"{len(self.choices)} choices are more than letters can name")
        answers = {"text": self.choices[index], "index": str(index), "letter": chr(65 + index)}
        return self.model_copy(update={"answer": answers[form], "answer_as": form})

    def settled(self) -> Question:
        """The same question, its answer untouched, with ``answer_as`` saying how that is read.

        Raises:
            ValueError: There are choices and the answer is none of them.
        """
        if not self.choices or not self.answer:
            return self.model_copy(update={"answer_as": "text"})
        if self.answer_index is None:
            raise ValueError(f"the answer {self.answer!r} is none of {list(self.choices)}")
        found = "index" if self.answer.isdigit() else "letter"
        found = "text" if self.answer in self.choices else found
        return self.model_copy(update={"answer_as": self.answer_as or found})

    def prompt(self) -> str:
        """What a model is asked: the question, then the choices, labeled as the answer names them.

        Options are numbered from 0 as in the paper, lettered where answers are letters, and
        listed bare where they are texts.
        """
        labels = {"index": "{0}. ", "letter": "{1}. "}.get(self.answer_as, "")
        lines = [labels.format(i, chr(65 + i)) + choice for i, choice in enumerate(self.choices)]
        return "\n".join([self.question, *lines])


class Failure(Record):
    """One source that could not be used: a line of ``quarantine.jsonl``."""

    id: str
    source_path: str
    reason: str
    detail: str


# -------------------------------------------------------------------------------------- chains

PARTS = ("TYPE", "INFLUENCE", "REASONING", "CONCLUSION", "ANSWER")
"""Blocks of a chain in the order in which they are written."""

# Possessive: a million spaces after a "<" must not be tried in every split.
_TAG = re.compile(
    r"<\s*+(?:/\s*+)?(?:TYPE|INFLUENCE|REASONING|CONCLUSION|ANSWER)(?:_END)?\s*+>", re.I
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u0085\u2028\u2029\ud800-\udfff]")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_LABEL = r"\w+(?: \w+)*"
_ITEM = re.compile(rf"({_LABEL})\((0(?:\.\d{{1,2}})?|1(?:\.0{{1,2}})?)\)", re.ASCII)


def _plain(text: str) -> str:
    """Prose of a chain: nothing in it can be taken for structure."""
    if found := _TAG.search(text):
        raise ValueError(f"holds the tag {found[0]!r}")
    if found := _CONTROL.search(text):
        raise ValueError(f"holds the control character {found[0]!r}")
    if text != text.strip():
        raise ValueError("begins or ends with white space")
    return text


Prose = Annotated[str, AfterValidator(_plain)]


def tokens(text: str) -> list[str]:
    """Words and punctuation marks, the unit of lengths: what any tokenizer's count follows."""
    return _TOKEN.findall(text)


class Degradation(Record):
    """One item of a chain's TYPE block."""

    label: Annotated[str, Field(pattern=rf"^{_LABEL}$")]
    intensity: Annotated[Intensity, AfterValidator(lambda v: round(v, 2))]


class Malformed(Record):
    """Why a text is no chain: ``position`` counts characters from the start."""

    reason: str
    position: Annotated[int, Field(ge=0)]


class Chain(Record):
    """What a model is taught to say about a degraded picture (Robust-R1, eq. 4 and its code).

    ``render`` and ``parse`` are the only code that spells a tag. A clean picture has no types.
    """

    types: tuple[Degradation, ...]
    influence: Prose
    reasoning: Prose
    conclusion: Prose
    answer: Prose

    @classmethod
    def types_of(cls, applied: Iterable[Applied]) -> tuple[Degradation, ...]:
        """The TYPE block that a record calls for."""
        return tuple(Degradation(label=a.label, intensity=a.intensity) for a in applied)

    def render(self) -> str:
        """The tagged text, one block a line; intensities with two decimals."""
        types = ", ".join(f"{t.label}({t.intensity:.2f})" for t in self.types)
        texts = (types, self.influence, self.reasoning, self.conclusion, self.answer)
        blocks = zip(PARTS, texts, strict=True)
        return "\n".join(f"<{part}>{text}<{part}_END>" for part, text in blocks)

    @staticmethod
    def instruction() -> str:
        """What to add to a question so that a model answers with a chain."""
        asked = (
            "the degradations that you see in the picture with their intensities from 0 to 1, "
            "as name(0.00), separated by commas, or nothing if it is clean",
            "what they hide or change for this question",
            "your reasoning about what the picture shows underneath",
            "what follows from it",
            "the answer alone",
        )
        blocks = [f"<{p}>{a}<{p}_END>" for p, a in zip(PARTS, asked, strict=True)]
        return "Reply in five blocks, in this order:\n" + "\n".join(blocks)

    @staticmethod
    def request(question: Question) -> str:
        """What a model is asked that is to answer with a chain."""
        return f"{question.prompt()}\n{Chain.instruction()}"

    @classmethod
    def parse(cls, text: str) -> Chain | Malformed:
        """Read a rendered chain back, or say where it stops being one.

        Tolerant to white space around and inside the blocks; strict to their order, to one of each
        and to nothing between them. Never raises, whatever the text.
        """
        position = 0
        found: dict[str, str] = {}
        for part in PARTS:
            opening, closing = f"<{part}>", f"<{part}_END>"
            position += len(text[position:]) - len(text[position:].lstrip())
            if not text.startswith(opening, position):
                return Malformed(reason=f"expected {opening}", position=position)
            start = position + len(opening)
            end = text.find(closing, start)
            if end < 0:
                return Malformed(reason=f"{opening} is not closed by {closing}", position=start)
            found[part] = text[start:end].strip()
            try:
                _plain(found[part])
            except ValueError as error:
                return Malformed(reason=f"{part} {error}", position=start)
            position = end + len(closing)
        if text[position:].strip():
            return Malformed(reason="text after the last block", position=position)
        types = _parse_types(found["TYPE"])
        if isinstance(types, str):
            return Malformed(reason=types, position=text.find("<TYPE>") + len("<TYPE>"))
        return cls(
            types=types,
            influence=found["INFLUENCE"],
            reasoning=found["REASONING"],
            conclusion=found["CONCLUSION"],
            answer=found["ANSWER"],
        )


def _parse_types(text: str) -> tuple[Degradation, ...] | str:
    items = []
    for item in text.split(",") if text else []:
        match = _ITEM.fullmatch(" ".join(item.split()))
        if not match:
            return f"TYPE has {item.strip()[:40]!r} where name(0.00 to 1.00) belongs"
        items.append(Degradation(label=match[1], intensity=float(match[2])))
    return tuple(items)


# --------------------------------------------------------------------------------- annotations

Code = Literal[
    "format",  # not a chain, or an empty part
    "types",  # TYPE names other degradations than the record, or in another order
    "intensities",  # TYPE gives a recorded degradation another intensity
    "missing",  # INFLUENCE does not speak of a recorded degradation
    "invented",  # a degradation is claimed that was not applied
    "denied",  # INFLUENCE says that a recorded degradation is not there
    "severity",  # an adjective beside a degradation does not fit its intensity
    "parameters",  # a quality, angle, exposure or D/r0 beside a degradation is not the recorded one
    "answer",  # ANSWER is not the row's
    "conclusion",  # CONCLUSION does not name the answer, or puts another option forward
    "damaged_view",  # REASONING takes the damage for the scene
    "length",  # REASONING is much shorter or longer than the target
    "language",  # not English prose
    "repetition",  # phrases or sentences again and again
    "garble",  # overlong words, strings of digits or signs, control characters
    "markup",  # block names, tags, code or lists inside the text
    "leak",  # speaks of the record, the prompt or what else only the writer knows
    "refusal",  # the writer declines or speaks of itself
]
"""Why a chain is refused; `annotate.checks` finds out."""


class Finding(Record):
    """One reason to refuse a chain; ``detail`` is what a writer should be told."""

    code: Code
    detail: str


class Annotation(Record):
    """One row's chain: a line of ``chains.jsonl``. Every row of the run has one, also a failed one.

    ``status`` is ``ok``, the code of the first finding, or what kept the chain from being written.
    ``text`` is the rendered chain. ``answerable``: whether a judge could answer from the degraded
    picture alone; ``null`` where none was asked. Lengths are in tokens of ``annotate.depth``.
    """

    id: str
    file_name: str
    status: str
    writer: str
    target: int
    reasoning_tokens: int
    chain_tokens: int
    intensity_sum: float
    text: str
    chain: Chain | None
    findings: tuple[Finding, ...] = ()
    detail: str = ""
    attempts: int = 1
    answerable: bool | None = None
